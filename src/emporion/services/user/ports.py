"""What the user service needs from outside: stores, a password hasher, time zones.

Store methods run inside the caller's transaction and raise what `Tx` raises, nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    Account,
    Attempts,
    EmailAddress,
    Preferences,
    Role,
    Session,
)


class Reachable(NamedTuple):
    """How to write to somebody: no more of an account than every order's mail needs."""

    user_id: UserId
    email: str
    name: str
    locale: str
    time_zone: str


class Accounts(Protocol):
    """Accounts, one per address.

    Every method also raises what the transaction raises.
    """

    async def add(self, tx: Tx, account: Account) -> None:
        """Store a new account. Raises UniqueViolation when its address has one."""
        ...

    async def find(self, tx: Tx, user_id: UserId) -> Account | None:
        """The account of that id."""
        ...

    async def find_by_email(self, tx: Tx, email: EmailAddress) -> Account | None:
        """The account of that address."""
        ...

    async def reachable(self, tx: Tx, user_ids: Sequence[UserId]) -> list[Reachable]:
        """Those of the ids that have an account, each once, in no particular order."""
        ...

    async def rename(self, tx: Tx, user_id: UserId, name: str) -> None:
        """Change the name."""
        ...

    async def prefer(self, tx: Tx, user_id: UserId, preferences: Preferences) -> None:
        """Replace the preferences."""
        ...

    async def appoint(self, tx: Tx, user_id: UserId, *, name: str, role: Role) -> None:
        """Change name and role."""
        ...

    async def replace_password(self, tx: Tx, user_id: UserId, *, old: str, new: str) -> bool:
        """Store another hash if `old` is still the stored one; whether it was."""
        ...


class Sessions(Protocol):
    """Sessions, each with the hash of its one good refresh token.

    Every method also raises what the transaction raises.
    """

    async def add(self, tx: Tx, session: Session) -> None:
        """Store a new session; the longest unused ones beyond the limit per account end."""
        ...

    async def find(self, tx: Tx, session_id: str) -> Session | None:
        """The session of that id, expired or not."""
        ...

    async def replace(self, tx: Tx, old: Session, new: Session) -> bool:
        """Store `new` if `old`'s token is still the good one; whether it was."""
        ...

    async def end(self, tx: Tx, session_id: str) -> None:
        """End it, if it exists."""
        ...

    async def end_all(self, tx: Tx, user_id: UserId) -> None:
        """End every session of the account."""
        ...

    async def delete_expired(self, tx: Tx, now_ms: int, limit: int) -> int:
        """Delete at most `limit` expired ones; how many there were."""
        ...


class Throttle(Protocol):
    """Attempts to sign in that have not succeeded, by the hash of the address.

    Every method also raises what the transaction raises.
    """

    async def find(self, tx: Tx, address: bytes) -> Attempts:
        """The attempts so far; none for an address never seen."""
        ...

    async def put(self, tx: Tx, address: bytes, attempts: Attempts) -> None:
        """Store the attempts."""
        ...

    async def take_back(self, tx: Tx, address: bytes) -> None:
        """Uncount one attempt that got no verdict."""
        ...

    async def forgive(self, tx: Tx, address: bytes) -> None:
        """Forget them all."""
        ...

    async def delete_forgotten(self, tx: Tx, now_ms: int, limit: int) -> int:
        """Delete at most `limit` that no longer count; how many there were."""
        ...


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A signing key at rest; `pair` is `SigningKey.stored()`."""

    kid: str
    signs_from_ms: int
    pair: str


class SigningKeys(Protocol):
    """The key pairs that sign access tokens.

    Every method also raises what the transaction raises.
    """

    async def all(self, tx: Tx) -> list[StoredKey]:
        """Every key, in the order in which they begin to sign."""
        ...

    async def add(self, tx: Tx, key: StoredKey) -> None:
        """Store a new key."""
        ...

    async def delete(self, tx: Tx, kid: str) -> None:
        """Delete a key: its tokens are refused from then on."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one database, handed around together."""

    accounts: Accounts
    sessions: Sessions
    throttle: Throttle
    keys: SigningKeys


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password matched, and whether its hash is weaker than today's parameters."""

    is_match: bool
    is_outdated: bool


class PasswordHasher(Protocol):
    """A slow, salted hash that runs beside the event loop, bounded in threads and queue.

    Raises ResourceExhausted when too many wait; nothing was computed then.
    """

    async def hash(self, password: str) -> str:
        """A new hash with today's parameters, which it names."""
        ...

    async def verify(self, password: str, password_hash: str) -> Verdict:
        """Compare a password with a hash."""
        ...

    async def waste(self, password: str) -> None:
        """Take as long as `verify` would: for an address that has no account."""
        ...


class TimeZones(Protocol):
    """The time zones that exist."""

    def is_known(self, name: str) -> bool:
        """Whether it is a zone of the IANA database, by its full name."""
        ...

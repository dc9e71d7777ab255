"""Where accounts, sessions, attempts, signing keys and erasures are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    Account,
    Attempts,
    Preferences,
    Role,
    Session,
    Sought,
)


class Reachable(NamedTuple):
    """How to write to somebody: no more of an account than every order's mail needs.

    From the store, address and name are as stored: sealed.
    """

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

    async def find_by_address(self, tx: Tx, sought: Sought) -> Account | None:
        """The account of that address."""
        ...

    async def reachable(self, tx: Tx, user_ids: Sequence[UserId]) -> list[Reachable]:
        """Those of the ids that have an account, each once, in no particular order.

        Not those that were erased.
        """
        ...

    async def rename(self, tx: Tx, user_id: UserId, name: str) -> None:
        """Change the name to a sealed one."""
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

    async def erase(self, tx: Tx, user_id: UserId, *, at_ms: int) -> None:
        """Leave nothing of an account but its id, and when it was made and erased."""
        ...

    async def readable(self, tx: Tx, limit: int) -> list[Account]:
        """At most `limit` accounts from before addresses and names were sealed."""
        ...

    async def seal(self, tx: Tx, before: Account, after: Account) -> bool:
        """Put sealed address and name in place of readable ones, if they still are these."""
        ...

    async def indexed_by_others(self, tx: Tx, by: str, *, after: str, limit: int) -> list[Account]:
        """At most `limit` sealed accounts indexed with another secret than `by`, past `after`."""
        ...

    async def index_anew(self, tx: Tx, before: Account, address: str, *, by: str) -> bool:
        """Store another index of the same address, unless it was changed; whether it was stored.

        Raises UniqueViolation when another account has that index.
        """
        ...

    async def index_names(self, tx: Tx) -> frozenset[str]:
        """The names of the secrets of the indices; how many accounts there are is no matter."""
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

    async def of(self, tx: Tx, user_id: UserId) -> list[Session]:
        """Those of an account, expired or not, the oldest first."""
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


class StoredErasure(NamedTuple):
    """Who asked for the erasure of a person, and why. Instants in ms since the epoch.

    `done_at_ms` is None until their key is destroyed.
    """

    user_id: UserId
    actor: str
    reason: str
    asked_at_ms: int
    done_at_ms: int | None = None


class Erasures(Protocol):
    """What is remembered of erasures. Every method raises what the transaction raises."""

    async def add(self, tx: Tx, erasure: StoredErasure) -> None:
        """Store it, unless the person's is stored already."""
        ...

    async def finish(self, tx: Tx, user_id: UserId, *, at_ms: int) -> None:
        """The key is destroyed."""
        ...

    async def find(self, tx: Tx, user_id: UserId) -> StoredErasure | None:
        """The erasure of a person."""
        ...


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one database, handed around together."""

    accounts: Accounts
    sessions: Sessions
    throttle: Throttle
    keys: SigningKeys
    erasures: Erasures

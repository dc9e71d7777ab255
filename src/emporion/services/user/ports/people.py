"""What keeps people unreadable, proves their passwords and knows their clocks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from emporion.kernel.ids import UserId
from emporion.services.user.domain import (
    Account,
    AddressIndex,
    Person,
)
from emporion.services.user.ports.stores import Reachable


class Seals(Protocol):
    """Makes what identifies a person unreadable without the key of that person, and readable.

    Every method also raises what asking for keys raises, and KeyMissing when one was lost.
    """

    async def sealed_newcomer(self, person: Person) -> Account:
        """An account that is about to be added, for being stored. Raises Unavailable."""
        ...

    async def sealed(self, person: Person) -> Account:
        """Any account, for being stored. Raises Unavailable."""
        ...

    async def sealed_name(self, user_id: UserId, name: str) -> str:
        """A new name, for being stored. Raises Unavailable."""
        ...

    async def opened(self, account: Account) -> Person:
        """Who that is. Raises Unavailable, or SealBroken when the row was tampered with."""
        ...

    async def reachable(self, found: Iterable[Reachable]) -> list[Reachable]:
        """The same, readable, without those who were erased. Raises as `opened`."""
        ...

    def forget(self, user_id: UserId) -> None:
        """Ask for the person's key again when it is needed next."""
        ...


@dataclass(frozen=True, slots=True)
class Privacy:
    """What keeps people unreadable in the database: the index of addresses, and the seals."""

    index: AddressIndex
    seals: Seals


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

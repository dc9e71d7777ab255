"""What the vault needs from outside: a store of wrapped keys, and what wraps them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.kernel.ids import UserId


class StoredKey(NamedTuple):
    """A key at rest; `wrapped` is None once it was destroyed. Instants in ms since the epoch.

    `wrapped_by` names the secret; empty: from before names were written down.
    """

    person_id: UserId
    wrapped: bytes | None
    wrapped_by: str
    made_at_ms: int
    destroyed_at_ms: int | None


class Keys(Protocol):
    """The keys, one per person. Every method raises what the transaction raises."""

    async def find(self, tx: Tx, person_ids: Sequence[UserId]) -> list[StoredKey]:
        """Those of the people that have, or had, a key."""
        ...

    async def latest(self, tx: Tx) -> StoredKey | None:
        """The key made last, of those that were not destroyed."""
        ...

    async def add(self, tx: Tx, person_id: UserId, wrapped: bytes, *, by: str, at_ms: int) -> None:
        """Store a new key, unless there is, or was, one."""
        ...

    async def destroy(self, tx: Tx, person_id: UserId, *, at_ms: int) -> None:
        """Overwrite the key, if it is there; whether or not, from now on there can be none."""
        ...

    async def wrapped_by_others(
        self, tx: Tx, by: str, *, after: str, limit: int
    ) -> list[StoredKey]:
        """At most `limit` keys that another secret than `by` wraps, past the person `after`."""
        ...

    async def replace(self, tx: Tx, before: StoredKey, wrapped: bytes, *, by: str) -> bool:
        """Store a key wrapped anew, unless it was changed or destroyed; whether it was stored."""
        ...

    async def names(self, tx: Tx) -> frozenset[str]:
        """The names of the secrets that wrap keys; how many keys there are makes no difference."""
        ...


class Wrapping(Protocol):
    """Seals keys for being stored.

    Args:
        name: of the secret that it wraps with.
    """

    name: str

    def wrap(self, person_id: UserId, key: bytes) -> bytes:
        """The key, unreadable without the shop's secret, and of use for that person only."""
        ...

    def unwrap(self, person_id: UserId, wrapped: bytes) -> bytes:
        """The key again. Raises WrongPrivacyKey when it is another's, or our secrets are others."""
        ...

    def require_known(self, names: frozenset[str]) -> None:
        """Raises WrongPrivacyKey when one of the names is that of a secret which we do not have."""
        ...

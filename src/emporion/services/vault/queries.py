"""Keys are asked for."""

from collections.abc import Sequence

from emporion.chassis.data.database import Database, Tx
from emporion.kernel.ids import UserId
from emporion.services.vault.ports import Keys, StoredKey, Wrapping


class KeyQueries:
    """Point reads."""

    def __init__(self, database: Database, store: Keys, wrapping: Wrapping) -> None:
        self._database = database
        self._store = store
        self._wrapping = wrapping

    async def probe(self) -> None:
        """Readiness. Raises WrongPrivacyKey when the shop has other secrets than before."""
        self._wrapping.require_known(await self._database.read(self._store.names))
        latest = await self._database.read(self._store.latest)
        if latest is not None and latest.wrapped is not None:
            self._wrapping.unwrap(latest.person_id, latest.wrapped)

    async def keys_of(self, person_ids: Sequence[UserId]) -> dict[UserId, bytes]:
        """The keys of those who have one; empty for those whose key was destroyed."""

        async def work(tx: Tx) -> list[StoredKey]:
            return await self._store.find(tx, person_ids)

        stored = await self._database.read(work)
        return {
            key.person_id: b""
            if key.wrapped is None
            else self._wrapping.unwrap(key.person_id, key.wrapped)
            for key in stored
        }

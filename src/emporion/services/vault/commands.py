"""Keys are made, and destroyed."""

import hashlib
from typing import Final

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.vault import PersonErased
from emporion.kernel.ids import UserId
from emporion.services.vault.ports import Keys, StoredKey, Wrapping

ENTROPY_BYTES: Final = 64


class KeyCommands:
    """Both may be repeated: a person has one key in their life, and no other after it."""

    def __init__(
        self, database: Database, store: Keys, wrapping: Wrapping, *, runtime: Runtime
    ) -> None:
        self._database = database
        self._store = store
        self._wrapping = wrapping
        self._runtime = runtime

    async def make(self, person_id: UserId) -> bytes:
        """The key of a person, 64 bytes; made if there is none. Raises PersonErased."""
        fresh = hashlib.sha512(self._runtime.random.token(ENTROPY_BYTES).encode()).digest()
        wrapped = self._wrapping.wrap(person_id, fresh)
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> StoredKey:
            await self._store.add(tx, person_id, wrapped, at_ms=now_ms)
            (stored,) = await self._store.find(tx, [person_id])
            return stored

        stored = await self._database.transaction(work)
        if stored.wrapped is None:
            raise PersonErased
        return self._wrapping.unwrap(person_id, stored.wrapped)

    async def destroy(self, person_id: UserId) -> int:
        """Destroy the key of a person; when that was, the first time."""
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> int:
            await self._store.destroy(tx, person_id, at_ms=now_ms)
            (stored,) = await self._store.find(tx, [person_id])
            return stored.destroyed_at_ms or now_ms

        return await self._database.transaction(work)

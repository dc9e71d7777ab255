"""Keys are made, wrapped anew, and destroyed."""

import hashlib
import logging
from typing import Final

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.sealing.secret import WrongPrivacyKey
from emporion.contracts.vault import PersonErased
from emporion.kernel.clock import Clock
from emporion.kernel.ids import UserId
from emporion.services.vault.ports import Keys, StoredKey, Wrapping

_log = logging.getLogger(__name__)
ENTROPY_BYTES: Final = 64
BATCH: Final = 200
PAUSE_MS: Final = 3_600_000
"""Where an instance runs that has not the new secret yet, it may add more of the old."""


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
            await self._store.add(tx, person_id, wrapped, by=self._wrapping.name, at_ms=now_ms)
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


class Rewrapping:
    """Wraps with the current secret what another one wraps, a batch at a time.

    May stop and start again anywhere, and run in several instances at once: a key is replaced
    only if it still is what was read, so that a destroyed one does not come back.
    """

    def __init__(
        self, database: Database, store: Keys, wrapping: Wrapping, *, clock: Clock
    ) -> None:
        self._database = database
        self._store = store
        self._wrapping = wrapping
        self._clock = clock
        self._after = ""
        self._unreadable = 0

    async def run(self) -> int:
        """Wrap at most BATCH keys anew; the instant of the next run. Raises Unavailable."""
        after, by = self._after, self._wrapping.name
        found = await self._database.read(
            lambda tx: self._store.wrapped_by_others(tx, by, after=after, limit=BATCH)
        )
        anew = [(key, wrapped) for key in found if (wrapped := self._anew(key)) is not None]

        async def work(tx: Tx) -> int:
            return sum([await self._store.replace(tx, *each, by=by) for each in anew])

        if anew:
            number = await self._database.transaction(work)
            _log.info("%d keys of people are wrapped with the current privacy_key now", number)
        self._unreadable += len(found) - len(anew)
        now_ms = self._clock.now_ms()
        if len(found) == BATCH:
            self._after = found[-1].person_id
            return now_ms
        if self._unreadable:
            _log.error(
                "%d keys of people are wrapped with a secret that is not set", self._unreadable
            )
        self._after, self._unreadable = "", 0
        return now_ms + PAUSE_MS

    def _anew(self, key: StoredKey) -> bytes | None:
        """The key wrapped with the current secret; None where no secret of ours unwraps it."""
        if key.wrapped is None:
            return None
        try:
            return self._wrapping.wrap(
                key.person_id, self._wrapping.unwrap(key.person_id, key.wrapped)
            )
        except WrongPrivacyKey:
            return None  # counted, and told at the end of the pass

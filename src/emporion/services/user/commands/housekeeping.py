"""Deletes what has expired: sessions, and failed sign-ins that no longer count."""

from typing import Final

from emporion.chassis.data.database import Database, Tx
from emporion.kernel.clock import Clock
from emporion.services.user.ports import Stores

PAUSE_MS: Final = 3_600_000
BATCH: Final = 500


class Housekeeping:
    """Nothing depends on it but the size of the file: expired rows are refused anyway."""

    def __init__(self, database: Database, stores: Stores, clock: Clock) -> None:
        self._database = database
        self._stores = stores
        self._clock = clock

    async def sweep(self) -> int:
        """Delete at most BATCH rows of each kind; the instant of the next run."""
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> int:
            sessions = await self._stores.sessions.delete_expired(tx, now_ms, BATCH)
            attempts = await self._stores.throttle.delete_forgotten(tx, now_ms, BATCH)
            return max(sessions, attempts)

        deleted = await self._database.transaction(work)
        return now_ms if deleted == BATCH else now_ms + PAUSE_MS

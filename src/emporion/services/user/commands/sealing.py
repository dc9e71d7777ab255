"""Seals accounts from before addresses and names were sealed, a batch at a time."""

import asyncio
from dataclasses import replace
from typing import Final

from emporion.chassis.data.database import Database, Tx
from emporion.kernel.clock import Clock
from emporion.services.user.domain import Account
from emporion.services.user.ports import Privacy, Stores

BATCH: Final = 200
PAUSE_MS: Final = 3_600_000
"""Where an older version still runs beside this one, it may add more of them."""


class LateSealing:
    """May stop and start again anywhere, and run in several instances at once.

    A person has one key, so whoever seals an account writes the same; an account that changed
    meanwhile is left for the next batch.
    """

    def __init__(
        self, database: Database, stores: Stores, *, privacy: Privacy, clock: Clock
    ) -> None:
        self._database = database
        self._accounts = stores.accounts
        self._privacy = privacy
        self._clock = clock

    async def run(self) -> int:
        """Seal at most BATCH accounts; the instant of the next run. Raises Unavailable."""
        found = await self._database.read(lambda tx: self._accounts.readable(tx, BATCH))
        sealed = await asyncio.gather(*(self._sealed(account) for account in found))

        async def work(tx: Tx) -> None:
            for before, after in zip(found, sealed, strict=True):
                await self._accounts.seal(tx, before, after)

        if found:
            await self._database.transaction(work)
        now_ms = self._clock.now_ms()
        return now_ms if len(found) == BATCH else now_ms + PAUSE_MS

    async def _sealed(self, account: Account) -> Account:
        person = await self._privacy.seals.opened(account)  # whose name may be new, and sealed
        sealed = await self._privacy.seals.sealed(person)
        index = self._privacy.index
        address = index.of_stored(account.address).index
        return replace(sealed, address=address, indexed_by=index.name)

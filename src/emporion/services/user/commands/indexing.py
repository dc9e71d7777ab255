"""Indexes addresses anew when the secret of the index changes, a batch at a time."""

import asyncio
import logging
from typing import Final

from emporion.chassis.data.database import Database, Tx, UniqueViolation
from emporion.kernel.clock import Clock
from emporion.services.user.domain import Account, EmailAddress
from emporion.services.user.ports import Privacy, Stores

_log = logging.getLogger(__name__)
BATCH: Final = 200
PAUSE_MS: Final = 3_600_000
"""Where an instance runs that has not the new secret yet, it may add more of the old."""


class LateIndexing:
    """May stop and start again anywhere, and run in several instances at once.

    Meanwhile an account is found by either index; an account that changed since it was read is
    left for the next pass.
    """

    def __init__(
        self, database: Database, stores: Stores, *, privacy: Privacy, clock: Clock
    ) -> None:
        self._database = database
        self._accounts = stores.accounts
        self._privacy = privacy
        self._clock = clock
        self._after = ""

    async def run(self) -> int:
        """Index at most BATCH accounts anew; the instant of the next run. Raises Unavailable."""
        after, by = self._after, self._privacy.index.name
        found = await self._database.read(
            lambda tx: self._accounts.indexed_by_others(tx, by, after=after, limit=BATCH)
        )
        done = await asyncio.gather(*(self._index_anew(account) for account in found))
        if any(done):
            _log.info("%d addresses are indexed with the current privacy_key now", sum(done))
        is_over = len(found) < BATCH
        self._after = "" if is_over else found[-1].user_id
        return self._clock.now_ms() + (PAUSE_MS if is_over else 0)

    async def _index_anew(self, account: Account) -> bool:
        """Whether it is done, in a transaction of its own: one that cannot be holds up no other."""
        index = self._privacy.index
        person = await self._privacy.seals.opened(account)
        address = index.of(EmailAddress.parse(person.email)).index

        async def work(tx: Tx) -> bool:
            return await self._accounts.index_anew(tx, account, address, by=index.name)

        try:
            return await self._database.transaction(work)
        except UniqueViolation:
            _log.error("%s has the address of another account", account.user_id)
            return False

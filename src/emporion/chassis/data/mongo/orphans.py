"""Ends transactions that nobody will end: the engine would keep their documents for a minute.

A transaction belongs to a session, not to a connection, so it outlives the process that began it,
and the network over which its end should have come; whatever it changed cannot be changed by
others until the engine's own limit (60 s by default). So each instance notes its sessions before
it uses them; one that keeps colliding ends all but those that it uses itself. That harms no
instance that lives: its transaction was rolled back and runs again.
"""

import logging
import secrets
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from emporion.kernel.clock import Clock

NOTES = "session"
NOTES_MAX = 1_000
DAY_MS = 86_400_000
_log = logging.getLogger(__name__)


class Orphans:
    """The sessions of all instances, noted; and which of them this one is using."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._instance = secrets.token_hex(8)
        self._noted_at_ms: dict[bytes, int] = {}
        self._used: dict[bytes, Any] = {}

    async def note(self, session: AsyncClientSession) -> None:
        """Note a session before its transaction: a round trip for a new one, and once a day.

        The driver uses its sessions again, so there are as many as transactions at a time. Raises
        PyMongoError.
        """
        id_ = session.session_id["id"]
        self._used[bytes(id_)] = id_
        now_ms = self._clock.now_ms()
        if now_ms - self._noted_at_ms.get(bytes(id_), -DAY_MS) < DAY_MS:
            return
        note = {"instance": self._instance, "noted_at_ms": now_ms}
        await self._database[NOTES].update_one({"_id": id_}, {"$set": note}, upsert=True)
        self._noted_at_ms[bytes(id_)] = now_ms

    def done(self, session: AsyncClientSession) -> None:
        """Its transaction is over, as far as this instance could tell the engine."""
        self._used.pop(bytes(session.session_id["id"]), None)

    async def prune(self) -> None:
        """Forget sessions that nobody has used for days. Raises PyMongoError."""
        old = {"noted_at_ms": {"$lt": self._clock.now_ms() - 7 * DAY_MS}}
        await self._database[NOTES].delete_many(old)

    async def end(self) -> None:
        """End what sessions have open that this instance does not use; a failure is logged."""
        try:
            others = self._database[NOTES].find({"_id": {"$nin": list(self._used.values())}})
            newest = others.sort([("noted_at_ms", -1)]).limit(NOTES_MAX)
            ids = [{"id": each["_id"]} async for each in newest]
            if ids:
                _log.warning("ending the transactions of %d sessions", len(ids))
                await self._database.command({"killSessions": ids})
        except PyMongoError as error:
            _log.warning("the transactions of others cannot be ended: %s", type(error).__name__)

"""Sagas and events in tables: one body for SQLite and PostgreSQL."""

from collections.abc import Collection, Sequence

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.chassis.events import feed
from emporion.chassis.events.inbox import json_list
from emporion.platform.audit.traffic_port import (
    Cursor,
    DeadLetter,
    Numbering,
    Published,
    StoredSaga,
)

_OPEN_SAGAS = (
    "SELECT id, name, state, step, attempts, input, last_error, started_at_ms FROM saga "
    "WHERE state IN ('running', 'compensating') AND id > ? ORDER BY id LIMIT ?"
)
_NUMBERS = "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0) FROM outbox"
_NAMED = "name IN (SELECT value FROM json_each(?))"
_PUBLISHED = (
    "SELECT position, event_id, name, key, sent_at_ms FROM outbox "  # noqa: S608 - a constant
    f"WHERE position > ? AND {_NAMED} ORDER BY position LIMIT ?"
)
_WAITING = f"SELECT count(*) FROM outbox WHERE position > ? AND {_NAMED}"  # noqa: S608 - same
_UNSENT = "SELECT count(*) FROM outbox WHERE sent_at_ms IS NULL"
_CURSORS = (
    "SELECT source, subscriber, position, generation, log, "
    "(SELECT count(*) FROM parked p WHERE p.source = c.source AND p.subscriber = c.subscriber "
    "AND status = 'waiting'), "
    "(SELECT count(*) FROM parked p WHERE p.source = c.source AND p.subscriber = c.subscriber "
    "AND status = 'dead') FROM bus_cursor c ORDER BY source, subscriber"
)
_THESE = "subscriber = ? AND event_id IN (SELECT value FROM json_each(?))"
_HANDLED = f"SELECT event_id FROM inbox WHERE {_THESE}"  # noqa: S608 - a constant
_FIRST_HANDLED = "SELECT min(event_id) FROM inbox WHERE subscriber = ?"
_SET_ASIDE = f"SELECT event_id FROM parked WHERE {_THESE}"  # noqa: S608 - a constant
_KEYS_SET_ASIDE = "SELECT key FROM parked WHERE source = ? AND name = ? AND subscriber = ? LIMIT ?"
_DEAD = (
    "SELECT subscriber, event_id, name, attempts, last_error FROM parked "
    "WHERE status = 'dead' LIMIT ?"
)


class SqlTraffic:
    """Traffic (the port) of a database of rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, table: str) -> int:
        """See Traffic.count."""
        return await self._number(f"SELECT count(*) FROM {table}")  # noqa: S608 - one of ours

    async def sagas(self) -> int:
        """See Traffic.sagas."""
        return await self.count("saga")

    async def open_sagas(self, after: str, limit: int) -> Sequence[StoredSaga]:
        """See Traffic.open_sagas."""
        return [StoredSaga(*row) for row in await self._rows(_OPEN_SAGAS, after, limit)]

    async def numbering(self) -> Numbering:
        """See Traffic.numbering. PostgreSQL's numbers are those of transactions: most are not."""
        ((events, first, last),) = await self._rows(_NUMBERS)
        is_dense = self._database.engine == "sqlite"
        return Numbering(events, last - first + 1 - events if is_dense else None)

    async def published(
        self, after: int, names: Collection[str], limit: int
    ) -> Sequence[Published]:
        """See Traffic.published."""
        rows = await self._rows(_PUBLISHED, after, json_list(names), limit)
        return [Published(*row) for row in rows]

    async def waiting(self, after: int, names: Collection[str]) -> int:
        """See Traffic.waiting. In stretches where numbers are dense, as a shop in use does."""
        if self._database.engine == "sqlite":
            return (await feed.waiting(self._database, after, names)).number
        return await self._number(_WAITING, after, json_list(names))

    async def unsent(self) -> int:
        """See Traffic.unsent."""
        return await self._number(_UNSENT)

    async def cursors(self) -> Sequence[Cursor]:
        """See Traffic.cursors."""
        return [Cursor(*row) for row in await self._rows(_CURSORS)]

    async def handled(self, label: str, event_ids: Sequence[str]) -> set[str]:
        """See Traffic.handled."""
        return {row[0] for row in await self._rows(_HANDLED, label, json_list(event_ids))}

    async def first_handled(self, label: str) -> str:
        """See Traffic.first_handled."""
        ((first,),) = await self._rows(_FIRST_HANDLED, label)
        return first or ""

    async def set_aside(self, subscriber: str, event_ids: Sequence[str]) -> set[str]:
        """See Traffic.set_aside."""
        return {row[0] for row in await self._rows(_SET_ASIDE, subscriber, json_list(event_ids))}

    async def keys_set_aside(self, cursor: Cursor, name: str, limit: int) -> Sequence[str]:
        """See Traffic.keys_set_aside."""
        ends = (cursor.source, name, cursor.subscriber)
        return [row[0] for row in await self._rows(_KEYS_SET_ASIDE, *ends, limit)]

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """See Traffic.dead_letters."""
        return [DeadLetter(*row) for row in await self._rows(_DEAD, limit)]

    async def _number(self, sql: str, *args: Value) -> int:
        return int((await self._rows(sql, *args))[0][0])

    async def _rows(self, sql: str, *args: Value) -> Sequence[Row]:
        async def work(tx: Tx) -> Sequence[Row]:
            return await tx.fetch(sql, *args)

        return await self._database.read(work)

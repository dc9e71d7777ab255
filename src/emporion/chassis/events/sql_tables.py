"""What a database of rows keeps of events: the outbox as a queue, the lease, and the rest as it is.

One SQL body for SQLite and PostgreSQL, but for reading what is unsent: SQLite has one writer, so
that everything up to `floor` was sent once and for all; in PostgreSQL a smaller position can become
visible later, so there an index finds the rows and a snapshot's horizon holds back the newest.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.events import desk
from emporion.chassis.events.desk import Desk
from emporion.chassis.events.feed import Feed
from emporion.chassis.events.inbox import Inbox, json_list
from emporion.chassis.events.tables import (
    EventTables,
    HasEventTables,
    Row,
    Unsent,
)

T = TypeVar("T")
CHUNK = 1_000
WAITING_MAX = 100_000

COLUMNS = "SELECT position, event_id, name, key, occurred_at_ms, payload FROM outbox "
OTHER_KEYS = "AND key NOT IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT ?"
ABOVE_FLOOR = "position > coalesce((SELECT floor FROM relay WHERE name = 'events'), 0) "
UNSENT = f"{COLUMNS} WHERE sent_at_ms IS NULL AND {ABOVE_FLOOR} {OTHER_KEYS}"
UNSENT_POSTGRES = (
    f"{COLUMNS} WHERE sent_at_ms IS NULL AND xid < pg_snapshot_xmin(pg_current_snapshot()) "
    f"{OTHER_KEYS}"
)
HIDDEN_POSTGRES = (
    "SELECT 1 FROM outbox WHERE sent_at_ms IS NULL "
    "AND xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1"
)
MARK = (
    "UPDATE outbox SET sent_at_ms = ? WHERE position IN "
    "(SELECT CAST(value AS bigint) FROM json_each(?))"
)
RAISE_FLOOR = (
    "UPDATE relay SET floor = coalesce((SELECT min(position) - 1 FROM outbox "
    "WHERE position > relay.floor AND sent_at_ms IS NULL), "
    "(SELECT max(position) FROM outbox), 0) WHERE name = 'events'"
)
LOG = "SELECT log FROM relay WHERE name = 'events'"
FIRST_LOG = (
    "INSERT INTO relay (name, owner, until_ms, floor, log) VALUES ('events', '', 0, 0, '') "
    "ON CONFLICT DO NOTHING"
)
BEGIN = "UPDATE relay SET log = ?, floor = 0 WHERE name = 'events'"
FORGET = (
    "UPDATE outbox SET sent_at_ms = NULL WHERE position IN (SELECT position FROM outbox "
    "WHERE sent_at_ms IS NOT NULL AND position > ? ORDER BY position LIMIT ?) RETURNING position"
)
LOWER_FLOOR = "UPDATE relay SET floor = 0 WHERE name = 'events'"
SENT = f"{COLUMNS} WHERE sent_at_ms IS NOT NULL AND position > ? ORDER BY position LIMIT ?"
WAITING = (
    "SELECT count(*), min(occurred_at_ms) FROM (SELECT occurred_at_ms FROM outbox "
    "WHERE sent_at_ms IS NULL AND position > "
    "coalesce((SELECT floor FROM relay WHERE name = 'events'), 0) LIMIT ?) AS unsent"
)
PRUNE = (
    "DELETE FROM outbox WHERE position IN (SELECT position FROM outbox WHERE position <= ? "
    "AND sent_at_ms < ? ORDER BY position LIMIT ?)"
)
TAKE = (
    "INSERT INTO relay (name, owner, until_ms, floor, log) VALUES ('events', ?1, ?2, 0, '') "
    "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms "
    "WHERE relay.owner = ?1 OR relay.until_ms <= ?3"
)
GIVE_UP = "UPDATE relay SET owner = '', until_ms = 0 WHERE name = 'events' AND owner = ?"


class SqlOutboxQueue:
    """OutboxQueue (the port) on the table `outbox`."""

    def __init__(self, database: Database, *, has_horizon: bool) -> None:
        self._database = database
        self._has_horizon = has_horizon
        self._log = Feed("", database, buffer_max=0)

    async def unsent(self, *, limit: int, held: Sequence[str]) -> Unsent:
        """See OutboxQueue.unsent."""
        sql = UNSENT_POSTGRES if self._has_horizon else UNSENT

        async def read(tx: Tx) -> Unsent:
            rows = [Row(*row) for row in await tx.fetch(sql, json_list(held), limit)]
            is_hidden = self._has_horizon and await tx.fetch_one(HIDDEN_POSTGRES) is not None
            return Unsent(rows, is_more_soon=is_hidden)

        return await self._database.read(read)

    async def mark_sent(self, positions: Sequence[int], *, now_ms: int) -> None:
        """See OutboxQueue.mark_sent."""

        async def mark(tx: Tx) -> None:
            await tx.execute(MARK, now_ms, json_list(str(each) for each in positions))
            if not self._has_horizon:
                await tx.execute(RAISE_FLOOR)

        await self._database.transaction(mark)

    async def begin(self, log: str) -> None:
        """See OutboxQueue.begin."""
        row = await self._database.read(lambda tx: tx.fetch_one(LOG))
        if row is not None and row[0] == log:
            return
        if row is not None and row[0]:
            await self._forget(after=0)

        async def note(tx: Tx) -> None:
            await tx.execute(FIRST_LOG)
            await tx.execute(BEGIN, log)

        await self._database.transaction(note)

    async def resend(self, *, since_ms: int) -> int:
        """See OutboxQueue.resend."""
        return await self._forget(after=await self._log.before(since_ms))

    async def _forget(self, *, after: int) -> int:
        total = 0
        while True:

            async def forget(tx: Tx, after: int = after) -> list[int]:
                await tx.execute(LOWER_FLOOR)
                return [row[0] for row in await tx.fetch(FORGET, after, CHUNK)]

            found = await self._database.transaction(forget)
            total += len(found)
            if len(found) < CHUNK:
                return total
            after = max(found)

    async def sent_since(self, since_ms: int, *, after: int, limit: int) -> Sequence[Row]:
        """See OutboxQueue.sent_since."""
        start = max(after, await self._log.before(since_ms))
        rows = await self._database.read(lambda tx: tx.fetch(SENT, start, limit))
        return [Row(*row) for row in rows]

    async def waiting(self) -> tuple[int, int | None]:
        """See OutboxQueue.waiting."""
        row = await self._database.read(lambda tx: tx.fetch_one(WAITING, WAITING_MAX))
        return (int(row[0]), row[1]) if row else (0, None)

    async def prune(self, *, before_ms: int, sent_before_ms: int) -> int:
        """See OutboxQueue.prune."""
        last = min(await self._log.before(before_ms), await self._log.head() - 1)
        total = 0
        while True:
            changed = await _transact(
                self._database, lambda tx: tx.execute(PRUNE, last, sent_before_ms, CHUNK)
            )
            total += changed
            if changed < CHUNK:
                return total


class SqlLease:
    """ServiceLease (the port) on the table `relay`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, owner: str, *, now_ms: int, until_ms: int) -> bool:
        """See ServiceLease.take."""
        return bool(
            await _transact(self._database, lambda tx: tx.execute(TAKE, owner, until_ms, now_ms))
        )

    async def give_up(self, owner: str) -> None:
        """See ServiceLease.give_up."""
        await _transact(self._database, lambda tx: tx.execute(GIVE_UP, owner))


class SqlEventTables:
    """EventTables (the port) of a database of rows.

    `has_horizon`: writers commit side by side, as in PostgreSQL.
    """

    def __init__(self, database: Database, *, has_horizon: bool) -> None:
        self._database = database
        self._has_horizon = has_horizon

    def inbox(self, source: str, subscriber: str) -> Inbox:
        """See EventTables.inbox."""
        return Inbox(source, subscriber)

    def desk(self, subscriber: str) -> Desk:
        """See EventTables.desk."""
        return Desk(subscriber, self._database)

    def outbox(self) -> SqlOutboxQueue:
        """See EventTables.outbox."""
        return SqlOutboxQueue(self._database, has_horizon=self._has_horizon)

    def lease(self) -> SqlLease:
        """See EventTables.lease."""
        return SqlLease(self._database)

    async def prune_inbox(self, *, before_ms: int) -> int:
        """See EventTables.prune_inbox."""
        return await desk.prune_inbox(self._database, before_ms=before_ms)


def event_tables(database: Database) -> EventTables:
    """What a database keeps of events: its own ports, or tables."""
    if isinstance(database, HasEventTables):
        return database.event_tables()
    return SqlEventTables(database, has_horizon=database.engine != "sqlite")


async def _transact(database: Database, work: Callable[[Tx], Awaitable[T]]) -> T:
    return await database.transaction(work)

"""The operator's side of parked events: list, count, redrive, and prune what is past its time."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.bus import Parked, ParkedPage, ParkedStatus
from emporion.chassis.events.inbox import json_list
from emporion.kernel import ids
from emporion.kernel.ids import EVENT

CHUNK = 1_000
PAGE_MAX = 500

LIST = (
    "SELECT source, event_id, name, key, occurred_at_ms, status, attempts, first_failed_at_ms, "
    "next_at_ms, last_error FROM parked WHERE subscriber = ? AND status = ? AND event_id > ? "
    "ORDER BY event_id LIMIT ?"
)
COUNT = (
    "SELECT (SELECT count(*) FROM parked WHERE subscriber = ?1 AND source = ?2 "
    "AND status = 'waiting'), (SELECT count(*) FROM parked WHERE subscriber = ?1 "
    "AND source = ?2 AND status = 'dead')"
)
REDRIVE = (
    "UPDATE parked SET status = 'waiting', attempts = 0, first_failed_at_ms = ?1, "
    "next_at_ms = ?1 WHERE subscriber = ?2 AND event_id IN (SELECT event_id FROM parked "
    "WHERE subscriber = ?2 AND (status = 'dead' OR next_at_ms > ?1) "
    "AND (event_id IN (SELECT value FROM json_each(?3)) OR ?3 IS NULL) "
    "AND (name = ?4 OR ?4 IS NULL) LIMIT ?5)"
)
PRUNE_OUTBOX = (
    "DELETE FROM outbox WHERE position IN "
    "(SELECT position FROM outbox WHERE position < ? ORDER BY position LIMIT ?)"
)
NEXT_LABEL = "SELECT min(subscriber) FROM inbox WHERE subscriber > ?"
PRUNE_INBOX = (
    "DELETE FROM inbox WHERE subscriber = ?1 AND event_id IN (SELECT event_id FROM inbox "
    "WHERE subscriber = ?1 AND event_id < ?2 ORDER BY event_id LIMIT ?3)"
)


class Desk:
    """What an operator can do about one subscriber's parked events.

    Its methods raise what the database raises.
    """

    def __init__(self, subscriber: str, database: Database) -> None:
        self._subscriber = subscriber
        self._database = database

    async def page(self, *, status: ParkedStatus, limit: int, cursor: str) -> ParkedPage:
        """A page of its parked events, oldest first."""
        size = max(1, min(limit, PAGE_MAX))

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(LIST, self._subscriber, status.value, cursor, size + 1)

        rows = await self._database.read(read)
        events = tuple(_parked(self._subscriber, row) for row in rows[:size])
        return ParkedPage(events, events[-1].event_id if len(rows) > size else "")

    async def count(self, source: str) -> tuple[int, int]:
        """How many events of a publisher wait, and how many are dead."""

        async def read(tx: Tx) -> tuple[int, int]:
            row = await tx.fetch_one(COUNT, self._subscriber, source)
            return (int(row[0]), int(row[1])) if row else (0, 0)

        return await self._database.read(read)

    async def redrive(
        self, *, now_ms: int, event_ids: Sequence[str] | None, name: str | None
    ) -> int:
        """Make dead letters wait again and all of them due now; how many, in bounded chunks."""
        ids = None if event_ids is None else json_list(event_ids)

        async def work(tx: Tx) -> int:
            return await tx.execute(REDRIVE, now_ms, self._subscriber, ids, name, CHUNK)

        return await _repeated(self._database, work)


async def prune_outbox(database: Database, *, below: int) -> int:
    """Delete the events before a position; how many.

    `below` is at most the newest position: that row stays, so that no position is given twice.
    """

    async def work(tx: Tx) -> int:
        return await tx.execute(PRUNE_OUTBOX, below, CHUNK)

    return await _repeated(database, work)


async def prune_inbox(database: Database, *, before_ms: int) -> int:
    """Forget that events published before an instant were handled; how many.

    Event ids begin with the instant at which they were made, so that none must be looked up.
    """
    deleted, label = 0, ""
    while True:
        row = await database.read(partial(_next_label, label))
        if row is None or row[0] is None:
            return deleted
        label = str(row[0])
        deleted += await _repeated(database, partial(_prune_label, label, first_id_at(before_ms)))


async def _next_label(label: str, tx: Tx) -> Row | None:
    return await tx.fetch_one(NEXT_LABEL, label)


async def _prune_label(label: str, first_id: str, tx: Tx) -> int:
    return await tx.execute(PRUNE_INBOX, label, first_id, CHUNK)


def first_id_at(instant_ms: int) -> str:
    """What every event id made from that instant on is greater than."""
    return ids.first_id_at(EVENT, instant_ms)


async def _repeated(database: Database, work: Callable[[Tx], Awaitable[int]]) -> int:
    """Run a bounded statement until it has nothing left to change."""
    total = 0
    while True:
        changed = await database.transaction(work)
        total += changed
        if changed < CHUNK:
            return total


def _parked(subscriber: str, row: Row) -> Parked:
    source, event_id, name, key, occurred_at_ms, status, *rest = row
    attempts, first_failed_at_ms, next_at_ms, last_error = rest
    return Parked(
        subscriber=subscriber,
        source=source,
        event_id=event_id,
        name=name,
        key=key,
        occurred_at_ms=occurred_at_ms,
        status=ParkedStatus(status),
        attempts=attempts,
        first_failed_at_ms=first_failed_at_ms,
        next_at_ms=next_at_ms,
        last_error=last_error,
    )

"""The subscriber's side of a delivery: inbox, cursor and parked events, in its own database.

Each function runs in the transaction of the reactions it belongs to.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from emporion.chassis.data.database import Row, Tx, Value
from emporion.chassis.events.reactions import Item
from emporion.kernel.addresses import without_addresses

ERROR_LENGTH_MAX = 500

JOIN = (
    "INSERT INTO bus_cursor (source, subscriber, position, generation, is_paused, updated_at_ms, "
    "log) VALUES (?, ?, 0, 1, 0, ?, ?) ON CONFLICT DO NOTHING"
)
STATE = (
    "SELECT position, generation, is_paused, log, "
    "(SELECT min(next_at_ms) FROM parked WHERE parked.subscriber = bus_cursor.subscriber "
    "AND parked.source = bus_cursor.source AND next_at_ms IS NOT NULL) "
    "FROM bus_cursor WHERE source = ? AND subscriber = ?"
)
ADVANCE = (
    "UPDATE bus_cursor SET position = ?, updated_at_ms = ? "
    "WHERE source = ? AND subscriber = ? AND generation = ? AND position = ? AND is_paused = 0"
)
MOVE = (
    "UPDATE bus_cursor SET position = ?, log = ?, updated_at_ms = ? "
    "WHERE source = ? AND subscriber = ? AND generation = ? AND position = ? AND log = ?"
)
PAUSE = "UPDATE bus_cursor SET is_paused = ?, updated_at_ms = ? WHERE source = ? AND subscriber = ?"
REWIND = (
    "UPDATE bus_cursor SET position = ?, generation = generation + 1, updated_at_ms = ? "
    "WHERE source = ? AND subscriber = ?"
)
NEWEST = "SELECT max(event_id) FROM inbox WHERE subscriber = ?"
CLAIM_NEW = (
    "INSERT INTO inbox (subscriber, event_id, handled_at_ms) SELECT ?, value, ? FROM json_each(?)"
)
# One statement for a batch; `WHERE true` parts the upsert clause from a join's.
CLAIM = (
    "INSERT INTO inbox (subscriber, event_id, handled_at_ms) "
    "SELECT ?, value, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING RETURNING event_id"
)
BLOCKED = (
    "SELECT DISTINCT key FROM parked WHERE subscriber = ? AND source = ? AND status = 'waiting' "
    "AND key IN (SELECT value FROM json_each(?))"
)
PARK = (
    "INSERT INTO parked (subscriber, source, position, event_id, name, key, occurred_at_ms, "
    "payload, status, attempts, first_failed_at_ms, next_at_ms, last_error) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
UNPARK = "DELETE FROM parked WHERE subscriber = ? AND event_id = ?"
UNPARK_AFTER = "DELETE FROM parked WHERE subscriber = ? AND source = ? AND position > ?"
POSTPONE = (
    "UPDATE parked SET attempts = attempts + 1, next_at_ms = ?, last_error = ?, "
    "first_failed_at_ms = coalesce(first_failed_at_ms, ?) WHERE subscriber = ? AND event_id = ?"
)
BURY = (
    "UPDATE parked SET status = 'dead', attempts = attempts + 1, next_at_ms = NULL, "
    "last_error = ? WHERE subscriber = ? AND event_id = ?"
)
# The next event of a key whose first one is done or dead becomes due.
PROMOTE = (
    "UPDATE parked SET next_at_ms = ?1, first_failed_at_ms = ?1 "
    "WHERE subscriber = ?2 AND source = ?3 AND key = ?4 AND status = 'waiting' "
    "AND next_at_ms IS NULL AND position = "
    "(SELECT min(position) FROM parked "
    "WHERE subscriber = ?2 AND source = ?3 AND key = ?4 AND status = 'waiting')"
)
NEXT_DUE = (
    "SELECT min(next_at_ms) FROM parked WHERE subscriber = ? AND source = ? "
    "AND next_at_ms IS NOT NULL"
)
DUE_KEYS = (
    "SELECT DISTINCT key FROM (SELECT key FROM parked WHERE subscriber = ? AND source = ? "
    "AND next_at_ms <= ? ORDER BY next_at_ms LIMIT ?) AS due"
)
DUE = (
    "SELECT position, event_id, name, key, occurred_at_ms, payload, attempts, first_failed_at_ms "
    "FROM parked WHERE subscriber = ? AND source = ? AND status = 'waiting' AND key = ? "
    "ORDER BY position LIMIT ?"
)


class State(NamedTuple):
    """Where a subscriber stands with a publisher. `next_due_ms` None: nothing is parked."""

    position: int
    generation: int
    is_paused: bool
    next_due_ms: int | None
    log: str = ""


class Failure(NamedTuple):
    """The event that failed, why, and when to try again; None: never, it is dead."""

    item: Item
    error: str
    next_at_ms: int | None


class CursorMoved(Exception):
    """Somebody else moved the cursor (a replay, another pump): nothing was done, load it again."""


class Inbox:
    """The inbox of one subscriber for one publisher.

    Every method raises what Tx raises.
    """

    def __init__(self, source: str, subscriber: str) -> None:
        self.source = source
        self.subscriber = subscriber
        self._ends = (subscriber, source)

    async def join(self, tx: Tx, *, now_ms: int, log: str = "") -> None:
        """A new subscriber stands at the beginning; one that is known, where it stood."""
        await tx.execute(JOIN, self.source, self.subscriber, now_ms, log)

    async def state(self, tx: Tx) -> State | None:
        """Where it stands; None: it never joined."""
        row = await tx.fetch_one(STATE, self.source, self.subscriber)
        if row is None:
            return None
        position, generation, is_paused, log, next_due_ms = row
        return State(position, generation, bool(is_paused), next_due_ms, log)

    async def pause(self, tx: Tx, *, is_paused: bool, now_ms: int) -> None:
        """Note whether the subscriber is paused, so that a restart knows."""
        await tx.execute(PAUSE, int(is_paused), now_ms, self.source, self.subscriber)

    async def rewind(self, tx: Tx, *, position: int, sequence: int, now_ms: int) -> None:
        """Go back (or forth) to a position as a new generation, which has handled nothing yet.

        Events set aside leave when the publisher's number of them is above `sequence`: the log
        delivers them again.
        """
        await tx.execute(REWIND, position, now_ms, self.source, self.subscriber)
        await tx.execute(UNPARK_AFTER, *self._ends, sequence)

    async def claim(
        self, tx: Tx, items: Sequence[Item], *, generation: int, now_ms: int
    ) -> set[str]:
        """Write the inbox rows of a batch; the ids that were not there yet.

        Event ids rise with time. When all of them are above the newest that was handled, none
        can have been, and nobody need look for each of them.
        """
        label = self.subscriber if generation == 1 else f"{self.subscriber}#{generation}"
        given = [item.event_id for item in items]
        ids, told = set(given), json_list(given)
        newest = await tx.fetch_one(NEWEST, label)
        is_all_new = newest is None or newest[0] is None or newest[0] < min(given)
        if is_all_new and len(ids) == len(items):
            await tx.execute(CLAIM_NEW, label, now_ms, told)
            return ids
        return {row[0] for row in await tx.fetch(CLAIM, label, now_ms, told)}

    async def blocked(self, tx: Tx, items: Sequence[Item]) -> set[str]:
        """The keys of a batch that have an event waiting."""
        keys = json_list({item.key for item in items})
        return {row[0] for row in await tx.fetch(BLOCKED, *self._ends, keys)}

    async def advance(
        self, tx: Tx, *, generation: int, before: int, after: int, now_ms: int
    ) -> None:
        """Move the cursor on.

        Raises CursorMoved when it is not where this pump left it, or was paused elsewhere.
        """
        ends = (self.source, self.subscriber)
        if not await tx.execute(ADVANCE, after, now_ms, *ends, generation, before):
            raise CursorMoved

    async def move(self, tx: Tx, state: State, *, position: int, log: str, now_ms: int) -> None:
        """Put the cursor elsewhere, perhaps in another log. Raises CursorMoved as `advance`."""
        ends = (self.source, self.subscriber)
        was = (state.generation, state.position, state.log)
        if not await tx.execute(MOVE, position, log, now_ms, *ends, *was):
            raise CursorMoved

    async def park(
        self, tx: Tx, items: Iterable[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """Set events aside to queue behind others of their key, and the one that failed."""
        rows: list[tuple[Value, ...]] = [
            (*self._ends, *_columns(item), 0, None, None, "") for item in items
        ]
        if failure is not None:
            rows.append(
                (*self._ends, *_columns(failure.item), 1, now_ms, failure.next_at_ms, failure.error)
            )
        if rows:
            await tx.execute_many(PARK, rows)

    async def due(self, tx: Tx, *, now_ms: int, limit: int) -> list[Item]:
        """The events due again, each followed by those that queue behind it, key by key."""
        items: list[Item] = []
        for (key,) in await tx.fetch(DUE_KEYS, *self._ends, now_ms, limit):
            if len(items) >= limit:
                break
            rows = await tx.fetch(DUE, *self._ends, key, limit - len(items))
            items += [Item(*row) for row in rows]
        return items

    async def settle(
        self, tx: Tx, done: Sequence[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """Close the books on retried events: `done` leave, the failed one waits or dies."""
        await tx.execute_many(UNPARK, [(self.subscriber, item.event_id) for item in done])
        keys = {item.key for item in done}
        if failure is not None:
            failed, error, due_ms = failure
            if due_ms is None:
                await tx.execute(BURY, error, self.subscriber, failed.event_id)
                keys.add(failed.key)
            else:
                event = (self.subscriber, failed.event_id)
                await tx.execute(POSTPONE, due_ms, error, now_ms, *event)
                keys.discard(failed.key)
        await tx.execute_many(PROMOTE, [(now_ms, *self._ends, key) for key in keys])

    async def next_due(self, tx: Tx) -> int | None:
        """When the next parked event is due; None: nothing is parked."""
        row: Row | None = await tx.fetch_one(NEXT_DUE, *self._ends)
        return int(row[0]) if row and row[0] is not None else None


def json_list(words: Iterable[str]) -> str:
    """Any number of parameters as one: `IN (SELECT value FROM json_each(?))`."""
    return msgspec.json.encode(list(words)).decode()


def error_text(error: Exception) -> str:
    """What an operator reads beside a parked event."""
    return without_addresses(f"{type(error).__name__}: {error}")[:ERROR_LENGTH_MAX]


def _columns(item: Item) -> tuple[int, str, str, str, int, bytes]:
    return (
        item.sequence,
        item.event_id,
        item.name,
        item.key,
        item.occurred_at_ms,
        item.payload,
    )

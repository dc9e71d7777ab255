"""Reads a publisher's outbox as a log, once for all its subscribers in this process.

Reading it by position is safe here and only here: SQLite has one writer, so positions become
visible in the order in which they were given. Where writers commit concurrently (PostgreSQL), a
smaller position can become visible after a larger one, and a cursor would pass it by for ever;
there the outbox is a queue whose rows are claimed, never a log with a cursor.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, NamedTuple

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.chassis.events.reactions import Item

AFTER = (
    "SELECT position, event_id, name, key, occurred_at_ms, payload FROM outbox "
    "WHERE position > ? ORDER BY position LIMIT ?"
)
HEAD = "SELECT max(position) FROM outbox"
FIRST_AFTER = (
    "SELECT position, occurred_at_ms FROM outbox WHERE position > ? ORDER BY position LIMIT 1"
)
COUNT = "SELECT count(*), min(occurred_at_ms) FROM outbox WHERE position > ? AND position <= ?"
COUNT_SPAN = 2_000
"""Rows that one read looks at: some milliseconds, in which a process does nothing else."""
WAITING_MAX: Final = 10_000
LOOKED_AT_MAX: Final = 50_000
"""Where counting ends that is only to tell how much waits, by what was found and looked at."""


class Waiting(NamedTuple):
    """How many events wait, and when the oldest was published (ms since the epoch).

    `is_more`: counting ended before the log did, so that there are at least so many.
    """

    number: int
    oldest_at_ms: int | None
    is_more: bool = False


async def waiting(database: Database, position: int, names: Collection[str]) -> Waiting:
    """What of these names follows `position`, to the last one.

    Raises what Database.read raises.
    """
    count = _Count(database, position, names, head=await _head(database))
    while count.is_unfinished:
        await count.go_on()
    return Waiting(count.number, count.oldest_at_ms)


async def waiting_about(
    database: Database,
    position: int,
    names: Collection[str],
    *,
    rest: Callable[[], Awaitable[None]],
) -> Waiting:
    """What of these names follows `position`, up to WAITING_MAX of them, among LOOKED_AT_MAX.

    Rests between two reads, so that a process that serves is not held up. Raises what
    Database.read and `rest` raise.
    """
    count = _Count(database, position, names, head=await _head(database))
    end = position + LOOKED_AT_MAX
    while count.is_unfinished and count.number <= WAITING_MAX and count.position < end:
        await count.go_on()
        await rest()
    is_more = count.is_unfinished or count.number > WAITING_MAX
    return Waiting(min(count.number, WAITING_MAX), count.oldest_at_ms, is_more)


class _Count:
    """Counts in stretches of COUNT_SPAN, so that no read runs long."""

    def __init__(
        self, database: Database, position: int, names: Collection[str], *, head: int
    ) -> None:
        self.number = 0
        self.oldest_at_ms: int | None = None
        self.position = position
        self._database = database
        self._head = head
        self._names = names
        self._sql = f"{COUNT} AND name IN ({', '.join('?' * len(names))})"

    @property
    def is_unfinished(self) -> bool:
        return self.position < self._head and bool(self._names)

    async def go_on(self) -> None:
        until = min(self.position + COUNT_SPAN, self._head)
        asked = _fetching(self._sql, self.position, until, *self._names)
        (row,) = await self._database.read(asked)
        self.number += row[0]
        self.oldest_at_ms = row[1] if self.oldest_at_ms is None else self.oldest_at_ms
        self.position = until


def _fetching(sql: str, *args: Value) -> Callable[[Tx], Awaitable[list[Row]]]:
    return lambda tx: tx.fetch(sql, *args)


async def _head(database: Database) -> int:
    rows = await database.read(_fetching(HEAD))
    return int(rows[0][0] or 0)


class Feed:
    """The log of one publisher, with its newest part in memory.

    Its methods raise what Database.read raises.
    """

    def __init__(self, source: str, database: Database, *, buffer_max: int) -> None:
        self.source = source
        self.database = database
        self._buffer_max = buffer_max
        self._items: list[Item] = []
        self._positions: list[int] = []
        self._may_have_more = True

    async def identity(self) -> str:
        """See Log.identity: the outbox itself."""
        return ""

    def ring(self) -> None:
        """Something was published, or may have been."""
        self._may_have_more = True

    has_more = False
    """See Log.has_more."""

    def passed(self, position: int) -> None:
        """See Log.passed: the outbox keeps its rows whoever has read them."""

    async def after(self, position: int, limit: int) -> Sequence[Item]:
        """Up to `limit` events that follow `position`, oldest first; fewer only at the end."""
        positions = self._positions
        if not positions or not positions[0] - 1 <= position <= positions[-1]:
            return await self._read(position, limit)
        start = bisect_right(positions, position)
        found = self._items[start : start + limit]
        if len(found) < limit and self._may_have_more:
            found += await self._read(positions[-1], limit - len(found))
        return found

    async def _read(self, position: int, limit: int) -> list[Item]:
        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch(AFTER, position, limit)

        is_at_end = not self._positions or self._positions[-1] == position
        if is_at_end:
            self._may_have_more = False
        try:
            items = [Item(*row) for row in await self.database.read(read)]
        except BaseException:
            self._may_have_more = True
            raise
        if is_at_end and (not self._positions or self._positions[-1] == position):
            self._keep(items)
        if len(items) == limit:
            self._may_have_more = True
        return items

    def _keep(self, items: list[Item]) -> None:
        self._items += items
        self._positions += [item.position for item in items]
        excess = len(self._items) - self._buffer_max
        if excess > 0:
            del self._items[:excess]
            del self._positions[:excess]

    def forget(self) -> None:
        """Empty the memory: the log is not the one that was read."""
        self._items.clear()
        self._positions.clear()

    async def head(self) -> int:
        """The newest position; 0 when nothing was ever published."""
        return await _head(self.database)

    async def first_after(self, position: int) -> tuple[int, int] | None:
        """(position, occurred_at_ms) of the oldest event that follows `position`, or None."""

        async def read(tx: Tx) -> Row | None:
            return await tx.fetch_one(FIRST_AFTER, position)

        row = await self.database.read(read)
        return (int(row[0]), int(row[1])) if row else None

    async def before(self, instant_ms: int) -> int:
        """The last position published before `instant_ms`; 0 when there is none.

        Found by halving, as time grows with position except where the clock was set back.
        """
        low, high = 0, await self.head()
        while low < high:
            middle = (low + high) // 2
            follower = await self.first_after(middle)
            if follower is None or follower[0] > high or follower[1] >= instant_ms:
                high = middle
            else:
                low = follower[0]
        return low

"""Reads a publisher's outbox as a log, once for all its subscribers in this process.

Reading it by position is safe here and only here: SQLite has one writer, so positions become
visible in the order in which they were given. Where writers commit concurrently (PostgreSQL), a
smaller position can become visible after a larger one, and a cursor would pass it by for ever;
there the outbox is a queue whose rows are claimed, never a log with a cursor.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Sequence

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
COUNT_SPAN = 20_000


async def waiting(
    database: Database, position: int, names: Collection[str]
) -> tuple[int, int | None]:
    """How many events of these names follow `position`, and when the oldest was published (ms).

    Counted in stretches of COUNT_SPAN, so that no read runs long. Raises what Database.read
    raises.
    """
    marks = ", ".join("?" * len(names))
    sql = f"{COUNT} AND name IN ({marks})"
    head = await _head(database)
    number, oldest_at_ms = 0, None
    while position < head and names:
        until = min(position + COUNT_SPAN, head)
        (row,) = await database.read(_fetching(sql, position, until, *names))
        number += row[0]
        oldest_at_ms = row[1] if oldest_at_ms is None else oldest_at_ms
        position = until
    return number, oldest_at_ms


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

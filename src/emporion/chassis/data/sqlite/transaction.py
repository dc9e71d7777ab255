"""A transaction on SQLite: coroutines that never suspend, driven by whoever owns the connection."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

import apsw

from emporion.chassis.calls.context import NO_TRACE, current_call
from emporion.chassis.data.database import Row, Tx, Value
from emporion.chassis.data.sqlite.connection import named
from emporion.chassis.events import outbox
from emporion.contracts.contract import Event
from emporion.kernel.clock import Clock
from emporion.kernel.errors import Internal
from emporion.kernel.ids import Ids

T = TypeVar("T")


class SqliteTx:
    """Tx over one connection. Counts what it wrote, so that a clean failure costs no rollback."""

    __slots__ = (
        "_changes",
        "_clock",
        "_connection",
        "_execute",
        "_ids",
        "_many",
        "_rows",
        "_source",
        "changes_so_far",
        "published",
    )

    def __init__(self, connection: apsw.Connection, source: str, *, clock: Clock, ids: Ids) -> None:
        cursor = connection.cursor()
        self._connection = connection
        self._execute = cursor.execute
        self._many = cursor.executemany
        self._rows = cursor.fetchall
        self._changes = connection.changes
        self.changes_so_far = connection.total_changes
        """How many rows this connection has ever changed: the engine's own function."""
        self._source = source
        self._clock = clock
        self._ids = ids
        self.published = 0

    def is_open(self) -> bool:
        """Whether a transaction is open on the connection."""
        return self._connection.in_transaction

    def control(self, sql: str) -> None:
        """Run BEGIN, COMMIT, SAVEPOINT and the like."""
        self._execute(sql)

    async def execute(self, sql: str, *args: Value) -> int:
        """Run a statement; the number of rows it changed."""
        try:
            self._execute(sql, args)
        except apsw.Error as error:
            raise named(error) from error
        return self._changes()

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each row."""
        try:
            self._many(sql, cast("Sequence[tuple[Value, ...]]", rows))
        except apsw.Error as error:
            raise named(error) from error

    async def execute_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        """See Tx.execute_each."""
        return [await self.execute(sql, *row) for row in rows]

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """All rows of a bounded query."""
        try:
            self._execute(sql, args)
            return self._rows()
        except apsw.Error as error:
            raise named(error) from error

    async def fetch_one(self, sql: str, *args: Value) -> Row | None:
        """The first row, or None."""
        try:
            self._execute(sql, args)
            rows = self._rows()
        except apsw.Error as error:
            raise named(error) from error
        return rows[0] if rows else None

    async def lock(self, name: str) -> None:
        """See Tx.lock: the file has one writer."""

    async def publish(self, event: Event) -> None:
        """Write an integration event to the outbox of this database."""
        row = self._outbox_rows((event,))[0]
        try:
            self._execute(outbox.INSERT, row)
        except apsw.Error as error:
            raise named(error) from error
        self.published += 1

    async def publish_many(self, events: Sequence[Event]) -> None:
        """Write integration events to the outbox of this database."""
        await self.execute_many(outbox.INSERT, self._outbox_rows(events))
        self.published += len(events)

    def _outbox_rows(self, events: Sequence[Event]) -> list[outbox.OutboxRow]:
        trace = current_call().trace
        traceparent = "" if trace is NO_TRACE else trace.header()
        now_ms = self._clock.now_ms()
        return [
            outbox.row(
                event, source=self._source, ids=self._ids, now_ms=now_ms, traceparent=traceparent
            )
            for event in events
        ]


def drive(work: Callable[[Tx], Awaitable[T]], tx: Tx) -> T:
    """Run `work(tx)` to its end on this thread.

    Raises Internal when it awaits anything but the transaction, for example a network call: that
    would hold the one writer while it waits.
    """
    running = work(tx).__await__()
    try:
        next(running)
    except StopIteration as end:
        result: T = end.value
        return result
    running.close()
    raise Internal("a transaction awaited something that is not its own: nothing was written")

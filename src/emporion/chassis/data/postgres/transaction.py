"""A transaction on PostgreSQL: a coroutine that asks, driven by whoever holds the connection.

`work` does not wait for the network itself. Each statement is yielded to the driver, which runs
it and sends the answer back; so that a transaction can await nothing but itself.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextvars import Context
from enum import Enum
from typing import Any, TypeVar

from emporion.chassis.calls.context import NO_TRACE, current_call
from emporion.chassis.data.database import Row, Tx, Value
from emporion.chassis.data.postgres.dialect import translated
from emporion.chassis.events import outbox
from emporion.contracts.contract import Event
from emporion.kernel.clock import Clock
from emporion.kernel.errors import EmporionError, Internal
from emporion.kernel.ids import Ids

T = TypeVar("T")
EVENTS_PER_TRANSACTION_BITS = 20
"""A position is the number of its transaction, shifted by so many bits, and a place within it."""

PUBLISH = f"""
INSERT INTO outbox (position, event_id, name, topic, key, occurred_at_ms, payload)
VALUES (
    CAST(? AS bigint)
    + (CAST(CAST(pg_current_xact_id() AS text) AS bigint) << {EVENTS_PER_TRANSACTION_BITS}),
    ?, ?, ?, ?, ?, ?)"""  # noqa: S608 - a constant
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))"


class Verb(Enum):
    """What is wanted of a statement."""

    EXECUTE = "rows changed"
    EACH = "rows changed by each"
    MANY = "nothing"
    FETCH = "all rows"
    FETCH_ONE = "the first row"


class Ask:
    """A statement on its way to the driver; awaiting it gives the answer."""

    __slots__ = ("args", "sql", "verb")

    def __init__(self, verb: Verb, sql: str, args: Sequence[Any]) -> None:
        self.verb = verb
        self.sql = sql
        self.args = args

    def __await__(self) -> Generator["Ask", Any, Any]:
        return (yield self)


class PostgresTx:
    """Tx on one connection.

    Args:
        source: the service that publishes.
        clock, ids: for what it publishes.

    Attributes:
        failure: the first error the engine met since `begin_work`; a transaction it met one in
            is over, whatever `work` makes of it.
        writes: how many statements since then may have changed something.
        outbox: the rows of the events published since `begin`, without their position. They are
            written together before the commit, those of a whole batch in one round trip.
    """

    __slots__ = ("_clock", "_ids", "_source", "failure", "outbox", "writes")

    def __init__(self, source: str, *, clock: Clock, ids: Ids) -> None:
        self._source = source
        self._clock = clock
        self._ids = ids
        self.outbox: list[tuple[Value, ...]] = []
        self.writes = 0
        self.failure: EmporionError | None = None

    def begin(self) -> None:
        """A new transaction of the engine."""
        self.outbox = []

    def begin_work(self) -> None:
        """A new piece of work in it."""
        self.writes = 0
        self.failure = None

    async def execute(self, sql: str, *args: Value) -> int:
        """Run a statement; the number of rows it changed."""
        rows: int = await Ask(Verb.EXECUTE, sql, args)
        return rows

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each row, all in one round trip."""
        if rows:
            await Ask(Verb.MANY, sql, rows)

    async def execute_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        """See Tx.execute_each: in one round trip where the statement has a form over arrays."""
        changed: list[int] = await Ask(Verb.EACH, sql, rows) if rows else []
        return changed

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """All rows of a bounded query."""
        rows: list[Row] = await Ask(Verb.FETCH, sql, args)
        return rows

    async def fetch_one(self, sql: str, *args: Value) -> Row | None:
        """The first row, or None."""
        row: Row | None = await Ask(Verb.FETCH_ONE, sql, args)
        return row

    async def lock(self, name: str) -> None:
        """See Tx.lock. Two names may share a lock: then one waits for nothing."""
        await Ask(Verb.FETCH_ONE, _LOCK, (name,))

    async def publish(self, event: Event) -> None:
        """Write an integration event to the outbox of this database."""
        await self.publish_many((event,))

    async def publish_many(self, events: Sequence[Event]) -> None:
        """Write integration events to the outbox of this database."""
        trace = current_call().trace
        traceparent = "" if trace is NO_TRACE else trace.header()
        now_ms = self._clock.now_ms()
        self.outbox.extend(
            outbox.row(
                event, source=self._source, ids=self._ids, now_ms=now_ms, traceparent=traceparent
            )
            for event in events
        )


async def drive(
    work: Callable[[Tx], Awaitable[T]],
    tx: PostgresTx,
    answer: Callable[[Ask], Awaitable[Any]],
    *,
    context: Context,
) -> T:
    """Run `work(tx)` to its end in its context, answering what it asks.

    Raises what `work` raises, and Internal when it awaits anything but the transaction.
    """
    tx.begin_work()
    running: Any = context.run(work, tx).__await__()  # a generator, or a coroutine's like one
    step: Callable[[Any], Any] = running.send
    given: Any = None
    while True:
        try:
            ask = context.run(step, given)
        except StopIteration as end:
            result: T = end.value
            return result
        if type(ask) is not Ask:
            running.close()
            raise Internal("a transaction awaited something that is not its own; it was undone")
        try:
            given = await answer(ask)
        except EmporionError as error:
            tx.failure = tx.failure or error
            step, given = running.throw, error
        else:
            step = running.send
            tx.writes += translated(ask.sql).is_write

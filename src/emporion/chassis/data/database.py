"""The port to a service's database: transactions that can await nothing but themselves."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from emporion.contracts.contract import Event
from emporion.kernel.errors import Conflict

T = TypeVar("T")
Value = int | str | bytes | float | None
Row = tuple[Any, ...]


class UniqueViolation(Conflict):
    """A row with this key exists."""

    slug = "unique-violation"


class Tx(Protocol):
    """An open transaction. SQL uses `?` for parameters, in the dialect SQLite and PostgreSQL share.

    `(SELECT value FROM json_each(?))` reads a JSON list of texts, so that one statement takes any
    number of values. A SELECT that ends in `/* for update */` keeps its rows from being changed by
    others until this ends, where there are others: on SQLite that is a comment.

    Every method raises UniqueViolation when a constraint refuses a duplicate, Unavailable when
    the engine cannot answer; after an error the whole transaction is rolled back.
    """

    async def execute(self, sql: str, *args: Value) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run a statement once for each row."""
        ...

    async def execute_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[int]:
        """Run a statement once for each row; how many rows each changed, in that order.

        An UPDATE names a row of the table by its key: at most one is changed by each.
        """
        ...

    async def fetch(self, sql: str, *args: Value) -> list[Row]:
        """All rows of a bounded query (also `INSERT ... RETURNING`)."""
        ...

    async def fetch_one(self, sql: str, *args: Value) -> Row | None:
        """The first row, or None."""
        ...

    async def lock(self, name: str) -> None:
        """Wait for others that locked this name, and keep it until this ends.

        For what no row stands for yet: a limit on a number of rows, the first of a kind. It does
        nothing on an engine with a single writer.
        """
        ...

    async def publish(self, event: Event) -> None:
        """Write an integration event to the outbox: it leaves if, and only if, this commits."""
        ...

    async def publish_many(self, events: Sequence[Event]) -> None:
        """Write integration events to the outbox, in this order: all leave, or none."""
        ...


class Aside(Generic[T]):
    """Work that may take long, or hang: no engine does it where it would hold up other work."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Tx], Awaitable[T]]) -> None:
        self._work = work

    def __call__(self, tx: Tx) -> Awaitable[T]:
        """Do it."""
        return self._work(tx)


class InStep(Generic[T]):
    """Work whose statements may be run together with those of other such work beside it.

    Where an engine is at the other end of a network, works of one commit that ask the same
    statement ask it once, over arrays. So between two statements of one, those of others may run,
    which are undone with it or committed with it. Each guards what it changes in the statement
    that changes it, or by a unique key; a row that it changed before keeps nobody else away. An
    UPDATE names the row by its key: of one of several rows, only some might be changed.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Tx], Awaitable[T]]) -> None:
        self._work = work

    def __call__(self, tx: Tx) -> Awaitable[T]:
        """Do it."""
        return self._work(tx)


class Database(Protocol):
    """A service's own database. No other service can reach it."""

    @property
    def engine(self) -> str:
        """Which engine it is, for the few statements that differ: "sqlite" or "postgres" in SQL."""
        ...

    @property
    def revision(self) -> int:
        """What was read at a revision still stands as long as this number does not change.

        It changes when a commit may have changed something, before whoever made it is told; on
        an engine that others write too, it changes whenever it is asked for.
        """
        ...

    def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> Awaitable[T]:
        """Run `work` in a transaction; awaiting it gives the result once that is durable.

        `work` awaits nothing but `tx`, so that no network call can sit inside a transaction, and
        it must be repeatable: it may run again after a serialization failure, or when another
        transaction of the same group commit failed. An exception rolls it back and is raised
        here. Raises DeadlineExceeded (nothing done) when the caller's deadline has passed before
        it starts, ResourceExhausted when too many transactions wait, Unavailable when the engine
        is gone.
        """
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` on a consistent snapshot of what is committed; writes are refused.

        For bounded queries: a read that runs long is interrupted and raises ResourceExhausted.
        `work` may run again from its start, so it keeps nothing but its result.
        """
        ...

"""A service's database on PostgreSQL: writes through a few lanes, reads on connections beside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from emporion.chassis.calls.context import current_call
from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.postgres.doorbell import Doorbell
from emporion.chassis.data.postgres.group_commit import GroupCommit, Job
from emporion.chassis.data.postgres.lanes import BATCH_MAX, Lanes
from emporion.chassis.data.postgres.migrate import migrate
from emporion.chassis.data.postgres.positions import settle_base
from emporion.chassis.data.postgres.readers import Readers
from emporion.chassis.data.postgres.session import Limits, Link, Session, connect
from emporion.chassis.data.postgres.transaction import PostgresTx
from emporion.chassis.data.watch import Watch
from emporion.kernel.clock import Clock
from emporion.kernel.errors import ResourceExhausted, Unavailable
from emporion.kernel.ids import Ids

T = TypeVar("T")
WAITING_MAX = 10_000


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """How an instance uses its database. It holds at most `lanes + readers + 1` connections.

    Args:
        lanes: connections that write.
        readers: connections that read, made when they are first needed.
        batch_max: transactions a commit; 1 turns group commit off (for measuring).
        connect_timeout_s: for a new connection.
        statement_timeout_s: the server interrupts a statement after so long.
    """

    lanes: int = 2
    readers: int = 4
    batch_max: int = BATCH_MAX
    connect_timeout_s: float = 5.0
    statement_timeout_s: float = 10.0


DEFAULTS = PostgresOptions()


class PostgresDatabase:
    """Database (the port) on one PostgreSQL database, which instances of one service share.

    Transactions are READ COMMITTED. What is read and then changed is guarded by the statement that
    changes it, by a unique key, by `/* for update */` or by `Tx.lock`. Before `open` and after
    `close` every call raises Unavailable. A commit that published calls `on_published` here, and
    shortly after on every other instance's loop.

    Args:
        dsn: `postgresql://role:password@host:port/database`; never shown in an error.
        source: the service's name: the source of its events.
    """

    engine = "postgres"

    def __init__(
        self,
        dsn: str,
        *,
        source: str,
        clock: Clock,
        ids: Ids,
        options: PostgresOptions = DEFAULTS,
    ) -> None:
        self.source = source
        self.on_published: Callable[[], None] = _nothing
        self.watch: Watch | None = None
        self._dsn = dsn
        self._clock = clock
        self._ids = ids
        self._options = options
        self._looks = 0
        self._base = 0
        self._links: list[Link] = []
        self._lanes: Lanes | None = None
        self._readers: Readers | None = None
        self._doorbell: Doorbell | None = None

    async def open(self, migrations: Sequence[Migrations]) -> None:
        """Connect, and bring the schema up to date; several instances may do so at once.

        Raises Unavailable naming engine, host and database when it cannot be reached or lets us
        not in, MigrationFailed (nothing of the failing migration is kept) when the schema cannot
        be brought up to date.
        """
        session = await self._connect(statement_timeout_s=0.0)
        try:
            await migrate(session, migrations, now_ms=self._clock.now_ms())
            self._base = await settle_base(session)
        finally:
            await session.close()
        options = self._options
        self._links = [Link(self._connect) for _ in range(options.lanes)]
        self._readers = Readers(
            [Link(self._connect_reader) for _ in range(options.readers)], self._tx
        )
        self._doorbell = Doorbell(Link(self._connect), self._ring)
        self._lanes = Lanes(
            self.source,
            [GroupCommit(link, self._tx, self._clock, base=self._base) for link in self._links],
            on_published=self._published,
            batch_max=options.batch_max,
        )

    async def close(self) -> None:
        """Finish the transactions that wait, then disconnect.

        Raises Unavailable, having disconnected, when they do not come to an end.
        """
        lanes, self._lanes = self._lanes, None
        is_at_rest = await lanes.close() if lanes is not None else True
        if self._doorbell is not None:
            await self._doorbell.close()
            self._doorbell = None
        readers, self._readers = self._readers, None
        if readers is not None:
            await readers.close()
        for link in self._links:
            await link.close()
        self._links = []
        if not is_at_rest:
            raise Unavailable(f"transactions of the {self.source} database do not end")

    def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> asyncio.Future[T]:
        """See Database.transaction. It is queued by the call; whoever gives up does not stop it.

        It also raises OutcomeUnknown (an Unavailable) when the connection goes during its commit,
        and Unavailable when others were in its way COLLISIONS_MAX times.
        """
        lanes = self._lanes
        if lanes is None:
            raise Unavailable(f"the {self.source} database is closed")
        if lanes.waiting >= WAITING_MAX:
            raise ResourceExhausted(f"{WAITING_MAX} transactions wait for the database")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        call = current_call()
        job = Job(work, copy_context(), call.deadline_s, future)
        if call.trace.is_sampled and self.watch is not None:
            job.watched = self.watch.wait(call, work)
        lanes.submit(job)
        return future

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """See Database.read."""
        if self._readers is None:
            raise Unavailable(f"the {self.source} database is closed")
        call = current_call()
        if not call.trace.is_sampled or self.watch is None:
            return await self._readers.run(work)
        watched = self.watch.wait(call, work, is_read=True)
        try:
            found = await self._readers.run(work, watched)
        except BaseException as error:
            watched.end(error)
            raise
        watched.end(None)
        return found

    @property
    def revision(self) -> int:
        """See Database.revision: others write too, so it is another one at each look."""
        self._looks += 1
        return self._looks

    @property
    def waiting(self) -> int:
        """How many transactions wait or run."""
        return self._lanes.waiting if self._lanes else 0

    async def probe(self) -> None:
        """Readiness: raises unless the database answers a read and takes a transaction."""

        async def ping(tx: Tx) -> None:
            await tx.fetch_one("SELECT 1")

        await self.read(ping)
        await self.transaction(ping)

    async def live(self) -> None:
        """Liveness: raises Unavailable when a lane has died, which only a restart mends."""
        if self._lanes is not None and not self._lanes.is_alive:
            raise Unavailable(f"a lane of the {self.source} database has died")

    def _published(self) -> None:
        if self._doorbell is not None:
            self._doorbell.published()
        self.on_published()

    def _ring(self) -> None:
        self.on_published()

    def _tx(self) -> PostgresTx:
        return PostgresTx(self.source, clock=self._clock, ids=self._ids)

    async def _connect(self, *, statement_timeout_s: float | None = None) -> Session:
        options = self._options
        limit_s = (
            options.statement_timeout_s if statement_timeout_s is None else statement_timeout_s
        )
        limits = Limits(options.connect_timeout_s, limit_s)
        return await connect(self._dsn, source=self.source, limits=limits)

    async def _connect_reader(self) -> Session:
        limits = Limits(self._options.connect_timeout_s, self._options.statement_timeout_s)
        return await connect(self._dsn, source=self.source, limits=limits, is_read_only=True)


def _nothing() -> None:
    """Nobody listens yet."""

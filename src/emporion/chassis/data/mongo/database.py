"""A service's database on MongoDB: transactions that run again when others were first."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pymongo
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import InvalidURI, PyMongoError

from emporion.chassis.calls.context import NEVER_S, current_call
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.mongo.errors import (
    TRANSIENT,
    UNKNOWN_COMMIT,
    ConflictInTransaction,
    host_of,
    named,
)
from emporion.chassis.data.mongo.events import MongoEventTables
from emporion.chassis.data.mongo.lanes import Lanes
from emporion.chassis.data.mongo.migrations import migrate
from emporion.chassis.data.mongo.orphans import Orphans
from emporion.chassis.data.mongo.transaction import Connected, MongoTx
from emporion.chassis.data.watch import Watch, error_of
from emporion.kernel.clock import Clock
from emporion.kernel.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from emporion.kernel.ids import Ids

T = TypeVar("T")
WAITING_MAX = 10_000
ATTEMPTS_MAX = 40
ORPHANED_AFTER_S = 2.0
"""Whoever collides for so long may be held up by an instance that died."""
COMMITS_MAX = 4
PAUSE_S = 0.005
PAUSE_S_MAX = 0.25
ABORT_S = 2.0
_WIRE_OF_8_0 = 25

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MongoOptions:
    """How the engine is talked to.

    Args:
        pool_max: connections, and with them transactions at a time.
        timeout_s: how long a transaction or read may take whose caller sets no deadline.
        connect_timeout_s: how long an unreachable engine is looked for.
        is_documentdb: Amazon DocumentDB: transactions (from 4.0 on), but no retryable writes, no
            snapshot reads outside a transaction and no bulk writes over several collections.
    """

    pool_max: int = 50
    timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    is_documentdb: bool = False


DEFAULTS = MongoOptions()


class MongoDatabase:
    """DocumentDatabase (the port) on one database of a replica set.

    A commit is acknowledged once a majority has it in its journal. A transaction that collides
    with another one, of this process or elsewhere, is rolled back by the engine and runs again
    after a random pause, at most 40 times and until the deadline. It runs in a task of its own, so
    that a caller who gives up leaves no open transaction behind; one whose process died, or whose
    end the network lost, is ended by whoever collides with it for two seconds (orphans.py).

    Args:
        url: `mongodb://...`; it is told to nobody, as it may hold a password.
        database_name: the service's own.
        source: the service's name: the source of its events.
    """

    engine = "mongodb"

    def __init__(  # noqa: PLR0913 - made in one place, by keyword
        self,
        url: str,
        database_name: str,
        *,
        source: str,
        clock: Clock,
        ids: Ids,
        options: MongoOptions = DEFAULTS,
    ) -> None:
        self.source = source
        self.on_published: Callable[[], None] = _nothing
        self.watch: Watch | None = None
        self.where = host_of(url)
        self._url = url
        self.name = database_name
        self._clock = clock
        self._ids = ids
        self._options = options
        self._connected: Connected | None = None
        self._orphans: Orphans | None = None
        self._lanes = Lanes()
        self._running: set[asyncio.Task[Any]] = set()
        self._revision = 0

    async def open(self, migrations: Sequence[Migrations]) -> None:
        """Connect, and bring collections and indexes up to date.

        Raises Unavailable, naming the host, when the engine cannot be reached, refuses the
        credentials or has no transactions; MigrationFailed as `migrate` does.
        """
        client = self._client()
        try:
            with pymongo.timeout(self._options.connect_timeout_s):
                hello = await client.admin.command("hello")
            if "setName" not in hello and hello.get("msg") != "isdbgrid":
                raise Unavailable(
                    f"MongoDB at {self.where} is no replica set, and has no transactions"
                )
            await Orphans(client[self.name], self._clock).prune()
            await migrate(
                client[self.name], migrations, now_ms=self._clock.now_ms(), where=self.where
            )
        except BaseException as error:
            await client.close()
            if isinstance(error, PyMongoError):
                raise named(error, self.where) from error
            raise
        self._orphans = Orphans(client[self.name], self._clock)
        wire = int(hello.get("maxWireVersion", 0))
        self._connected = Connected(
            client,
            database_name=self.name,
            source=self.source,
            where=self.where,
            clock=self._clock,
            ids=self._ids,
            has_bulk=wire >= _WIRE_OF_8_0 and not self._options.is_documentdb,
        )

    def _client(self) -> AsyncMongoClient[dict[str, Any]]:
        options = self._options
        try:
            return AsyncMongoClient(
                self._url,
                w="majority",
                journal=True,
                retryWrites=not options.is_documentdb,
                maxPoolSize=options.pool_max,
                waitQueueTimeoutMS=round(options.timeout_s * 1000),
                serverSelectionTimeoutMS=round(options.connect_timeout_s * 1000),
                connectTimeoutMS=round(options.connect_timeout_s * 1000),
                appname=f"emporion-{self.source}",
            )
        except (InvalidURI, PyMongoError, ValueError) as error:
            kind = type(error).__name__  # its text may quote the address
            raise Unavailable(
                f"the address of the {self.source} database is not valid ({kind}); "
                "are its name and password percent-encoded?"
            ) from None

    async def close(self) -> None:
        """Finish the transactions that run, then disconnect."""
        connected, self._connected = self._connected, None
        if self._running:
            await asyncio.wait(self._running, timeout=self._options.timeout_s + ABORT_S)
        if connected is not None:
            await connected.client.close()

    def transaction(
        self, work: Callable[[Any], Awaitable[T]], *, keys: Iterable[str] = ()
    ) -> asyncio.Future[T]:
        """See DocumentDatabase.transaction. Whoever gives up waiting does not stop it."""
        self._open()
        if len(self._running) >= WAITING_MAX:
            raise ResourceExhausted(
                f"{WAITING_MAX} transactions wait for the {self.source} database"
            )
        task = asyncio.get_running_loop().create_task(self._run(work, keys))
        self._running.add(task)
        task.add_done_callback(self._ended)
        call = current_call()
        if call.trace.is_sampled and self.watch is not None:
            watched = self.watch.wait(call, work)
            task.add_done_callback(lambda done: watched.end(error_of(done)))
        return asyncio.shield(task)

    async def read(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """See DocumentDatabase.read."""
        call = current_call()
        if not call.trace.is_sampled or self.watch is None:
            return await self._read(work)
        watched = self.watch.wait(call, work, is_read=True)
        try:
            found = await self._read(work)
        except BaseException as error:
            watched.end(error)
            raise
        watched.end(None)
        return found

    async def _read(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """As `read`.

        All that `work` reads is of one instant: a snapshot costs nothing on MongoDB. DocumentDB
        has none outside a transaction, so there it is one, and a round trip more.
        """
        connected = self._open()
        is_transaction = self._options.is_documentdb
        async with connected.client.start_session(
            causal_consistency=False, snapshot=not is_transaction
        ) as session:
            tx = MongoTx(connected, session, is_writable=False)
            if is_transaction:
                await session.start_transaction()
            try:
                with pymongo.timeout(self._left_s()):
                    return await work(tx)
            finally:
                await _abort(session)

    def event_tables(self) -> MongoEventTables:
        """What is kept here of events; see HasEventTables."""
        return MongoEventTables(self)

    @property
    def revision(self) -> int:
        """See Database.revision: others write here too, so it changes whenever it is asked for."""
        self._revision += 1
        return self._revision

    @property
    def waiting(self) -> int:
        """How many transactions wait or run."""
        return len(self._running)

    async def probe(self) -> None:
        """Readiness: raises unless a primary answers a read under our name."""
        connected = self._open()
        try:
            with pymongo.timeout(self._options.connect_timeout_s):
                await connected.database["migration"].find_one({}, {"_id": 1})
        except PyMongoError as error:
            raise named(error, self.where) from error

    async def live(self) -> None:
        """Liveness: nothing here is mended by a restart; the driver connects again by itself."""

    def _open(self) -> Connected:
        if self._connected is None:
            raise Unavailable(f"the {self.source} database is closed")
        return self._connected

    def _left_s(self) -> float:
        """How long the caller still waits. Raises DeadlineExceeded when that is over."""
        deadline_s = current_call().deadline_s
        if deadline_s == NEVER_S:
            return self._options.timeout_s
        left_s = deadline_s - self._clock.monotonic_s()
        if left_s <= 0:
            raise DeadlineExceeded("the deadline passed before the transaction began")
        return min(left_s, self._options.timeout_s)

    async def _run(self, work: Callable[[Any], Awaitable[T]], keys: Iterable[str]) -> T:
        connected = self._open()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._left_s()
        orphaned_at_s = loop.time() + ORPHANED_AFTER_S
        async with self._lanes.holding(keys):
            for attempt in range(1, ATTEMPTS_MAX + 1):
                left_s = end_s - loop.time()
                if left_s <= 0:
                    break
                try:
                    return await self._attempt(connected, work, left_s)
                except ConflictInTransaction as error:
                    _log.debug("attempt %d: %s", attempt, error.__cause__ or error)
                if loop.time() >= orphaned_at_s and self._orphans is not None:
                    orphaned_at_s = end_s
                    await self._orphans.end()
                ceiling_s = min(PAUSE_S_MAX, PAUSE_S * 2.0**attempt, max(0.0, end_s - loop.time()))
                await asyncio.sleep(random.uniform(0.0, ceiling_s))  # noqa: S311 - spreads retries
        raise Unavailable(
            f"a transaction of the {self.source} database found MongoDB at {self.where} or the "
            "documents it changes taken, again and again; nothing was done"
        )

    async def _attempt(
        self, connected: Connected, work: Callable[[Any], Awaitable[T]], left_s: float
    ) -> T:
        """Once from begin to commit. Raises ConflictInTransaction when it may run again."""
        async with connected.client.start_session(causal_consistency=False) as session:
            await session.start_transaction()
            tx = MongoTx(connected, session, is_writable=True)
            try:
                with pymongo.timeout(left_s):
                    if self._orphans is not None:
                        await self._orphans.note(session)
                    result = await work(tx)
                    await tx.flush()
                    await self._commit(session)
            except BaseException as error:
                await _abort(session)
                if tx.is_conflict:
                    raise ConflictInTransaction from error
                if isinstance(error, PyMongoError):
                    raise named(error, self.where) from error
                raise
            finally:
                if self._orphans is not None:
                    self._orphans.done(session)
        if tx.published:
            self.on_published()
        return result

    async def _commit(self, session: AsyncClientSession) -> None:
        """Commit; asked again as long as the answer is lost, which the engine recognises."""
        for ask in range(1, COMMITS_MAX + 1):
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                if error.has_error_label(TRANSIENT):
                    raise ConflictInTransaction from error
                if not error.has_error_label(UNKNOWN_COMMIT) or ask == COMMITS_MAX:
                    raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.debug("a transaction failed: %r", task.exception())


async def _abort(session: AsyncClientSession) -> None:
    """Let go of the documents at once, beyond the deadline that may just have passed."""
    if session.in_transaction:
        with pymongo.timeout(ABORT_S):
            await session.abort_transaction()


def _nothing() -> None:
    """Nobody listens yet."""

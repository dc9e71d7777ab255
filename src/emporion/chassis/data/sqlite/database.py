"""A service's database on SQLite: writes through the group commit, reads on the loop's thread."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from emporion.chassis.calls.context import current_call
from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.checkpoint import Checkpointer
from emporion.chassis.data.sqlite.connection import (
    READ_CHECKS_MAX,
    READ_STEPS_PER_CHECK,
    named,
    open_reader,
    open_writer,
)
from emporion.chassis.data.sqlite.group_commit import GroupCommit, Job
from emporion.chassis.data.sqlite.migrate import migrate
from emporion.chassis.data.sqlite.transaction import SqliteTx, drive
from emporion.chassis.data.sqlite.writers import BATCH_MAX, InlineWriter, ThreadWriter, Writer
from emporion.chassis.data.watch import Waiting, Watch
from emporion.kernel.clock import Clock
from emporion.kernel.errors import ResourceExhausted, Unavailable
from emporion.kernel.ids import Ids

T = TypeVar("T")
WAITING_MAX = 10_000


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """How a file is written.

    Args:
        batch_max: transactions a commit; 1 turns group commit off (for measuring).
        is_inline: commit on the event loop's thread, for simulations.
        is_forgetful: overwrite what is deleted, in the file and at once in its log; for small
            files that are seldom written: every commit then waits for a checkpoint.
    """

    batch_max: int = BATCH_MAX
    is_inline: bool = False
    is_forgetful: bool = False


DEFAULTS = SqliteOptions()


class SqliteDatabase:
    """Database (the port) on one SQLite file.

    One process at a time may open a file for writing; the platform's lock on the data directory
    sees to it. `open` applies the migrations; before it and after `close` every call raises
    Unavailable.

    Args:
        path: the file; its folder exists.
        source: the service's name: the source of its events.
    """

    engine = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        source: str,
        clock: Clock,
        ids: Ids,
        options: SqliteOptions = DEFAULTS,
    ) -> None:
        self.path = path
        self.source = source
        self.on_published: Callable[[], None] = _nothing
        self.watch: Watch | None = None
        self._clock = clock
        self._ids = ids
        self._options = options
        self._writer: Writer | None = None
        self._commit: GroupCommit | None = None
        self._connections: list[apsw.Connection] = []
        self._checkpointer: Checkpointer | None = None
        self._reader: SqliteTx | None = None
        self._wal_pages = 0
        self._read_checks = 0

    async def open(self, migrations: Sequence[Migrations]) -> None:
        """Open the file and bring its schema up to date.

        Raises Unavailable when it cannot be opened, MigrationFailed (nothing of the failing
        migration is kept) when the schema cannot be brought up to date.
        """
        is_forgetful = self._options.is_forgetful
        connection = open_writer(self.path, is_forgetful=is_forgetful)
        self._connections.append(connection)
        migrate(connection, migrations, now_ms=self._clock.now_ms())
        connection.set_wal_hook(self._log_grew)
        self._checkpointer = Checkpointer(self.path, is_forgetful=is_forgetful)
        self._commit = GroupCommit(
            SqliteTx(connection, self.source, clock=self._clock, ids=self._ids), self._clock
        )
        self._writer = self._start_writer(connection, self._commit)
        reader = open_reader(self.path)
        self._connections.append(reader)
        self._reader = SqliteTx(reader, self.source, clock=self._clock, ids=self._ids)
        self._limit_reads(reader)

    def _start_writer(self, connection: apsw.Connection, commit: GroupCommit) -> Writer:
        def checkpoint() -> None:
            if self._checkpointer is not None:
                self._checkpointer.grown_to(connection, self._wal_pages)

        if self._options.is_inline:
            return InlineWriter(commit, after_batch=checkpoint, on_published=self._published)
        return ThreadWriter(
            self.source,
            commit,
            after_batch=checkpoint,
            on_published=self._published,
            batch_max=self._options.batch_max,
        )

    async def close(self) -> None:
        """Finish the transactions that wait, then close the file.

        Raises Unavailable, and leaves the file open, when the writer does not come to rest.
        """
        writer, self._writer = self._writer, None
        if writer is not None and not await writer.close():
            raise Unavailable(f"the writer of the {self.source} database does not stop")
        if self._checkpointer is not None:
            self._checkpointer.close()
            self._checkpointer = None
        self._reader = None
        for connection in reversed(self._connections):
            connection.close()
        self._connections.clear()

    def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> asyncio.Future[T]:
        """See Database.transaction. It is queued by the call; whoever gives up does not stop it."""
        writer = self._writer
        if writer is None:
            raise Unavailable(f"the {self.source} database is closed")
        if writer.waiting >= WAITING_MAX:
            raise ResourceExhausted(
                f"{WAITING_MAX} transactions wait for the {self.source} database"
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        call = current_call()
        job = Job(work, copy_context(), call.deadline_s, future)
        if call.trace.is_sampled and self.watch is not None:
            job.watched = self.watch.wait(call, work)
        writer.submit(job)
        return future

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """See Database.read. Runs at once on the caller's thread: keep it to a few rows."""
        reader = self._reader
        if reader is None:
            raise Unavailable(f"the {self.source} database is closed")
        call = current_call()
        if call.trace.is_sampled and self.watch is not None:
            return self._read_watched(reader, work, self.watch.wait(call, work, is_read=True))
        return self._read(reader, work)

    def _read_watched(
        self, reader: SqliteTx, work: Callable[[Tx], Awaitable[T]], watched: Waiting
    ) -> T:
        try:
            found = self._read(reader, work)
        except Exception as error:
            watched.end(error)
            raise
        watched.end(None)
        return found

    def _read(self, reader: SqliteTx, work: Callable[[Tx], Awaitable[T]]) -> T:
        self._read_checks = 0
        try:
            reader.control("BEGIN")
            try:
                return drive(work, reader)
            finally:
                reader.control("COMMIT")
        except apsw.Error as error:
            raise named(error) from error

    @property
    def revision(self) -> int:
        """See Database.revision: this process is the only one that writes the file."""
        return self._commit.revision if self._commit else -1

    @property
    def waiting(self) -> int:
        """How many transactions wait or run."""
        return self._writer.waiting if self._writer else 0

    async def probe(self) -> None:
        """Readiness: raises unless the file answers a read and takes a write transaction."""

        async def ping(tx: Tx) -> None:
            await tx.fetch_one("SELECT 1")

        await self.read(ping)
        await self.transaction(ping)

    async def live(self) -> None:
        """Liveness: raises Unavailable when the writer has died, which only a restart mends."""
        if self._writer is not None and not self._writer.is_alive:
            raise Unavailable(f"the writer of the {self.source} database has died")

    def _published(self) -> None:
        self.on_published()

    def _log_grew(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _limit_reads(self, reader: apsw.Connection) -> None:
        self._read_checks = 0

        def is_too_long() -> bool:
            self._read_checks += 1
            return self._read_checks > READ_CHECKS_MAX

        reader.set_progress_handler(is_too_long, READ_STEPS_PER_CHECK)


def _nothing() -> None:
    """Nobody listens yet."""

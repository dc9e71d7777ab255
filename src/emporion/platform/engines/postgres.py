"""PostgreSQL on this machine: one cluster, and for each service a database of its own."""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg

from emporion.platform.engines.binaries import postgres_program
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.child import Command
from emporion.platform.supervisor.part import NotReady, StartFailed
from emporion.platform.supervisor.ports import HERE, Where, free_port
from emporion.platform.topology.process_file import write_privately

SUPERUSER: Final = "emporion"
INITIAL_DATABASE: Final = "postgres"
CONNECTIONS_MAX: Final = 300
CONNECT_TIMEOUT_S: Final = 4.0
_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_BY_PASSWORD: Final = b"host all all all scram-sha-256\n"
"""Who may come in from where; where it listens is another matter."""


class PostgresServer:
    """A part of the shop: the cluster in DATA/postgres, reached by password.

    Commits wait for the disk: nothing is turned off. What another start left is used again.
    """

    name = "postgresql"
    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(
        self, data: Path, services: Sequence[str], secrets: SecretsFile, *, where: Where = HERE
    ) -> None:
        self._where = where
        self._hba = data / "run" / "pg_hba.conf"
        self._cluster = data / "postgres"
        self._log = data / "logs" / f"{self.name}.log"
        self._services = tuple(services)
        self._secrets = secrets
        self._port = free_port(where.listen)

    def address_of(self, service: str) -> str:
        """The URL of a service's database, with its own user and password."""
        name = database_of(service)
        password = self._secrets.of(f"postgresql/{service}")
        return f"postgresql://{name}:{password}@{self._where.in_url}:{self._port}/{name}"

    async def prepare(self) -> Command:
        """See Part. Makes the cluster at the first start."""
        server = postgres_program("postgres")
        if not (self._cluster / "PG_VERSION").exists():
            await self._initialise()
        self._hba.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(self._hba, _BY_PASSWORD)
        options = {
            "listen_addresses": self._where.listen,
            "hba_file": str(self._hba),
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": str(CONNECTIONS_MAX),
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if sys.platform == "linux":
            # After a crash it has the whole cluster written to the disk: each of 300 files a
            # database by itself takes seconds, the file system at once a fraction of one.
            options["recovery_init_sync_method"] = "syncfs"
        words = [str(server), "-D", str(self._cluster)]
        for name, value in options.items():
            words += ["-c", f"{name}={value}"]
        return Command(
            self.name,
            tuple(words),
            self._log,
            stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back
            stop_timeout_s=_STOP_TIMEOUT_S,
            refuses_root=True,
        )

    async def probe(self) -> None:
        """See Part."""
        connection = await self._connect()
        await connection.close()

    async def furnish(self) -> None:
        """See Part. A role and a database for each service; nobody enters another's."""
        connection = await self._connect()
        try:
            for service in self._services:
                await _furnish(connection, service, self._secrets.of(f"postgresql/{service}"))
        except (asyncpg.PostgresError, OSError) as error:
            raise StartFailed(f"{self.name} cannot be set up: {error}") from error
        finally:
            await connection.close()

    async def drain(self) -> None:
        """See Part: those who use it have ended before."""

    def ended(self) -> None:
        """See Part: it says nothing of itself that outlives it."""

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(
                host=self._where.address,
                port=self._port,
                user=SUPERUSER,
                password=self._secrets.of("postgresql"),
                database=INITIAL_DATABASE,
                timeout=CONNECT_TIMEOUT_S,
            )
        except asyncpg.InvalidPasswordError as error:
            raise StartFailed(
                f"{self.name} does not take the password in secrets.json: {self._cluster} is "
                "another shop's, or the file was replaced"
            ) from error
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise NotReady(f"{error}") from error

    async def _initialise(self) -> None:
        """Make the cluster beside its place and put it there whole: half a one is never used."""
        new = self._cluster.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        password = new.with_suffix(".password")
        write_privately(password, self._secrets.of("postgresql").encode())
        words = (str(postgres_program("initdb")), "-D", str(new), "-U", SUPERUSER)
        options = (
            f"--pwfile={password}",
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        )
        command = Command(self.name, (*words, *options), self._log, refuses_root=True)
        process = await asyncio.create_subprocess_exec(
            *command.leashed(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        finally:
            password.unlink(missing_ok=True)
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise StartFailed(f"{self.name}: initdb failed: {_end_of(output)}")
        new.replace(self._cluster)


def database_of(service: str) -> str:
    """The name of a service's database, and of the role that owns it."""
    return f"emporion_{service}"


async def _furnish(
    connection: "asyncpg.Connection[asyncpg.Record]", service: str, password: str
) -> None:
    # The name is one of ours and the password URL-safe base64: neither can hold a quote.
    name = database_of(service)
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if known else "CREATE"
    await connection.execute(f"{verb} ROLE {name} LOGIN PASSWORD '{password}'")
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")


def _end_of(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return " ".join(lines[-3:])

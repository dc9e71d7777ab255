"""A server of MongoDB's protocol on this machine: a database for each service that wants one."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from emporion.platform.engines.binaries import REMEDY, require_mongodb
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.supervisor.child import Child, Command
from emporion.platform.supervisor.part import EngineMissing, NotReady, StartFailed
from emporion.platform.supervisor.ports import HERE, LOOPBACK, Where, free_port

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

ROOT: Final = "emporion"
CACHE: Final = "256M"
PROBE_TIMEOUT_MS: Final = 2_000
LOOK_S: Final = 0.05
_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_AUTHENTICATION_FAILED: Final = 18


class MongoServer:
    """A part of the shop, with its files in DATA/mongodb, reached by password.

    Commits wait for the disk. Its users are made in a first run that nobody else knows of: only
    then does it take commands without a password.
    """

    name = "mongodb"
    ready_timeout_s = _READY_TIMEOUT_S

    def __init__(
        self, data: Path, services: Sequence[str], secrets: SecretsFile, *, where: Where = HERE
    ) -> None:
        self._store = data / "mongodb"
        self._run = data / "run"
        self._log = data / "logs" / f"{self.name}.log"
        self._services = tuple(services)
        self._secrets = secrets
        self._where = where
        self._port = free_port(where.listen)

    def address_of(self, service: str) -> str:
        """The URL of a service's database, with its own user and password."""
        password = self._secrets.of(f"mongodb/{service}")
        return self._url(database_of(service), password, database_of(service))

    async def prepare(self) -> Command:
        """See Part. Makes the first user at the first start."""
        require_mongodb()
        new = self._store.with_name("mongodb.new")
        if not self._store.exists():
            await self._initialise(new)
            new.replace(self._store)
        return self._command(self._store, self._where.listen, "--auth")

    async def probe(self) -> None:
        """See Part: signed in, and it is the one that writes."""
        from pymongo.errors import OperationFailure, PyMongoError  # noqa: PLC0415 - see binaries

        try:
            async with self._root() as client:
                hello: dict[str, Any] = await client.admin.command("hello")
                await client.admin.command("usersInfo", ROOT)
        except OperationFailure as error:
            if error.code == _AUTHENTICATION_FAILED:
                raise StartFailed(
                    f"{self.name} does not take the password in secrets.json: {self._store} is "
                    "another shop's, or the file was replaced"
                ) from error
            raise NotReady(str(error)) from error
        except PyMongoError as error:
            raise NotReady(str(error)[:200]) from error
        if not hello.get("isWritablePrimary"):
            raise NotReady("it does not write yet")

    async def furnish(self) -> None:
        """See Part. A user for each service, who owns one database and enters no other."""
        from pymongo.errors import PyMongoError  # noqa: PLC0415 - see binaries

        try:
            async with self._root() as client:
                for service in self._services:
                    await _furnish(client, service, self._secrets.of(f"mongodb/{service}"))
        except PyMongoError as error:
            raise StartFailed(f"{self.name} cannot be set up: {error}") from error

    async def drain(self) -> None:
        """See Part: those who use it have ended before."""

    def ended(self) -> None:
        """See Part: it says nothing of itself that outlives it."""

    def _command(self, store: Path, host: str, *more: str) -> Command:
        config = self._run / "mongodb.toml"
        self._run.mkdir(parents=True, exist_ok=True, mode=0o700)
        config.touch(mode=0o600)  # else it looks for one in the folder that we happen to be in
        where = ("--host", host, "--port", str(self._port), "--storage-path", str(store))
        how = ("--sync-on-commit", "--cache-size", CACHE, "--log-level", "WARNING")
        return Command(
            self.name,
            (sys.executable, "-m", "secantus", "--config", str(config), *where, *how, *more),
            self._log,
            stop_signal=signal.SIGTERM,
            stop_timeout_s=_STOP_TIMEOUT_S,
        )

    def _url(self, user: str, password: str, database: str) -> str:
        return (
            f"mongodb://{user}:{password}@{self._where.in_url}:{self._port}/{database}"
            "?directConnection=true&authSource=admin"
        )

    def _root(self) -> "AsyncMongoClient[dict[str, Any]]":
        return _client(self._url(ROOT, self._secrets.of("mongodb"), "admin"))

    async def _initialise(self, store: Path) -> None:
        """Make the files and the first user beside their place: half of it is never used."""
        shutil.rmtree(store, ignore_errors=True)
        store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = self._command(store, LOOPBACK)  # it asks for no password yet
        child = await Child.start(replace(command, name=f"{self.name}-first"), self._run)
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await self._make_root(child)
        except TimeoutError as error:
            raise StartFailed(f"{self.name} cannot be set up: {child.last_words()}") from error
        finally:
            _ = await child.stop()

    async def _make_root(self, child: Child) -> None:
        from pymongo.errors import PyMongoError  # noqa: PLC0415 - see binaries

        password = self._secrets.of("mongodb")
        open_url = f"mongodb://{LOOPBACK}:{self._port}/?directConnection=true"
        while not child.ended.done():
            try:
                async with _client(open_url) as client:
                    await client.admin.command("createUser", ROOT, pwd=password, roles=["root"])
            except PyMongoError:
                _ = await asyncio.wait({child.ended}, timeout=LOOK_S)  # it does not listen yet
            else:
                return
        raise StartFailed(f"{self.name} ended at its start: {child.last_words()}")


def database_of(service: str) -> str:
    """The name of a service's database, and of the user who owns it."""
    return service


def _client(url: str) -> "AsyncMongoClient[dict[str, Any]]":
    try:
        from pymongo import AsyncMongoClient  # noqa: PLC0415 - see binaries
    except ImportError as error:
        raise EngineMissing(f"MongoDB's client is not installed here; {REMEDY}") from error
    return AsyncMongoClient(url, serverSelectionTimeoutMS=PROBE_TIMEOUT_MS)


async def _furnish(client: "AsyncMongoClient[dict[str, Any]]", service: str, password: str) -> None:
    name = database_of(service)
    known = await client.admin.command("usersInfo", name)
    roles = [{"role": role, "db": name} for role in ("readWrite", "dbAdmin")]
    verb = "updateUser" if known["users"] else "createUser"
    await client.admin.command(verb, name, pwd=password, roles=roles)

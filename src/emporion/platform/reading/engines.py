"""The engines of a stopped split shop, run for as long as somebody reads from them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from emporion.platform.data_folder import DataFolder
from emporion.platform.engines.mongodb import MongoServer
from emporion.platform.engines.postgres import PostgresServer
from emporion.platform.engines.secrets_file import SecretsFile
from emporion.platform.reading.processes import HeldPlace
from emporion.platform.supervisor.part import Part
from emporion.platform.supervisor.supervisor import Supervisor
from emporion.platform.topology.kinds import Engine


class _Server(Part, Protocol):
    def address_of(self, service: str) -> str:
        """The URL of a service's database."""
        ...


class _Postgres(PostgresServer):
    """The cluster with the roles that it has."""

    async def furnish(self) -> None:
        """Changes nothing."""


class _Mongo(MongoServer):
    """The store with the users that it has."""

    async def furnish(self) -> None:
        """Changes nothing."""


_LOCAL: Final[Mapping[Engine, tuple[str, Callable[..., _Server]]]] = {
    Engine.POSTGRES: ("postgres", _Postgres),
    Engine.MONGODB: ("mongodb", _Mongo),
}
"""The folder in which an engine that the shop starts itself has its files, and its server."""


@asynccontextmanager
async def engines_running(
    folder: Path, held: Sequence[HeldPlace]
) -> AsyncIterator[Mapping[str, str]]:
    """Run the engines that this folder has the files of; where each of their services is.

    The folder is held meanwhile, so that no shop starts on it; they are ended at the end.
    Services on other engines are not among them. Raises FolderInUse, EngineMissing, StartFailed or
    SecretsUnreadable; then nothing runs.
    """
    with DataFolder(folder):
        secrets = SecretsFile.open(folder)
        servers: list[_Server] = []
        addresses: dict[str, str] = {}
        for engine, (own, make) in _LOCAL.items():
            names = [one.name for one in held if one.engine is engine]
            if not names or not (folder / own).is_dir():
                continue
            server = make(folder, names, secrets)
            ours = {
                one.name: server.address_of(one.name)
                for one in held
                if one.name in names and _is_same(one.dsn, server.address_of(one.name))
            }
            if ours:
                servers.append(server)
                addresses |= ours
        supervisor = Supervisor(folder, [servers], _unheard)
        await supervisor.end_leftovers()
        await supervisor.start()
        try:
            yield addresses
        finally:
            await supervisor.stop()


def _is_same(dsn: str, other: str) -> bool:
    """Whether two addresses are the same but for the port, which is another at each start."""
    one, two = urlsplit(dsn), urlsplit(other)
    return (one.hostname, one.username, one.password) == (two.hostname, two.username, two.password)


def _unheard(_: str) -> None:
    """A reader waits for its answer only."""

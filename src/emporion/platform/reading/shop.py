"""Opens every database of a shop for reading: of one process or of several, running or not."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from emporion.chassis.data.database import Database
from emporion.kernel.errors import Unavailable
from emporion.platform.data_folder import DataFolder
from emporion.platform.reading.processes import (
    HeldPlace,
    files_of_processes,
    is_split,
    services_in,
)
from emporion.platform.reading.sqlite import ReadOnlySqlite
from emporion.platform.shop_folder import SERVICES, database_file, require_files
from emporion.platform.topology.kinds import Engine
from emporion.services.payment.adapters.rehearsal import BOOK_FILE


class ReadOnlyDatabase(Database, Protocol):
    """A database of another process: `transaction` raises ReadOnly."""

    async def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(frozen=True, slots=True)
class ReadShop:
    """A shop that is open for reading.

    Args:
        databases: every service's, by its name.
        provider_books: the books of the rehearsal provider: one, unless the processes that held
            payments did not lie in one folder.
        is_running: whether a shop runs on the folder.
    """

    databases: Mapping[str, ReadOnlyDatabase]
    provider_books: Sequence[Path]
    is_running: bool


@asynccontextmanager
async def open_for_reading(folder: Path) -> AsyncIterator[ReadShop]:
    """Open the shop that was started last on this folder; nothing of it is written.

    The engines of a split shop that does not run are started for as long as it is open. Raises
    NoShopHere, BadProcessFile, FolderInUse, Unavailable when a database cannot be reached, and
    what starting an engine raises.
    """
    async with AsyncExitStack() as stack:
        opened: dict[str, ReadOnlyDatabase] = {}
        if is_split(folder):
            is_running = DataFolder.is_held(folder)
            for held in await _held(folder, stack, is_running=is_running):
                opened[held.name] = _open(held)
                stack.push_async_callback(opened[held.name].close)
            books = files_of_processes(folder, BOOK_FILE)
        else:
            require_files(folder)
            is_running = DataFolder.is_held(folder)
            for name in SERVICES:
                opened[name] = ReadOnlySqlite(database_file(folder, name))
                stack.push_async_callback(opened[name].close)
            books = [folder / BOOK_FILE]
        yield ReadShop(opened, books, is_running)


async def _held(folder: Path, stack: AsyncExitStack, *, is_running: bool) -> Sequence[HeldPlace]:
    held = list(services_in(folder, SERVICES).values())
    if is_running or all(one.engine is Engine.SQLITE for one in held):
        return held
    from emporion.platform.reading.engines import engines_running  # noqa: PLC0415 - seldom needed

    addresses = await stack.enter_async_context(engines_running(folder, held))
    return [
        HeldPlace(name=one.name, engine=one.engine, dsn=addresses.get(one.name, one.dsn))
        for one in held
    ]


def _open(held: HeldPlace) -> ReadOnlyDatabase:
    """Connects to nothing but a file. Raises Unavailable."""
    match held.engine:
        case Engine.SQLITE:
            return ReadOnlySqlite(Path(held.dsn))
        case Engine.POSTGRES | Engine.TIMESCALE:
            from emporion.platform.reading.postgres import (  # noqa: PLC0415 - where it is used
                ReadOnlyPostgres,
            )

            return ReadOnlyPostgres(held.dsn, held.name, engine=held.engine.value)
        case Engine.MONGODB:
            return _mongodb(held)
        case _:
            assert_never(held.engine)


def _mongodb(held: HeldPlace) -> ReadOnlyDatabase:
    try:
        from emporion.platform.reading.mongodb import (  # noqa: PLC0415 - where it is installed
            ReadOnlyMongo,
        )
    except ImportError as error:
        raise Unavailable(
            f"{held.name} keeps its data in MongoDB, whose client is not installed here: "
            "pip install 'emporion[mongo]'"
        ) from error
    return ReadOnlyMongo(held.dsn, held.name)

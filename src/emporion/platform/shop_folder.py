"""The databases in a shop's data folder, opened from the command line beside or without a shop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TypeVar

import apsw

from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.connection import named, open_reader
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.data.sqlite.transaction import SqliteTx, drive
from emporion.chassis.runtime.system import SystemClock, SystemIds
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.platform.data_folder import DataFolder

T = TypeVar("T")
SERVICES = ("user", "catalog", "order", "inventory", "payment", "email")
SUFFIX = ".sqlite"


class NoShopHere(NotFound):
    """The data folder does not exist or holds no shop."""

    slug = "no-shop-here"
    title = "There is no shop in this folder"


class ReadOnly(FailedPrecondition):
    """The database was opened for reading."""

    slug = "read-only"
    title = "This database was opened for reading"


class ReadOnlyDatabase:
    """Database (the port) on a file that another process may be writing at the same time.

    Every read sees one instant of the file. Raises Unavailable when it cannot be opened.
    """

    engine = "sqlite"

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)
        self._tx = SqliteTx(self._connection, path.stem, clock=SystemClock(), ids=SystemIds())
        self._looks = count()

    @property
    def revision(self) -> int:
        """Another one at each look: somebody else may be writing."""
        return next(self._looks)

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Raises ReadOnly."""
        raise ReadOnly

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` on what is committed now; there is no limit on how long it takes."""
        try:
            self._connection.execute("BEGIN")
            try:
                return drive(work, self._tx)
            finally:
                self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise named(error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def database_file(folder: Path, service: str) -> Path:
    """Where a service's database is."""
    return folder / f"{service}{SUFFIX}"


def require_shop(folder: Path) -> None:
    """Raises NoShopHere, saying what is missing."""
    if not folder.is_dir():
        raise NoShopHere(f"{folder}: there is no such folder; give the shop's with --data DIR")
    missing = [name for name in SERVICES if not database_file(folder, name).is_file()]
    if missing:
        raise NoShopHere(
            f"{folder} holds no shop (no {missing[0]}{SUFFIX}); give the shop's with --data DIR"
        )


@contextmanager
def open_for_reading(folder: Path) -> Iterator[Mapping[str, ReadOnlyDatabase]]:
    """Every service's database by name, read only. Raises NoShopHere or Unavailable."""
    require_shop(folder)
    opened: dict[str, ReadOnlyDatabase] = {}
    try:
        for name in SERVICES:
            opened[name] = ReadOnlyDatabase(database_file(folder, name))
        yield opened
    finally:
        for database in opened.values():
            database.close()


@asynccontextmanager
async def open_for_writing(folder: Path, service: str) -> AsyncIterator[SqliteDatabase]:
    """A service's database while no shop runs on the folder.

    Raises NoShopHere, FolderInUse or Unavailable.
    """
    require_shop(folder)
    clock, ids = SystemClock(), SystemIds()
    with DataFolder(folder):
        path = database_file(folder, service)
        database = SqliteDatabase(path, source=service, clock=clock, ids=ids)
        chassis = Migrations("chassis", files("emporion.chassis.data.migrations") / "sqlite")
        own = files(f"emporion.services.{service}") / "migrations" / "sqlite"
        await database.open([chassis, Migrations(service, own)])
        try:
            yield database
        finally:
            await database.close()

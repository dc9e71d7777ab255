"""The data folder of a shop as commands see it: which files it has, and one opened for writing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.system import SystemClock, SystemIds
from emporion.platform.data_folder import DataFolder
from emporion.platform.reading.processes import is_split
from emporion.platform.reading.refusals import NoShopHere, ShopNotRunning

SERVICES = (
    "vault",
    "user",
    "catalog",
    "order",
    "inventory",
    "payment",
    "email",
    "fraud",
    "webhook",
    "recommendation",
    "analytics",
    "shipping",
    "giftcard",
)
SUFFIX = ".sqlite"


def database_file(folder: Path, service: str) -> Path:
    """Where a service's database is, when SQLite keeps it."""
    return folder / f"{service}{SUFFIX}"


def require_files(folder: Path) -> None:
    """Raises NoShopHere, saying what a shop of one process would have and this folder has not."""
    if not folder.is_dir():
        raise NoShopHere(f"{folder}: there is no such folder; give the shop's with --data DIR")
    missing = [name for name in SERVICES if not database_file(folder, name).is_file()]
    if missing:
        raise NoShopHere(
            f"{folder} holds no shop (no {missing[0]}{SUFFIX}); give the shop's with --data DIR"
        )


def require_shop(folder: Path) -> None:
    """Raises NoShopHere, or ShopNotRunning where files alone cannot be worked on."""
    if is_split(folder):
        raise ShopNotRunning(
            f"{folder} holds a shop of several processes, which does not run: this is asked of "
            "its processes. Start it as it was started before (emporion split, or emporion up "
            "--topology FILE), and run this again"
        )
    require_files(folder)


@asynccontextmanager
async def open_for_writing(folder: Path, service: str) -> AsyncIterator[SqliteDatabase]:
    """A service's database while no shop runs on the folder.

    Raises NoShopHere, ShopNotRunning, FolderInUse or Unavailable.
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

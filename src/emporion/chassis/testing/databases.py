"""Real databases for tests, each in a folder of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.time import manual_runtime

CHASSIS = Migrations("chassis", files("emporion.chassis.data.migrations") / "sqlite")


def migrations_of(service: str) -> Migrations:
    """The SQLite migrations of a service, by its name."""
    return Migrations(service, files(f"emporion.services.{service}") / "migrations" / "sqlite")


@asynccontextmanager
async def sqlite_database(
    folder: Path,
    migrations: Sequence[Migrations] = (),
    *,
    source: str = "test",
    runtime: Runtime | None = None,
) -> AsyncIterator[SqliteDatabase]:
    """An open database with the chassis's tables and those of `migrations`."""
    used = runtime or manual_runtime()
    database = SqliteDatabase(
        folder / f"{source}.db", source=source, clock=used.clock, ids=used.ids
    )
    await database.open([CHASSIS, *migrations])
    try:
        yield database
    finally:
        await database.close()

"""Databases on a real server of MongoDB's protocol for tests, each with a name of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files

from pymongo import AsyncMongoClient

from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.mongo.database import DEFAULTS, MongoDatabase, MongoOptions
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.time import manual_runtime

CHASSIS = Migrations("chassis", files("emporion.chassis.data.migrations") / "mongodb")


def migrations_of(service: str) -> Migrations:
    """The MongoDB migrations of a service, by its name."""
    return Migrations(service, files(f"emporion.services.{service}") / "migrations" / "mongodb")


@asynccontextmanager
async def mongo_database(  # noqa: PLR0913 - what a database has, by name
    url: str,
    name: str,
    migrations: Sequence[Migrations] = (),
    *,
    source: str = "test",
    runtime: Runtime | None = None,
    options: MongoOptions = DEFAULTS,
) -> AsyncIterator[MongoDatabase]:
    """An open database with the chassis's collections and those of `migrations`.

    It stays on the server when it is closed, so that it can be opened again: see `dropped`.
    """
    used = runtime or manual_runtime()
    database = MongoDatabase(
        url, name, source=source, clock=used.clock, ids=used.ids, options=options
    )
    await database.open([CHASSIS, *migrations])
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def dropped(url: str, name: str) -> AsyncIterator[None]:
    """Drops the database of that name at the end."""
    try:
        yield
    finally:
        async with AsyncMongoClient[dict[str, object]](url) as client:
            await client.drop_database(name)

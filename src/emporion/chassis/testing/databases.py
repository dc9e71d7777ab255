"""Real databases for tests, each of its own, on every engine that a service's SQL runs on."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Literal

from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.postgres.database import PostgresDatabase, PostgresOptions
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.postgres_server import PostgresServer, postgres_server
from emporion.chassis.testing.time import manual_runtime

Engine = Literal["sqlite", "postgres"]
SqlDatabase = SqliteDatabase | PostgresDatabase
ENGINES: tuple[Engine, ...] = ("sqlite", "postgres")
_TEMPLATE = "chassis_of_tests"


def chassis_migrations(engine: Engine) -> Migrations:
    """The migrations of the chassis's own tables."""
    return Migrations("chassis", files("emporion.chassis.data.migrations") / engine)


CHASSIS = chassis_migrations("sqlite")


def migrations_of(service: str, engine: Engine = "sqlite") -> Migrations:
    """The migrations of a service, by its name."""
    return Migrations(service, files(f"emporion.services.{service}") / "migrations" / engine)


def sql_database(
    engine: Engine,
    folder: Path,
    migrations: Sequence[Migrations] = (),
    *,
    source: str = "test",
    runtime: Runtime | None = None,
) -> AbstractAsyncContextManager[SqlDatabase]:
    """An open database with the chassis's tables and those of `migrations`, on an engine.

    The same folder and source are the same database, so that it can be opened again.
    """
    if engine == "sqlite":
        return sqlite_database(folder, migrations, source=source, runtime=runtime)
    return postgres_database(folder, migrations, source=source, runtime=runtime)


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


@asynccontextmanager
async def postgres_database(
    folder: Path,
    migrations: Sequence[Migrations] = (),
    *,
    source: str = "test",
    runtime: Runtime | None = None,
    options: PostgresOptions | None = None,
) -> AsyncIterator[PostgresDatabase]:
    """An open database with the chassis's tables and those of `migrations`.

    Opened several times at once it is what several instances of a service have.
    """
    used = runtime or manual_runtime()
    database = PostgresDatabase(
        await postgres_dsn(folder, source),
        source=source,
        clock=used.clock,
        ids=used.ids,
        options=options or PostgresOptions(),
    )
    await database.open([chassis_migrations("postgres"), *migrations])
    try:
        yield database
    finally:
        await database.close()


async def postgres_dsn(folder: Path, source: str = "test") -> str:
    """Where the PostgreSQL database of a folder and source is; made at first use."""
    server = await postgres_server()
    await _template(server)
    group = sha256(str(folder).encode()).hexdigest()[:16]
    return await server.database(f"{source}_{group}", group=group, template=_TEMPLATE)


async def _template(server: PostgresServer) -> None:
    """Tables of the chassis are copied, not made for each test."""
    if server.has(_TEMPLATE):
        return
    runtime = manual_runtime()
    template = PostgresDatabase(
        await server.database(_TEMPLATE, group=""),
        source=_TEMPLATE,
        clock=runtime.clock,
        ids=runtime.ids,
    )
    await template.open([chassis_migrations("postgres")])
    await template.close()

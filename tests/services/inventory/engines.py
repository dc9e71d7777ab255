"""The engines that inventory's books are kept on: one suite runs over all of them."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import msgspec
import pytest
from pymongo import AsyncMongoClient

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.data.documents import DocumentTx, Find, documents
from emporion.chassis.data.mongo.database import MongoDatabase, MongoOptions
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing import databases, mongo

RULES = """
SELECT CAST(CAST(conrelid AS regclass) AS text), CAST(conname AS text), pg_get_constraintdef(oid)
FROM pg_constraint WHERE contype = 'c' AND conrelid IN ('level'::regclass, 'hold'::regclass)"""
Wanted = Callable[[str], Any]
"""Gives the fixture of that name, if and when the engine needs its server."""


class Damage(NamedTuple):
    """Columns written into every level of a SKU, or every hold; without any, they vanish."""

    table: str
    sku: str | None
    columns: Mapping[str, Any]


class Engine(Protocol):
    """What tests do to a database that the ports of inventory do not."""

    name: str

    def __init__(self, folder: Path, wanted: Wanted) -> None: ...

    def open(self, runtime: Runtime) -> AbstractAsyncContextManager[Database]:
        """A new database, with inventory's tables or collections."""
        ...

    async def published(self, database: Database, name: str) -> list[str]:
        """The keys of the events of that name, in the order in which they were published."""
        ...

    def damaged(
        self, database: Database, damages: Sequence[Damage]
    ) -> AbstractAsyncContextManager[None]:
        """Damages the books, whatever the rules of the engine say, and repairs them afterwards."""
        ...


class Sqlite:
    name = "sqlite"

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._folder = folder

    def open(self, runtime: Runtime) -> AbstractAsyncContextManager[Database]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        migrations = [databases.migrations_of("inventory")]
        return databases.sqlite_database(folder, migrations, source="inventory", runtime=runtime)

    async def published(self, database: Database, name: str) -> list[str]:
        async def work(tx: Tx) -> list[str]:
            sql = "SELECT key FROM outbox WHERE name = ? ORDER BY position"
            return [key for (key,) in await tx.fetch(sql, name)]

        return await database.read(work)

    @asynccontextmanager
    async def damaged(self, database: Database, damages: Sequence[Damage]) -> AsyncIterator[None]:
        connection = cast("SqliteDatabase", database)._connections[0]
        connection.execute("PRAGMA ignore_check_constraints=ON").fetchall()
        kept = {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("level", "hold")
        }
        for table, sku, columns in damages:
            where, args = (" WHERE sku = ?", [sku]) if sku else ("", [])
            if columns:
                names = ", ".join(f"{name} = ?" for name in columns)
                values = [
                    msgspec.json.encode(value).decode() if isinstance(value, list) else value
                    for value in columns.values()
                ]
                connection.execute(f"UPDATE {table} SET {names}{where}", [*values, *args])
            else:
                connection.execute(f"DELETE FROM {table}{where}", args)
        yield
        for table, rows in kept.items():
            connection.execute(f"DELETE FROM {table}")
            for row in rows:
                places = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({places})", row)


class Postgres:
    name = "postgres"
    published = Sqlite.published

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._folder = folder

    def open(self, runtime: Runtime) -> AbstractAsyncContextManager[Database]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        migrations = [databases.migrations_of("inventory", "postgres")]
        return databases.postgres_database(folder, migrations, source="inventory", runtime=runtime)

    @asynccontextmanager
    async def damaged(self, database: Database, damages: Sequence[Damage]) -> AsyncIterator[None]:
        kept: dict[str, list[Row]] = {}
        rules: list[Row] = []

        async def damage(tx: Tx) -> None:
            rules.extend(await tx.fetch(RULES))
            for table, name, _ in rules:
                await tx.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
            for table in ("level", "hold"):
                kept[table] = await tx.fetch(f"SELECT * FROM {table}")
            for table, sku, columns in damages:
                where, args = (" WHERE sku = ?", [sku]) if sku else ("", [])
                if columns:
                    names = ", ".join(f"{name} = ?" for name in columns)
                    values = [
                        msgspec.json.encode(value).decode() if isinstance(value, list) else value
                        for value in columns.values()
                    ]
                    await tx.execute(f"UPDATE {table} SET {names}{where}", *values, *args)
                else:
                    await tx.execute(f"DELETE FROM {table}{where}", *args)

        async def repair(tx: Tx) -> None:
            for table, rows in kept.items():
                await tx.execute(f"DELETE FROM {table}")
                for row in rows:
                    places = ", ".join("?" * len(row))
                    await tx.execute(f"INSERT INTO {table} VALUES ({places})", *row)
            for table, name, rule in rules:
                await tx.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule}")

        await database.transaction(damage)
        yield
        await database.transaction(repair)


class Mongodb:
    name = "mongodb"
    options = MongoOptions()

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self._url = wanted("mongodb_url")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncIterator[Database]:
        name = f"inventory_{secrets.token_hex(4)}"
        migrations = [mongo.migrations_of("inventory")]
        async with (
            mongo.dropped(self._url, name),
            mongo.mongo_database(
                self._url,
                name,
                migrations,
                source="inventory",
                runtime=runtime,
                options=self.options,
            ) as database,
        ):
            yield database

    async def published(self, database: Database, name: str) -> list[str]:
        async def work(tx: DocumentTx) -> list[str]:
            found = await tx.find(Find("outbox", {"name": name}, [("_id", 1)]))
            return [each["key"] for each in found]

        return await documents(database).read(work)

    @asynccontextmanager
    async def damaged(self, database: Database, damages: Sequence[Damage]) -> AsyncIterator[None]:
        async with AsyncMongoClient[dict[str, Any]](self._url) as client:
            books = client[cast("MongoDatabase", database).name]
            kept = {name: await books[name].find().to_list() for name in ("level", "hold")}
            for table, sku, columns in damages:
                for found in await books[table].find({"sku": sku} if sku else {}).to_list():
                    key = {"_id": found["_id"]}
                    if columns:
                        await books[table].replace_one(
                            key, _put(found, columns), bypass_document_validation=True
                        )
                    else:
                        await books[table].delete_one(key)
            yield
            for name, rows in kept.items():
                await books[name].delete_many({})
                if rows:
                    await books[name].insert_many(rows)


class Documentdb(Mongodb):
    """The same server, kept to what Amazon DocumentDB has."""

    name = "documentdb"
    options = MongoOptions(is_documentdb=True)


def _put(found: dict[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The document with other fields; what follows from them in every honest level stays so."""
    changed = {**found, **columns}
    if "on_hand" in changed:
        changed["free"] = changed["on_hand"] - changed["reserved"]
    if "allocations" in columns:
        fields = ("sku", "warehouse_id", "quantity")
        changed["allocations"] = [
            dict(zip(fields, each, strict=True)) for each in columns["allocations"]
        ]
    return changed


ENGINES = [
    pytest.param(Sqlite, id=Sqlite.name),
    pytest.param(Postgres, id=Postgres.name),
    pytest.param(Mongodb, id=Mongodb.name),
]

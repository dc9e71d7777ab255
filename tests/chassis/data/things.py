"""A table of things, and transactions on it."""

from pathlib import Path

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.migrations.runner import Migrations

TABLE = "CREATE TABLE thing (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"


def migrations_in(folder: Path) -> Migrations:
    """The migration that makes the table, in a folder where a test can add more."""
    here = folder / "migrations"
    here.mkdir()
    (here / "0001_thing.sql").write_text(TABLE)
    return Migrations("things", here)


def put(name: str, number: int = 0, *, then: Exception | None = None):
    """A transaction that writes a thing, and then fails if asked to."""

    async def work(tx: Tx) -> int:
        await tx.execute("INSERT INTO thing VALUES (?, ?)", name, number)
        if then is not None:
            raise then
        return number

    return work


async def names(database: Database) -> list[str]:
    """What is there."""

    async def work(tx: Tx) -> list[str]:
        return [name for (name,) in await tx.fetch("SELECT name FROM thing ORDER BY name")]

    return await database.read(work)

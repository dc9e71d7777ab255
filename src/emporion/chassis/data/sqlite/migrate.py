"""Applies migrations to a SQLite file, each once, each whole or not at all."""

from collections.abc import Sequence
from typing import Any

import apsw

from emporion.chassis.data.migrations.runner import File, MigrationFailed, Migrations, missing

_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL,
    PRIMARY KEY (component, number)
) STRICT, WITHOUT ROWID"""


def migrate(connection: apsw.Connection, sources: Sequence[Migrations], *, now_ms: int) -> None:
    """Bring the schema up to date, component by component, in the order of the numbers.

    Raises MigrationFailed naming the file: when its SQL fails (nothing of it is kept), and as
    `missing` does.
    """
    connection.execute(_TABLE)
    for source in sources:
        applied: dict[Any, Any] = dict(
            connection.execute(
                "SELECT number, checksum FROM migration WHERE component = ?", (source.component,)
            )
        )
        for file in missing(source, applied):
            _apply(connection, source.component, file, now_ms=now_ms)


def _apply(connection: apsw.Connection, component: str, file: File, *, now_ms: int) -> None:
    try:
        with connection:
            connection.execute(file.sql)
            connection.execute(
                "INSERT INTO migration VALUES (?, ?, ?, ?, ?)",
                (component, file.number, file.name, file.checksum, now_ms),
            )
    except apsw.Error as error:
        raise MigrationFailed(f"{component}/{file.name}: {error}") from error

"""Reads the database files of a shop, also one that runs in this very process."""

from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

BUSY_MS = 10_000


def open_file(path: Path) -> apsw.Connection:
    """A reading connection, by the SQLite that the shop uses.

    Never by Python's own: two copies of SQLite in one process undo each other's locks on a file
    (closing one gives up all that the process has), and the next to open it cuts off the index of
    the log under the writer, who dies of a bus error. See "How To Corrupt An SQLite Database
    File" of SQLite's documentation.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_MS)
    return connection


def copy_file(path: Path, copy: Path) -> None:
    """A copy of a database as it is now, with what its log holds."""
    with (
        closing(open_file(path)) as source,
        closing(apsw.Connection(str(copy))) as target,
        target.backup("main", source, "main") as backup,
    ):
        backup.step()


def write(path: Path, *statements: str) -> None:
    """Change a file, beside the shop: all of it or nothing."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")


def rows(folder: Path, service: str, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """The rows of a statement on a service's file, also beside the running shop."""
    with closing(open_file(folder / f"{service}.sqlite")) as connection:
        return connection.execute(sql, args).fetchall()


def number(folder: Path, service: str, sql: str, *args: object) -> int:
    """The one number that a statement answers."""
    return int(rows(folder, service, sql, *args)[0][0])

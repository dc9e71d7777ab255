"""Reads the database files of a shop, also one that runs in this very process."""

from pathlib import Path

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

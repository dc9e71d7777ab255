"""Opens SQLite connections with the durability we promise, and names their errors."""

from pathlib import Path

import apsw

from emporion.chassis.data.database import UniqueViolation
from emporion.kernel.errors import EmporionError, Internal, ResourceExhausted, Unavailable

CACHE_KIB = 1_024
STATEMENTS_CACHED = 256
BUSY_TIMEOUT_MS = 5_000
READ_STEPS_PER_CHECK = 100_000
READ_CHECKS_MAX = 100
"""A read may run ten million virtual machine steps (about a second) before it is interrupted."""

_DUPLICATE = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)


def open_writer(path: Path, *, is_forgetful: bool = False) -> apsw.Connection:
    """The one writing connection of a file: WAL, synchronous=FULL, checkpoints left to us.

    A commit returns once its pages are on the disk (fsync): it survives power loss as far as the
    disk keeps its promise. If it is forgetful, what is deleted is overwritten with zeros. Raises
    Unavailable when the file cannot be opened.
    """
    try:
        connection = apsw.Connection(
            str(path),
            flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
            statementcachesize=STATEMENTS_CACHED,
        )
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "wal_autocheckpoint=0",
            f"cache_size=-{CACHE_KIB}",
            "temp_store=MEMORY",
            f"secure_delete={'ON' if is_forgetful else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except apsw.Error as error:
        raise Unavailable(f"cannot open the database {path.name}: {error}") from error
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A reading connection; writes through it are refused. Raises Unavailable."""
    try:
        connection = apsw.Connection(
            str(path),
            flags=apsw.SQLITE_OPEN_READONLY,
            statementcachesize=STATEMENTS_CACHED,
        )
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}").fetchall()
        connection.execute("PRAGMA query_only=ON").fetchall()
    except apsw.Error as error:
        raise Unavailable(f"cannot open the database {path.name}: {error}") from error
    return connection


def named(error: apsw.Error) -> EmporionError:
    """Our name for an error of the engine."""
    if isinstance(error, apsw.ConstraintError):
        if getattr(error, "extendedresult", 0) in _DUPLICATE:
            return UniqueViolation(str(error))
        return Internal(f"a constraint refused the write: {error}")
    if isinstance(error, apsw.InterruptError):
        return ResourceExhausted("the query ran too long and was interrupted")
    if isinstance(error, (apsw.SQLError, apsw.MisuseError, apsw.MismatchError, apsw.RangeError)):
        return Internal(f"a statement is wrong: {error}")
    return Unavailable(f"the database cannot answer: {type(error).__name__}: {error}")

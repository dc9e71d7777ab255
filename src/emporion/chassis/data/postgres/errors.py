"""Names PostgreSQL's errors, and says where a database is without saying how to get in."""

from urllib.parse import unquote, urlsplit

import asyncpg

from emporion.chassis.data.database import UniqueViolation
from emporion.kernel.errors import EmporionError, Internal, ResourceExhausted, Unavailable


class Collision(Unavailable):
    """Another transaction was in the way, and this one was undone: running it again is safe."""

    slug = "transaction-collided"
    title = "Another transaction was in the way"
    is_outcome_known = True


class Lost(Unavailable):
    """The connection is gone before anything was committed."""

    slug = "database-connection-lost"
    title = "The connection to the database was lost; nothing was committed"
    is_outcome_known = True


class OutcomeUnknown(Unavailable):
    """The connection was lost while it committed: it did, or it did not.

    Whoever asks again with the same idempotency key finds out.
    """

    slug = "outcome-unknown"
    title = "The connection to the database was lost during a commit"


ERRORS: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What the driver raises."""
CANNOT_CONNECT: tuple[type[Exception], ...] = (*ERRORS, ValueError, OverflowError)
"""What it raises at a connection: an address can be wrong in more ways."""

_COLLISIONS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
_LOSSES = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_WRONG = ("22", "25", "26", "34", "42", "0A")
"""Classes of SQLSTATE that say that a statement can never be right."""


def named(error: BaseException, *, is_closed: bool) -> EmporionError:
    """Our name for an error of the driver; `is_closed`: the connection is gone."""
    # The message alone: its details quote the row, which may be somebody's address.
    told = f"{type(error).__name__}: {getattr(error, 'message', None) or error}"
    match error:
        case asyncpg.UniqueViolationError():
            found: EmporionError = UniqueViolation(told)
        case _ if isinstance(error, _COLLISIONS):
            found = Collision(told)
        case asyncpg.QueryCanceledError():
            found = ResourceExhausted("the query ran too long and was interrupted")
        case _ if is_closed or isinstance(error, _LOSSES):
            found = Lost(f"the connection to PostgreSQL was lost: {told}")
        case asyncpg.IntegrityConstraintViolationError():
            found = Internal(f"a constraint refused the write: {told}")
        case _ if _is_wrong(error):
            found = Internal(f"a statement is wrong: {told}")
        case _:
            found = Unavailable(f"PostgreSQL cannot answer: {told}")
    return found


def _is_wrong(error: BaseException) -> bool:
    state: str = getattr(error, "sqlstate", None) or ""
    return isinstance(error, asyncpg.InterfaceError) or state[:2] in _WRONG


def place(dsn: str) -> str:
    """Engine, host and database of a DSN; never a user's password."""
    parts = urlsplit(dsn)
    if parts.scheme not in {"postgresql", "postgres"}:
        return "a PostgreSQL database whose address does not begin with postgresql://"
    host = parts.netloc.rpartition("@")[2] or "the local socket"
    return f"the PostgreSQL database {parts.path.lstrip('/') or 'of that name'!r} at {host}"


def reason(error: BaseException, dsn: str) -> str:
    """What the driver says of a connection that it could not make, without a word of the DSN's."""
    told = str(error)
    secret = urlsplit(dsn).netloc.rpartition("@")[0].partition(":")[2]
    is_told = dsn in told or any(word in told for word in (secret, unquote(secret)) if word)
    return type(error).__name__ if is_told else told

"""Names the errors of the engine; no message tells an address's credentials."""

from urllib.parse import urlsplit

from pymongo import errors

from emporion.chassis.data.database import UniqueViolation
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    Internal,
    ResourceExhausted,
    Unavailable,
)

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
_DUPLICATE = frozenset({11000, 11001, 12582})
_VALIDATION = 121
_CONFLICTS = frozenset({112, 11601})
"""WriteConflict, and Interrupted: another instance took this one for dead."""
_REFUSED = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, and how Atlas says it."""


class ConflictInTransaction(Unavailable):
    """Another transaction changed the same documents first. Nothing was done."""

    slug = "write-conflict"
    title = "Others changed the same documents at the same time"
    is_outcome_known = True


def host_of(url: str) -> str:
    """Where an address leads, without the name and the password in it."""
    return urlsplit(url).netloc.rpartition("@")[2] or "(no host)"


def cause(error: errors.PyMongoError) -> errors.PyMongoError:
    """The error inside the one that a bulk write raises around it."""
    if isinstance(error, errors.ClientBulkWriteException):
        told = error.error or next(iter(error.write_errors or ()), None)
    elif isinstance(error, errors.BulkWriteError):
        told = next(iter((error.details or {}).get("writeErrors", ())), None)
    else:
        return error
    if isinstance(told, errors.PyMongoError):
        return told
    if isinstance(told, dict):
        inner = told.get("error")
        details = inner if isinstance(inner, dict) else told
        return errors.OperationFailure(str(details.get("errmsg", "")), details.get("code"), details)
    return error


def _by_code(code: int | None, where: str) -> EmporionError | None:
    if code in _DUPLICATE:
        return UniqueViolation("a document with this key exists")
    if code == _VALIDATION:
        return Internal("a constraint refused the write")
    if code in _REFUSED:
        return Unavailable(f"MongoDB at {where} refuses the name and password it was given")
    return None


def is_transient(error: errors.PyMongoError) -> bool:
    """Whether nothing of the transaction was done and it may run again."""
    inner = cause(error)
    return (
        error.has_error_label(TRANSIENT)
        or inner.has_error_label(TRANSIENT)
        or getattr(inner, "code", None) in _CONFLICTS
    )


def named(error: errors.PyMongoError, where: str) -> EmporionError:
    """Our name for an error of the engine at `where` (its host)."""
    inner = cause(error)
    if isinstance(inner, errors.ConnectionFailure):
        return _disconnected(inner, where)
    if is_transient(error):
        return ConflictInTransaction()
    by_code = _by_code(getattr(inner, "code", None), where)
    if by_code is not None:
        return by_code
    if inner.timeout:
        return DeadlineExceeded(f"MongoDB at {where} did not answer in time")
    if isinstance(inner, errors.OperationFailure):
        return Internal(f"MongoDB at {where} refuses a command: {_text(inner)}")
    return Unavailable(f"MongoDB at {where} cannot answer: {type(inner).__name__}")


def _disconnected(error: errors.ConnectionFailure, where: str) -> EmporionError:
    if isinstance(error, errors.WaitQueueTimeoutError):
        return ResourceExhausted(f"too many wait for a connection to MongoDB at {where}")
    if isinstance(error, errors.ServerSelectionTimeoutError):
        return Unavailable(f"MongoDB at {where} cannot be reached")
    if error.timeout:
        return DeadlineExceeded(f"MongoDB at {where} did not answer in time")
    return Unavailable(f"the connection to MongoDB at {where} was lost")


def _text(error: errors.OperationFailure) -> str:
    details = error.details or {}
    return f"{details.get('codeName', 'error')} ({error.code}): {details.get('errmsg', '')}"[:300]

"""Every error that may cross a boundary, in one tree.

EmporionError
├── InvalidArgument      the request can never be right              400
├── Unauthenticated      we do not know who is asking                401
├── PermissionDenied     we know, and the answer is no               403
├── NotFound             there is no such thing (or it is not yours) 404
├── Conflict             somebody else changed it first              409
├── FailedPrecondition   right request, wrong state: a refusal       409
├── ResourceExhausted    a limit on rate, size or number is reached  429
├── Internal             our fault; the cause is in the log          500
├── Unavailable          cannot be answered now; try again           503
└── DeadlineExceeded     not answered in time; the outcome is unknown 504

The categories are gRPC's. A named condition (`OutOfStock`, `EmptyOrder`) subclasses one of them
and carries a slug. On the wire an error is (slug, category, detail, fields); a caller gets the
same class back when its contract declares it, the category otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

Field = str | int | bool | None | Sequence[str | Mapping[str, str | int | None]]


class EmporionError(Exception):
    """Base of the tree. `detail` is shown to the client: never put secrets or personal data in it.

    `fields` are machine-readable members of the problem document (e.g. `sku`, `available`).
    """

    slug: str = "error"
    category: ClassVar[str] = "Internal"
    title: str = "Something went wrong"
    is_retryable: ClassVar[bool] = False
    """Whether the same request may succeed later without a change of state by the caller."""
    is_outcome_known: ClassVar[bool] = True
    """Whether the error proves that nothing was done (a refusal) or leaves it open (a timeout)."""

    def __init__(self, detail: str = "", /, **fields: Field) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.fields: Mapping[str, Field] = fields


class InvalidArgument(EmporionError):
    """The request can never be right."""

    slug = "invalid-argument"
    category = "InvalidArgument"
    title = "The request is not valid"


class Unauthenticated(EmporionError):
    """We do not know who is asking."""

    slug = "unauthenticated"
    category = "Unauthenticated"
    title = "Sign in first"


class PermissionDenied(EmporionError):
    """We know who is asking, and the answer is no."""

    slug = "permission-denied"
    category = "PermissionDenied"
    title = "This is not allowed"


class NotFound(EmporionError):
    """There is no such thing, or it is somebody else's."""

    slug = "not-found"
    category = "NotFound"
    title = "Not found"


class Conflict(EmporionError):
    """Somebody else changed it first: load again, decide again."""

    slug = "conflict"
    category = "Conflict"
    title = "It was changed in the meantime"


class FailedPrecondition(EmporionError):
    """A right request in the wrong state: a refusal. Nothing was done."""

    slug = "failed-precondition"
    category = "FailedPrecondition"
    title = "This is not possible in the current state"


class ResourceExhausted(EmporionError):
    """A limit on rate, size or number is reached."""

    slug = "resource-exhausted"
    category = "ResourceExhausted"
    title = "Too many requests"
    is_retryable = True


class Internal(EmporionError):
    """Our fault. The cause is in the log, under the trace id; whether it took effect is unknown."""

    slug = "internal"
    category = "Internal"
    title = "Something went wrong on our side"
    is_retryable = True
    is_outcome_known = False


class Unavailable(EmporionError):
    """Cannot be answered now. The outcome is unknown: the answer may have been lost."""

    slug = "unavailable"
    category = "Unavailable"
    title = "Not available at the moment"
    is_retryable = True
    is_outcome_known = False


class DeadlineExceeded(EmporionError):
    """Not answered in time. The outcome is unknown."""

    slug = "deadline-exceeded"
    category = "DeadlineExceeded"
    title = "Not answered in time"
    is_retryable = True
    is_outcome_known = False


CATEGORIES: Mapping[str, type[EmporionError]] = {
    kind.category: kind
    for kind in (
        InvalidArgument,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        Conflict,
        FailedPrecondition,
        ResourceExhausted,
        Internal,
        Unavailable,
        DeadlineExceeded,
    )
}

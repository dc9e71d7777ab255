"""Problem documents (RFC 9457) back into the errors of the kernel's tree."""

from collections.abc import Iterable

import msgspec

from emporion.kernel.errors import (
    CATEGORIES,
    DeadlineExceeded,
    EmporionError,
    FailedPrecondition,
    Field,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

RETRIABLE = frozenset({429, 500, 502, 503, 504})
"""Answers after which the same request with the same key is worth another try."""

_BY_STATUS: dict[int, type[EmporionError]] = {
    400: InvalidArgument,
    401: Unauthenticated,
    402: FailedPrecondition,
    403: PermissionDenied,
    404: NotFound,
    408: DeadlineExceeded,
    409: FailedPrecondition,
    413: InvalidArgument,
    422: InvalidArgument,
    429: ResourceExhausted,
    502: Unavailable,
    503: Unavailable,
    504: DeadlineExceeded,
}
_STANDARD = frozenset({"type", "title", "status", "detail", "instance"})


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, as the shop said it; `slug` is `http-<status>` when it said nothing."""

    status: int
    slug: str
    detail: str
    fields: dict[str, Field]


def read_problem(status: int, body: bytes) -> Problem:
    """The problem in an answer; one without a readable document gives what the status tells."""
    try:
        document = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, msgspec.ValidationError):
        document = {}
    slug = _slug(document) or f"http-{status}"
    detail = document.get("detail") or document.get("title") or f"the shop answered {status}"
    fields: dict[str, Field] = {
        name: value
        for name, value in document.items()
        if name not in _STANDARD and isinstance(value, str | int | bool | list)
    }
    return Problem(status, slug, str(detail), fields)


def _slug(document: dict[str, object]) -> str:
    kind = document.get("type")
    if not isinstance(kind, str) or kind == "about:blank":
        return ""
    return kind.rstrip("/").rpartition("/")[2].rpartition(":")[2]


def to_error(problem: Problem, declared: Iterable[type[EmporionError]]) -> EmporionError:
    """The declared refusal of that slug, or the category: by its slug, or else by the status."""
    for kind in (*declared, *CATEGORIES.values()):
        if kind.slug == problem.slug:
            break
    else:
        kind = _BY_STATUS.get(problem.status, Internal)
    return kind(problem.detail, **problem.fields)

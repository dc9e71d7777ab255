"""Errors as HTTP answers: one table of statuses, and problem documents (RFC 9457)."""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from emporion.chassis.http.exchange import Header, Response
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)

STATUS_OF_CATEGORY: Final[Mapping[str, int]] = {
    "InvalidArgument": 400,
    "Unauthenticated": 401,
    "PermissionDenied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "FailedPrecondition": 409,
    "ResourceExhausted": 429,
    "Internal": 500,
    "Unavailable": 503,
    "DeadlineExceeded": 504,
}
STATUS_OF_SLUG: Final[Mapping[str, int]] = {
    "payment-declined": 402,
    "method-not-allowed": 405,
    "body-too-slow": 408,
    "head-too-slow": 408,
    "body-too-large": 413,
    "unsupported-media-type": 415,
    "invalid-body": 422,
    "idempotency-key-reused": 422,
    "head-too-large": 431,
}
"""Where one condition has a status of its own, apart from its category's."""

RETRY_AFTER_S: Final[Mapping[int, int]] = {429: 1, 503: 1}
"""What Retry-After says when the error itself does not know."""

TYPE_PREFIX: Final = "urn:emporion:problem:"
CONTENT_TYPE: Final = b"application/problem+json"
_OWN_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "instance", "trace_id"})
_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_encode: Final = msgspec.json.Encoder().encode


class NoSuchRoute(NotFound):
    """Nothing answers under this path."""

    slug = "no-such-route"
    title = "There is nothing under this address"


class MethodNotAllowed(InvalidArgument):
    """The path exists, with other verbs (field `allow`)."""

    slug = "method-not-allowed"
    title = "This address does not answer that verb"


class UnknownParameter(InvalidArgument):
    """A query parameter that the method does not have (field `errors`)."""

    slug = "unknown-parameter"
    title = "Unknown query parameter"


class InvalidParameter(InvalidArgument):
    """A value in the path, the query or a header is not valid (field `errors`)."""

    slug = "invalid-parameter"
    title = "A parameter is not valid"


class IdempotencyKeyRequired(InvalidArgument):
    """The command must name its idempotency key."""

    slug = "idempotency-key-required"
    title = "Send an Idempotency-Key header"


class MalformedBody(InvalidArgument):
    """The body is not JSON in UTF-8."""

    slug = "malformed-body"
    title = "The body is not valid JSON"


class InvalidBody(InvalidArgument):
    """The body is JSON, but not what the method takes (field `errors`)."""

    slug = "invalid-body"
    title = "The body is not valid"


class BodyTooLarge(InvalidArgument):
    """The body is longer than the method takes (field `bytes_max`)."""

    slug = "body-too-large"
    title = "The body is too large"


class BodyTooSlow(DeadlineExceeded):
    """The body did not arrive in time. Nothing was done."""

    slug = "body-too-slow"
    title = "The body did not arrive in time"
    is_outcome_known = True


class UnsupportedMediaType(InvalidArgument):
    """The body is not declared as JSON, or is compressed."""

    slug = "unsupported-media-type"
    title = "Send the body as application/json, uncompressed"


class TooManyRequests(ResourceExhausted):
    """This address asks too often; the field `retry_after_s` says when to come back."""

    slug = "too-many-requests"
    title = "Too many requests from this address"


def wrong_at(kind: type[InvalidArgument], field: str, said: str) -> InvalidArgument:
    """The error `kind`, naming the field in its detail and in its member `errors`."""
    errors: list[dict[str, str | int | None]] = [{"field": field, "message": said}]
    return kind(f"{field}: {said}" if field else said, errors=errors)


def status_of(kind: EmporionError | type[EmporionError]) -> int:
    """The HTTP status of an error."""
    return STATUS_OF_SLUG.get(kind.slug) or STATUS_OF_CATEGORY[kind.category]


def problem_document(error: EmporionError, trace_id: str) -> dict[str, object]:
    """The members of the problem document. A field named like a member of it gets `field_`.

    `errors` lists the wrong fields, whether the edge or the service found them.
    """
    document: dict[str, object] = {
        "type": TYPE_PREFIX + error.slug,
        "title": error.title,
        "status": status_of(error),
        "detail": error.detail,
        "trace_id": trace_id,
    }
    for name, value in error.fields.items():
        document[f"field_{name}" if name in _OWN_MEMBERS else name] = value
    if isinstance(error, InvalidArgument) and "field" in document:
        document["errors"] = [{"field": document.pop("field"), "message": error.detail}]
    return document


def problem_response(error: EmporionError, trace_id: str) -> Response:
    """The whole answer, with Retry-After, Allow and WWW-Authenticate where they belong."""
    status = status_of(error)
    headers = [(b"content-type", CONTENT_TYPE), _NO_STORE, *_advice(error, status)]
    return Response(status, headers, _encode(problem_document(error, trace_id)))


def _advice(error: EmporionError, status: int) -> list[Header]:
    headers: list[Header] = []
    retry_after_s = error.fields.get("retry_after_s", RETRY_AFTER_S.get(status))
    if isinstance(retry_after_s, int | float):
        headers.append((b"retry-after", b"%d" % max(0, math.ceil(retry_after_s))))
    allow = error.fields.get("allow")
    if isinstance(error, MethodNotAllowed) and isinstance(allow, list):
        headers.append((b"allow", ", ".join(map(str, allow)).encode()))
    if status == STATUS_OF_CATEGORY["Unauthenticated"]:
        headers.append((b"www-authenticate", b'Bearer realm="emporion"'))
    return headers

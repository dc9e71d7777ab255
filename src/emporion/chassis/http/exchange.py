"""One request with its answer, as the routes see them: no framework, no copies of headers."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from emporion.chassis.calls.context import NO_TRACE, Trace

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

WHOLE_BODY: Final = "emporion.body"
"""In a scope: all of the body, when the server has it at hand; then nobody need receive it."""
NO_ROUTE: Final = "(none)"
"""The route of a request that found none: a path as sent would make endless metric labels."""
SKIPPED_BYTES_MAX: Final = 256 * 1024
LENGTH_DIGITS_MAX: Final = 15
UNREADABLE_LENGTH: Final = 10**LENGTH_DIGITS_MAX


class ClientGone(Exception):
    """The client hung up before its request was complete: there is nobody to answer."""


class Response:
    """Status, headers and the whole body of an answer. `content-length` is added when sent.

    With `parts` the body follows in these instead, each sent as it comes; they are closed when
    the client has gone or the server drains, which is looked at after each: an empty one sends
    nothing.
    """

    __slots__ = ("body", "headers", "parts", "status")

    def __init__(
        self,
        status: int,
        headers: list[Header],
        body: bytes = b"",
        *,
        parts: AsyncGenerator[bytes, None] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.parts = parts


class Exchange:
    """A request on its way through: what the ASGI server gave, and what was read from it.

    `path_values` are the decoded path parameters in the order of the route's template;
    `route` is its template, or NO_ROUTE. `trace` is that of the request itself, `parent` what the
    client sent, or the beginning of a new one. `started_s` is monotonic; `is_body_read` says that
    nothing of the body is left unread.
    """

    __slots__ = (
        "headers",
        "is_body_read",
        "parent",
        "path_values",
        "receive",
        "route",
        "scope",
        "started_s",
        "subject",
        "trace",
    )

    def __init__(self, scope: Scope, receive: Receive, started_s: float) -> None:
        self.scope = scope
        self.receive = receive
        self.started_s = started_s
        sent = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(sent)
        if len(self.headers) != len(sent):
            self.headers = _joined(sent)
        self.path_values: tuple[str, ...] = ()
        self.trace: Trace = NO_TRACE
        self.parent: Trace = NO_TRACE
        self.subject = ""
        self.route = NO_ROUTE
        self.is_body_read = False

    @property
    def client(self) -> str:
        """The address of the client, or empty when it has none (a Unix socket)."""
        peer = self.scope.get("client")
        return peer[0] if peer else ""

    @property
    def has_long_body_left(self) -> bool:
        """Whether an unread body is too much to skip over on a kept-alive connection."""
        if b"transfer-encoding" in self.headers:
            return True
        return declared_length(self) > SKIPPED_BYTES_MAX


def _joined(sent: Sequence[Header]) -> dict[bytes, bytes]:
    """What HTTP takes a header to say that was sent more than once.

    A second Authorization or Idempotency-Key so makes neither of the two good, whichever of them
    a proxy looked at.
    """
    joined: dict[bytes, bytes] = {}
    for name, value in sent:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def declared_length(exchange: Exchange) -> int:
    """What `content-length` says; 0 without one, beyond any limit when it is no number."""
    declared = exchange.headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > LENGTH_DIGITS_MAX:
        return UNREADABLE_LENGTH
    return int(declared)

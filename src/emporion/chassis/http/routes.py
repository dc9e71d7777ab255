"""What a route is, and the two kinds of ours: a method of a contract, and a plain page."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec

from emporion.chassis.auth.identity import ANONYMOUS, Identity
from emporion.chassis.calls.context import NEVER_S, Call
from emporion.chassis.http.binding import Binding
from emporion.chassis.http.body import BodyReader
from emporion.chassis.http.exchange import Exchange, Header, Response
from emporion.chassis.http.problem import InvalidParameter, wrong_at
from emporion.chassis.http.shape import RestShape, is_changing
from emporion.chassis.http.throttle import Throttle
from emporion.contracts.contract import Message, Rpc, Service, path_parameters

TIMEOUT_S_MAX: Final = 60.0
TIMEOUT_HEADER: Final = "X-Request-Timeout-S"
JSON: Final = (b"content-type", b"application/json")
NO_STORE: Final = (b"cache-control", b"no-store")
_ACCEPTED: Final = 202
_encode: Final = msgspec.json.Encoder().encode


class Route(Protocol):
    """What answers the requests of a verb and a path."""

    @property
    def verb(self) -> str:
        """The HTTP verb, upper case."""
        ...

    @property
    def path(self) -> str:
        """The template, such as `/orders/{order_id}`."""
        ...

    async def serve(self, exchange: Exchange) -> Response:
        """The answer. Raises EmporionError, which becomes a problem document, or ClientGone."""
        ...


Answer = Callable[[Any, Call], Awaitable[Any]]
"""A validated request and its call in, the reply out; raises EmporionError only."""


class Door(Protocol):
    """Where the calls of one service enter: `chassis.calls.inbound.Inbound` is one."""

    @property
    def contract(self) -> type[Service]:
        """The service's interface."""
        ...

    def method(self, rpc: Rpc) -> Answer:
        """The inbound chain of one method."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """What stands before every method.

    Args:
        authenticate: from the Authorization header (None: absent) to an identity; raises
            Unauthenticated. Called only for methods that need a scope.
        bodies, throttle: limits on what clients may send, and how often without a token.
    """

    authenticate: Callable[[bytes | None], Identity]
    bodies: BodyReader
    throttle: Throttle


class RpcRoute:
    """A method of a contract behind its verb and path."""

    def __init__(self, shape: RestShape, answer: Answer, gate: Gate) -> None:
        self.verb = shape.rest.verb
        self.path = shape.rest.path
        self._answer = answer
        self._gate = gate
        self._binding = Binding(shape)
        self._has_body = shape.has_body
        self._bytes_max = shape.rest.body_bytes_max
        self._scope = shape.rpc.access.scope
        is_open = self._scope is None and not shape.rpc.access.is_signed
        self._is_throttled = is_open and is_changing(shape.rpc)
        self._status = shape.status
        self._may_be_pending = shape.may_be_pending
        is_private = self._scope is not None or is_changing(shape.rpc)
        self._headers: list[Header] = [JSON, *([NO_STORE] if is_private else [])]
        self._location = _Location(shape.location) if shape.location else None

    async def serve(self, exchange: Exchange) -> Response:
        """Authenticate, read, call, and render the reply. Raises EmporionError or ClientGone."""
        gate = self._gate
        identity = ANONYMOUS
        if self._scope is not None:
            identity = gate.authenticate(exchange.headers.get(b"authorization"))
            exchange.subject = identity.subject
            identity.require_scope(self._scope)
        elif self._is_throttled:
            gate.throttle.take(exchange.client, exchange.started_s)
        body = b""
        if self._has_body:
            at_hand = gate.bodies.at_hand(exchange, self._bytes_max)
            if at_hand is None:
                at_hand = await gate.bodies.read(exchange, self._bytes_max)
            body = at_hand
        call = Call(identity, exchange.trace, _deadline_s(exchange))
        return self._render(await self._answer(self._binding.read(exchange, body), call))

    def _render(self, reply: Message) -> Response:
        status = self._status
        if status == 204:  # noqa: PLR2004 - No Content has none
            return Response(status, [NO_STORE])
        if self._may_be_pending and reply.is_pending:  # type: ignore[attr-defined]  # a Reply has it
            status = _ACCEPTED
        headers = self._headers
        if self._location is not None and status in (201, _ACCEPTED):
            headers = [*headers, (b"location", self._location.of(reply))]
        return Response(status, headers, _encode(reply))


class _Location:
    """Fills the path of the route that shows what was made from the reply."""

    def __init__(self, path: str) -> None:
        self._fixed = re.split("{.*?}", path)
        self._rest = tuple(zip(path_parameters(path), self._fixed[1:], strict=True))

    def of(self, reply: Message) -> bytes:
        path = self._fixed[0]
        for name, after in self._rest:
            value = str(getattr(reply, name))
            path += value if value.isidentifier() else quote(value, safe="")
            path += after
        return path.encode()


def _deadline_s(exchange: Exchange) -> float:
    """When the client stops waiting, if it says so; the chain applies the method's own limit."""
    sent = exchange.headers.get(b"x-request-timeout-s")
    if sent is None:
        return NEVER_S
    try:
        timeout_s = float(sent)
    except ValueError:
        timeout_s = 0.0
    if not timeout_s > 0.0:  # also refuses nan
        raise wrong_at(InvalidParameter, TIMEOUT_HEADER, "a number of seconds above 0")
    return exchange.started_s + min(timeout_s, TIMEOUT_S_MAX)


@dataclass(frozen=True, slots=True)
class Page:
    """A plain GET route: `/metrics`, `/readyz/{service}`.

    `show` is given the path parameters by name and returns status, content type and body; it may
    raise EmporionError.
    """

    path: str
    show: Callable[[Mapping[str, str]], Awaitable["Shown"]]
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page answers."""

    body: bytes
    content_type: str = "application/json"
    status: int = 200


class PageRoute:
    """A page behind GET."""

    verb = "GET"

    def __init__(self, page: Page) -> None:
        self.path = page.path
        self._page = page
        self._names = tuple(path_parameters(page.path))

    async def serve(self, exchange: Exchange) -> Response:
        """Show the page."""
        shown = await self._page.show(dict(zip(self._names, exchange.path_values, strict=True)))
        content_type = (b"content-type", shown.content_type.encode())
        return Response(shown.status, [content_type, *self._page.headers], shown.body)

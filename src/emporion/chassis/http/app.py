"""The ASGI application of a process: routes from contracts, plain pages, and nothing else."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import msgspec

from emporion.chassis.auth.identity import Identity
from emporion.chassis.calls.context import NO_TRACE, Trace
from emporion.chassis.http.body import BodyReader
from emporion.chassis.http.exchange import (
    ClientGone,
    Exchange,
    Header,
    Receive,
    Response,
    Scope,
    Send,
)
from emporion.chassis.http.problem import problem_response
from emporion.chassis.http.router import Router
from emporion.chassis.http.routes import Door, Gate, Page, PageRoute, Route, RpcRoute
from emporion.chassis.http.shape import rest_shapes
from emporion.chassis.http.throttle import Throttle, ThrottleLimits
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import Audience
from emporion.kernel.errors import EmporionError, Internal, Unavailable

_log = logging.getLogger(__name__)

CLIENT_GONE: Final = 499
LOOKS: Final = (
    b"/livez",
    b"/readyz",
    b"/metrics",
    b"/api/operations/service-map",
    b"/api/operations/traces",
    b"/api/operations/logs",
    b"/api/operations/metrics",
    b"/console",
    b"/static/",
)
"""Whoever looks how the shop does, every second, is not recorded, nor who fetches files of its
pages: it would crowd out the rest."""
EDGE_HEADER: Final = b"x-edge-start"
"""When the proxy in front took the request, in seconds since the epoch."""
VERBS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_CLOSE: Final = (b"connection", b"close")


class Served(msgspec.Struct, frozen=True, gc=False):
    """One answered request, for the access log and the metrics.

    `route` is the template, `NO_ROUTE` when there was none; `verb` one of `VERBS` or "OTHER";
    `status` 499 when the client hung up; `subject` the verified caller's, or empty; `trace` the
    request's own, `parent_id` the span that caused it, 16 zeros for none. `began` is what a proxy
    in front wrote into EDGE_HEADER, as it was sent.
    """

    verb: str
    route: str
    status: int
    duration_s: float
    trace: Trace
    subject: str
    parent_id: str
    began: str


def _same(trace: Trace) -> Trace:
    """For applications whose requests are no spans of their own."""
    return trace


def as_problem(_exchange: Exchange, _error: EmporionError) -> None:
    """Everybody understands a problem document."""


def _none() -> Trace:
    """For applications without telemetry."""
    return NO_TRACE


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what clients may send; sizes of bodies are the contract's."""

    body_timeout_s: float = 10.0
    throttle: ThrottleLimits = field(default_factory=ThrottleLimits)


@dataclass(frozen=True, slots=True)
class Edge:
    """What the application needs from the process around it.

    Args:
        runtime: clock and tasks.
        authenticate: from an Authorization header to an identity; raises Unauthenticated.
        trace_of: the trace context of a `traceparent` header, or a new one (None: absent).
        unrecorded: the trace context of a request that only looks; by default none.
        child_of: the trace context of the request itself, given what `trace_of` returned.
        record: told of every request once it is answered; must not raise.
        limits: see HttpLimits.
        refuse: another answer to an error than the problem document, for whom it suits; None: it
            does not.
    """

    runtime: Runtime
    authenticate: Callable[[bytes | None], Identity]
    trace_of: Callable[[str | None], Trace]
    record: Callable[[Served], None]
    unrecorded: Callable[[], Trace] = _none
    child_of: Callable[[Trace], Trace] = _same
    limits: HttpLimits = field(default_factory=HttpLimits)
    refuse: Callable[[Exchange, EmporionError], Response | None] = as_problem


class _Verbs:
    """What OPTIONS answers."""

    def __init__(self, verbs: list[str]) -> None:
        self._allow = ", ".join(verbs).encode()

    async def serve(self, _: Exchange) -> Response:
        """The verbs of the path."""
        return Response(204, [(b"allow", self._allow)])


class HttpApp:
    """The REST surface of the services behind `doors`, with `pages` and other routes beside them.

    Internal methods have no route, whatever their declaration says. Every answer that is not a
    success is a problem document; an unexpected error is logged and told only by its trace id.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        edge: Edge,
        pages: Sequence[Page] = (),
        *,
        beside: Sequence[Route] = (),
    ) -> None:
        self._edge = edge
        self._now_s = edge.runtime.clock.monotonic_s
        gate = Gate(
            authenticate=edge.authenticate,
            bodies=BodyReader(edge.runtime, timeout_s=edge.limits.body_timeout_s),
            throttle=Throttle(edge.limits.throttle),
        )
        routes: list[Route] = [
            RpcRoute(shape, door.method(shape.rpc), gate)
            for door in doors
            for shape in rest_shapes(door.contract)
            if shape.rpc.access.audience is Audience.PUBLIC
        ]
        self._router: Router[Route] = Router([*routes, *map(PageRoute, pages), *beside])
        self._is_draining = False

    def begin_drain(self) -> None:
        """From now on every answer closes its connection, so that clients go elsewhere."""
        self._is_draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, self._now_s())
        headers = exchange.headers
        sent_trace = headers.get(b"traceparent") or headers.get(b"x-amzn-trace-id")
        edge = self._edge
        if scope["raw_path"].startswith(LOOKS) and scope["method"] != "POST":
            exchange.parent = edge.unrecorded()
        else:
            exchange.parent = edge.trace_of(sent_trace.decode("latin-1") if sent_trace else None)
        exchange.trace = edge.child_of(exchange.parent)
        try:
            response = await self._route(exchange).serve(exchange)
        except EmporionError as error:
            response = self._edge.refuse(exchange, error) or problem_response(
                error, exchange.trace.trace_id
            )
        except ClientGone:
            self._record(exchange, CLIENT_GONE)
            return
        except asyncio.CancelledError:
            stopped = Unavailable("the server stops; the outcome is not known")
            await self._send(exchange, problem_response(stopped, exchange.trace.trace_id), send)
            raise
        except Exception:  # noqa: BLE001 - the last resort: logged, told by its trace id only
            _log.exception("unexpected error, trace %s", exchange.trace.trace_id)
            response = problem_response(Internal(), exchange.trace.trace_id)
        try:
            await self._send(exchange, response, send)
        except ClientGone:
            self._record(exchange, CLIENT_GONE)
        else:
            self._record(exchange, response.status)

    def _route(self, exchange: Exchange) -> Route | _Verbs:
        verb, raw_path = exchange.scope["method"], exchange.scope["raw_path"]
        if verb == "OPTIONS":
            return _Verbs(self._router.allowed(raw_path))
        route, exchange.path_values = self._router.find(verb, raw_path)
        exchange.route = route.path
        return route

    async def _send(self, exchange: Exchange, response: Response, send: Send) -> None:
        headers: list[Header] = [
            *response.headers,
            _NOSNIFF,
            (b"x-trace-id", exchange.trace.trace_id.encode()),
        ]
        if response.status != 204 and response.parts is None:  # noqa: PLR2004 - No Content has no length either
            headers.append((b"content-length", b"%d" % len(response.body)))
        if self._is_draining or (not exchange.is_body_read and exchange.has_long_body_left):
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        is_head = exchange.scope["method"] == "HEAD"
        if response.parts is not None and not is_head:
            await self._send_parts(response.parts, send)
            return
        body = b"" if is_head else response.body
        await send({"type": "http.response.body", "body": body})

    async def _send_parts(self, parts: AsyncGenerator[bytes, None], send: Send) -> None:
        """Each part as it comes, until they end, the client goes (ClientGone), or we drain."""
        async with aclosing(parts):
            async for part in parts:
                if self._is_draining:
                    break
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _record(self, exchange: Exchange, status: int) -> None:
        verb = exchange.scope["method"]
        self._edge.record(
            Served(
                verb if verb in VERBS else "OTHER",
                exchange.route,
                status,
                self._now_s() - exchange.started_s,
                exchange.trace,
                exchange.subject,
                exchange.parent.span_id,
                exchange.headers.get(EDGE_HEADER, b"").decode("latin-1"),
            )
        )

"""The door of a service: every call, local or from an edge, enters by the same ordered chain."""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, current_call, enter, leave
from emporion.chassis.calls.convoys import Convoys
from emporion.chassis.calls.wire import ErrorTable, invalid
from emporion.chassis.resilience.faults import CallLink, Target
from emporion.chassis.resilience.limiter import AdaptiveLimiter
from emporion.chassis.resilience.wheel import Flight
from emporion.chassis.telemetry.metrics import BOUNDS_S, Count
from emporion.chassis.telemetry.sampling import SLOW_S
from emporion.chassis.telemetry.spans import OK, Span
from emporion.contracts.contract import Audience, Message, Request, Retry, Rpc, Service, rpcs
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    Internal,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)

Bound = Callable[[Any, Call], Awaitable[Any]]
"""`await bound(request, call)`: a validated request in, the reply out; raises EmporionError only.

An edge builds `call` from what it received: the verified identity, the trace context of the
`traceparent` header (`Telemetry.trace_of(header)` also starts a new one), the deadline of the
client or NEVER_S. The chain narrows the deadline to the method's own timeout, makes the child
span, checks access, sheds load, and turns unexpected errors into Internal.
"""
EDGE = "edge"
REMOTE = "remote"
"""Another process, which tells in its own metrics who called."""
CANCELLED = "cancelled"
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_INVALID = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""What an encoder or decoder raises about a request that does not keep to its contract."""


class Inbound:
    """One service's door."""

    def __init__(
        self,
        contract: type[Service],
        implementation: Service,
        chain: Chain,
        *,
        shed_first: bool = False,
    ) -> None:
        self.contract = contract
        self.service = contract.NAME
        self.chain = chain
        self.shed_first = shed_first
        self._implementation = implementation
        self._link: CallLink | None = None
        self._served: list[ServedMethod] = []

    @property
    def rpcs(self) -> dict[str, Rpc]:
        """The methods of the contract by name."""
        return rpcs(self.contract)

    def authorise(self, rpc: Rpc, identity: Identity) -> None:
        """Check access alone, so that an edge can refuse before it decodes a body.

        Raises Unauthenticated or PermissionDenied. The chain checks it again.
        """
        authorise(rpc, identity)

    def method(self, rpc: Rpc, *, caller: str = EDGE) -> Bound:
        """The callable of one method, built once at start-up, for HTTP and gRPC.

        The edge has decoded the request, and so validated it. Its calls are what the adaptive
        limit counts. Raises Unauthenticated, PermissionDenied, ResourceExhausted (shed),
        DeadlineExceeded, the refusals that the method declares, and Internal.
        """
        served = ServedMethod(self, rpc, caller=caller, validates=False)
        return EdgeMethod(self.chain, served, is_optional=self.shed_first).answer

    def local(self, rpc: Rpc, caller: str) -> "ServedMethod":
        """The same for callers of this process: validates, and is not limited a second time."""
        served = ServedMethod(self, rpc, caller=caller, validates=True)
        if self.shed_first:
            served.shedder = self.chain.limiter
        return served

    def interpose(self, link: CallLink | None) -> None:
        """From now on every call goes through `link` before it is answered; None: through none.

        A call pays nothing while there is none: what answers is put into its method.
        """
        self._link = link
        for served in self._served:
            served.target = self._target(served.rpc)

    def serves(self, method: "ServedMethod") -> Target:
        """What answers a method, which is told when that changes."""
        self._served.append(method)
        return self._target(method.rpc)

    def _target(self, rpc: Rpc) -> Target:
        method: Target = getattr(self._implementation, rpc.name)
        return method if self._link is None else self._link(method)


class ServedMethod:
    """One method behind the inbound chain, for one caller; everything is resolved beforehand."""

    __slots__ = (
        "admitted", "caller", "count_failure", "decode", "durations", "errors", "failures",
        "flights", "is_internal", "monotonic_s", "name", "reply", "rpc", "scope", "service",
        "shedder", "spans", "target", "wheel",
    )  # fmt: skip

    def __init__(self, inbound: Inbound, rpc: Rpc, *, caller: str, validates: bool) -> None:
        chain, metrics = inbound.chain, inbound.chain.telemetry.metrics
        labels = {"service": inbound.service, "method": rpc.name, "caller": caller}
        self.rpc = rpc
        self.name = rpc.name
        self.scope = rpc.access.scope
        self.is_internal = rpc.access.audience is Audience.INTERNAL
        self.service = inbound.service
        self.caller = caller
        self.target = inbound.serves(self)
        self.reply = rpc.reply
        self.errors = ErrorTable(rpc.raises)
        self.admitted: Identity | None = None
        self.decode = msgspec.msgpack.Decoder(rpc.request).decode if validates else None
        self.shedder: AdaptiveLimiter | None = None
        self.monotonic_s = chain.runtime.clock.monotonic_s
        self.wheel = chain.wheel
        self.flights = chain.wheel.flights
        self.spans = chain.telemetry.spans
        self.durations = metrics.durations("call_seconds", "Calls that ended.", **labels)
        self.failures: dict[str, Count] = {}
        self.count_failure = partial(
            metrics.count, "call_failures", "Calls that ended with an error.", **labels
        )

    async def serve(self, request: Request, call: Call, parent_id: str) -> Message:
        """Answer one call; `call` is its own: the deadline is narrowed, the span is a new one."""
        started_s = self.monotonic_s()
        token = enter(call)
        flight: Flight | None = None
        outcome = CANCELLED
        try:
            if started_s >= call.deadline_s or call.identity is not self.admitted or self.shedder:
                self.admit(call, started_s)
            if self.decode is not None:
                request = self.decode(_encode(request))
            flight = self.wheel.enter(call.deadline_s)
            reply = await self.target(request)
            if type(reply) is not self.reply:
                raise TypeError(f"{self.rpc.name} answered with a {type(reply).__name__}")
            outcome = OK
            return reply
        except asyncio.CancelledError:
            error = self.abandoned(flight)
            if error is None:
                raise
            outcome = error.category
            raise error from None
        except Exception as error:
            raised = self.translated(error, is_begun=flight is not None)
            outcome = raised.category
            if raised is error:
                raise
            raise raised from error
        finally:
            if flight is not None:
                self.flights.discard(flight)
                if flight.is_expired:
                    self.wheel.leave(flight)
            leave(token)
            self.record(call, parent_id, started_s, outcome)

    def admit(self, call: Call, started_s: float) -> None:
        """The inbound chain before the request is looked at.

        An identity that was admitted last time is admitted again: it and the rule are immutable.
        """
        if started_s >= call.deadline_s:
            raise DeadlineExceeded("there was no time left to begin")
        if self.shedder is not None and self.shedder.refuses_optional:
            raise ResourceExhausted("too much is going on; try again in a moment")
        identity = call.identity
        if identity is not self.admitted:
            is_told_by_scope = self.scope is None or self.scope in identity.scopes
            if self.is_internal or not is_told_by_scope:
                authorise(self.rpc, identity)
            self.admitted = identity

    def abandoned(self, flight: Flight | None) -> EmporionError | None:
        """What a CancelledError means; None: the caller is being cancelled, let it pass."""
        if flight is None:
            return None
        if self.wheel.has_expired(flight):
            return DeadlineExceeded(f"{self.service} did not answer in time")
        if flight.task.cancelling() > flight.cancelling:
            return None
        # Nobody cancelled this task: something it waited for was cancelled under it.
        _log.warning("%s.%s was abandoned by its work", self.service, self.rpc.name)
        return Unavailable(f"{self.service} gave up the work")

    def translated(self, error: Exception, *, is_begun: bool) -> EmporionError:
        """The error as a caller may see it. An unexpected one is logged here and hidden."""
        if isinstance(error, EmporionError):
            return self.errors.as_declared(error)
        if not is_begun and isinstance(error, _INVALID):
            return invalid(error)
        return self.unexpected(error, current_call())

    def unexpected(self, error: Exception, call: Call) -> Internal:
        """Log what nobody declared; the caller learns no more than the trace id."""
        name = f"{self.service}.{self.rpc.name}"
        _log.error("%s failed: %s", name, type(error).__name__, exc_info=error)
        return Internal(trace_id=call.trace.trace_id)

    def record(self, call: Call, parent_id: str, started_s: float, outcome: str) -> None:  # noqa: PLR0917 - once a call
        """Tell the metrics and the spans how it went."""
        duration_s = self.monotonic_s() - started_s
        durations = self.durations
        durations.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        durations.total_s += duration_s
        if outcome is not OK:
            self.count(outcome)
        trace = call.trace
        if trace.is_sampled or outcome is not OK or duration_s > SLOW_S:
            span = Span(
                trace.trace_id, trace.span_id, parent_id, self.service, self.name, self.caller,
                started_s, duration_s, outcome,
            )  # fmt: skip
            self.spans.record(span)

    def count(self, outcome: str) -> None:
        """Count a failure by its category."""
        if outcome not in self.failures:
            self.failures[outcome] = self.count_failure(outcome=outcome)
        self.failures[outcome].add()


class EdgeMethod:
    """One method as an edge calls it: counted by the limit, with a deadline in any case."""

    __slots__ = (
        "_child_of", "_command", "_convoys", "_is_optional", "_limiter", "_monotonic_s",
        "_served", "_timeout_s",
    )  # fmt: skip

    def __init__(self, chain: Chain, served: ServedMethod, *, is_optional: bool) -> None:
        self._limiter = chain.limiter
        self._child_of = chain.telemetry.child_of
        self._monotonic_s = chain.runtime.clock.monotonic_s
        self._served = served
        self._timeout_s = served.rpc.timeout_s
        self._command = f"{served.service}.{served.name}"
        self._is_optional = is_optional
        sets_out = served.rpc.retry is Retry.KEYED and served.caller == EDGE
        self._convoys = Convoys() if chain.has_convoys and sets_out else None

    async def answer(self, request: Request, call: Call) -> Message:
        """See Bound."""
        limiter = self._limiter
        try:
            limiter.enter(is_optional=self._is_optional)
        except ResourceExhausted as error:
            self._served.count(error.category)
            raise
        now_s = self._monotonic_s()
        deadline_s = min(call.deadline_s, now_s + self._timeout_s)
        own = Call(call.identity, self._child_of(call.trace), deadline_s, self._command)
        try:
            if self._convoys is None:
                return await self._served.serve(request, own, call.trace.span_id)
            async with self._convoys.journey():
                return await self._served.serve(request, own, call.trace.span_id)
        finally:
            time_left_s = deadline_s - self._monotonic_s()
            limiter.leave(is_slow=time_left_s * 2 < deadline_s - now_s)


def authorise(rpc: Rpc, identity: Identity) -> None:
    """Raises Unauthenticated or PermissionDenied unless `identity` may call the method.

    An internal method answers services only, whatever scopes a person's token may carry.
    """
    access = rpc.access
    if access.scope is not None:
        identity.require_scope(access.scope)
    if access.audience is Audience.INTERNAL and identity.kind is not Kind.SERVICE:
        raise PermissionDenied("only for services")

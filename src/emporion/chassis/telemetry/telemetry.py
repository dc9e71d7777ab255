"""Traces, metrics and the guard over field names of one process, in one object."""

from contextvars import Token
from types import TracebackType
from typing import Self

from emporion.chassis.calls.context import Call, Trace, current_call, enter, leave
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.forbidden import FieldGuard
from emporion.chassis.telemetry.metrics import Metrics
from emporion.chassis.telemetry.sampling import OUTSIDE_FACTOR, SLOW_S, Sampler
from emporion.chassis.telemetry.spans import NO_PARENT, OK, Kind, Span, Spans
from emporion.chassis.telemetry.trace_ids import TraceIds, parse_xray
from emporion.kernel.errors import EmporionError


class Telemetry:
    """What a process tells about itself.

    Args:
        runtime: clock and randomness.
        is_strict: whether a forbidden field raises (tests, development) or is dropped and counted.
        traces_per_s: how many new traces of a second are recorded; None: all.
        is_xray: whether `X-Amzn-Trace-Id` is continued where there is no `traceparent`.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        is_strict: bool = True,
        traces_per_s: int | None = None,
        is_xray: bool = False,
    ) -> None:
        self.clock = runtime.clock
        self.sampler = Sampler(runtime.clock, per_s=traces_per_s)
        self.is_xray = is_xray
        outside = None if traces_per_s is None else traces_per_s * OUTSIDE_FACTOR
        self._outside = Sampler(runtime.clock, per_s=outside)
        self.ids = TraceIds(runtime.clock, runtime.random)
        self._span_id = self.ids.span_id
        self.spans = Spans(runtime.clock)
        self.metrics = Metrics()
        self.guard = FieldGuard(is_strict=is_strict)
        self.metrics.gauge(
            "telemetry_fields_refused",
            "Fields dropped because their name smells of a secret.",
            lambda: float(self.guard.refused.total()),
        )

    def trace_of(self, header: str | None) -> Trace:
        """The trace that a `traceparent` header continues; a new one without a valid header.

        What it returns is the *parent* of the work to come: its span id is that of the remote
        caller, or 16 zeros. Where a new trace is not to be recorded it is an id that nobody has:
        so that it is not taken for no trace at all.
        """
        trace = self._continued(header) if header else None
        return trace or self._begun(self.ids.trace_id())

    def outside_trace_of(self, header: str | None) -> Trace:
        """The same for a header from anybody: what it wants recorded has a bound.

        Otherwise whoever sends a flag could have every request recorded, which costs a third more.
        """
        trace = self.trace_of(header)
        is_asked_for = trace.is_sampled and trace.span_id != NO_PARENT
        if is_asked_for and not self._outside.takes():
            return Trace(trace.trace_id, trace.span_id, is_sampled=False)
        return trace

    def unrecorded(self) -> Trace:
        """The parent of work that is not worth a record, whatever a caller wants."""
        return Trace(self.ids.trace_id(), self._span_id(), is_sampled=False)

    def child_of(self, trace: Trace) -> Trace:
        """The trace context of work caused by `trace`; of a new trace when there is none."""
        if trace.is_sampled or trace.span_id != NO_PARENT:
            return Trace(trace.trace_id, self._span_id(), trace.is_sampled)
        return Trace(self.ids.trace_id(), self._span_id(), self.sampler.takes())

    def _continued(self, header: str) -> Trace | None:
        trace = Trace.parse(header)
        if trace is not None or not self.is_xray:
            return trace
        sent = parse_xray(header)
        if sent is None:
            return None
        trace_id, parent_id, is_sampled = sent
        if is_sampled is None or not parent_id:
            return self._begun(trace_id, is_sampled=is_sampled)
        return Trace(trace_id, parent_id, is_sampled)

    def _begun(self, trace_id: str, *, is_sampled: bool | None = None) -> Trace:
        if self.sampler.takes() if is_sampled is None else is_sampled:
            return Trace(trace_id, NO_PARENT)
        return Trace(trace_id, self._span_id(), is_sampled=False)

    def span(
        self, service: str, name: str, *, kind: Kind = Kind.WORK, **fields: object
    ) -> "OpenSpan":
        """`with telemetry.span("order", "saga step", step="charge payment"):` around some work.

        Calls made and lines logged inside belong to it. Raises ForbiddenField when strict.
        """
        allowed = self.guard.allowed(fields) if fields else None
        return OpenSpan(self, service, name, kind=kind, fields=allowed)


class OpenSpan:
    """Work under way; recorded when it ends, with the category of its error if it fails.

    `ended_as` may be set to say that it failed without an error.
    """

    __slots__ = (
        "_call",
        "_kind",
        "_name",
        "_parent",
        "_service",
        "_started_s",
        "_telemetry",
        "_token",
        "ended_as",
        "fields",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        service: str,
        name: str,
        *,
        kind: Kind,
        fields: dict[str, object] | None,
    ) -> None:
        self._telemetry = telemetry
        self._service = service
        self._name = name
        self._kind = kind
        self.ended_as = OK
        self.fields = fields

    def __enter__(self) -> Self:
        parent = current_call()
        trace = self._telemetry.child_of(parent.trace)
        is_root = trace.trace_id != parent.trace.trace_id
        self._parent = NO_PARENT if is_root else parent.trace.span_id
        self._call = Call(parent.identity, trace, parent.deadline_s, parent.command)
        self._token: Token[Call] = enter(self._call)
        self._started_s = self._telemetry.clock.monotonic_s()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        leave(self._token)
        trace = self._call.trace
        outcome = self.ended_as if kind is None else outcome_of(error)
        duration_s = self._telemetry.clock.monotonic_s() - self._started_s
        if not trace.is_sampled and outcome == OK and duration_s < SLOW_S:
            return
        span = Span(
            trace.trace_id, trace.span_id, self._parent, self._service, self._name, self._service,
            self._started_s, duration_s, outcome, self.fields, self._kind,
        )  # fmt: skip
        self._telemetry.spans.record(span)


def outcome_of(error: BaseException | None) -> str:
    """The word for how work ended that raised `error`."""
    if isinstance(error, EmporionError):
        return error.category
    return "Internal" if isinstance(error, Exception) else "cancelled"

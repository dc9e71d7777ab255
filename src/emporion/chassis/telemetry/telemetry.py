"""Traces, metrics and the guard over field names of one process, in one object."""

from contextvars import Token
from types import TracebackType
from typing import Self

from emporion.chassis.calls.context import Call, Trace, current_call, enter, leave
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.forbidden import FieldGuard
from emporion.chassis.telemetry.metrics import Metrics
from emporion.chassis.telemetry.spans import NO_PARENT, OK, Span, Spans
from emporion.chassis.telemetry.trace_ids import TraceIds
from emporion.kernel.errors import EmporionError


class Telemetry:
    """What a process tells about itself.

    Args:
        runtime: clock and randomness.
        is_strict: whether a forbidden field raises (tests, development) or is dropped and counted.
    """

    def __init__(self, runtime: Runtime, *, is_strict: bool = True) -> None:
        self.clock = runtime.clock
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
        caller, or 16 zeros.
        """
        trace = Trace.parse(header) if header else None
        return trace or Trace(self.ids.trace_id(), NO_PARENT)

    def child_of(self, trace: Trace) -> Trace:
        """The trace context of work caused by `trace`; of a new trace when there is none."""
        if trace.is_sampled or trace.span_id != NO_PARENT:
            return Trace(trace.trace_id, self._span_id(), trace.is_sampled)
        return Trace(self.ids.trace_id(), self._span_id())

    def span(self, service: str, name: str, **fields: object) -> "OpenSpan":
        """`with telemetry.span("order", "saga step", step="charge payment"):` around some work.

        Calls made and lines logged inside belong to it. Raises ForbiddenField when strict.
        """
        return OpenSpan(self, service, name, fields=self.guard.allowed(fields) if fields else None)


class OpenSpan:
    """Work under way; recorded when it ends, with the category of its error if it fails."""

    __slots__ = (
        "_call",
        "_name",
        "_parent",
        "_service",
        "_started_s",
        "_telemetry",
        "_token",
        "fields",
    )

    def __init__(
        self, telemetry: Telemetry, service: str, name: str, *, fields: dict[str, object] | None
    ) -> None:
        self._telemetry = telemetry
        self._service = service
        self._name = name
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
        outcome = OK if kind is None else outcome_of(error)
        if not trace.is_sampled and outcome == OK:
            return
        duration_s = self._telemetry.clock.monotonic_s() - self._started_s
        span = Span(
            trace.trace_id, trace.span_id, self._parent, self._service, self._name, self._service,
            self._started_s, duration_s, outcome, self.fields,
        )  # fmt: skip
        self._telemetry.spans.record(span)


def outcome_of(error: BaseException | None) -> str:
    """The word for how work ended that raised `error`."""
    if isinstance(error, EmporionError):
        return error.category
    return "Internal" if isinstance(error, Exception) else "cancelled"

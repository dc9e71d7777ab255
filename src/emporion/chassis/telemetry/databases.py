"""Spans of transactions and reads: how long each waited, and how long the engine had it."""

from collections.abc import Awaitable, Callable
from typing import Any

from emporion.chassis.calls.context import Call
from emporion.chassis.telemetry.spans import OK, Kind, Span
from emporion.chassis.telemetry.telemetry import Telemetry, outcome_of


class DatabaseSpans:
    """Watch (the port) of one service's database.

    A span lasts from the call to the answer; `queued_us` of it the work waited for its turn, and
    `together` transactions were committed at once. `work` is whose they are: never a statement,
    never a value.
    """

    def __init__(self, telemetry: Telemetry, service: str, engine: str) -> None:
        self.spans = telemetry.spans
        self.span_id = telemetry.ids.span_id
        self.monotonic_s = telemetry.clock.monotonic_s
        self.service = service
        self.engine = engine

    def wait(
        self, call: Call, work: Callable[[Any], Awaitable[Any]], *, is_read: bool = False
    ) -> "WorkSpan":
        """See Watch."""
        return WorkSpan(self, call, work, is_read=is_read)


class WorkSpan:
    """Waiting (the port): recorded when it ends."""

    __slots__ = ("_begun_s", "_call", "_is_read", "_of", "_queued_s", "_together", "_work")

    def __init__(
        self,
        of: DatabaseSpans,
        call: Call,
        work: Callable[[Any], Awaitable[Any]],
        *,
        is_read: bool,
    ) -> None:
        self._of = of
        self._call = call
        self._work = work
        self._is_read = is_read
        self._queued_s = self._begun_s = of.monotonic_s()
        self._together = 1

    def begin(self, together: int) -> None:
        """See Waiting."""
        self._begun_s = self._of.monotonic_s()
        self._together = together

    def end(self, error: BaseException | None) -> None:
        """See Waiting."""
        of, trace, queued_s = self._of, self._call.trace, self._queued_s
        fields: dict[str, object] = {
            "work": name_of(self._work),
            "engine": of.engine,
            "queued_us": round((self._begun_s - queued_s) * 1e6),
        }
        if self._together > 1:
            fields["together"] = self._together
        span = Span(
            trace.trace_id, of.span_id(), trace.span_id, of.service,
            "read" if self._is_read else "transaction", of.service, queued_s,
            of.monotonic_s() - queued_s, OK if error is None else outcome_of(error), fields,
            Kind.DATA,
        )  # fmt: skip
        of.spans.record(span)


def name_of(work: object) -> str:
    """`Orders.place` for work that is `Orders.place.<locals>.work`, wrapped or not."""
    inner = getattr(work, "_work", None) or getattr(work, "func", None) or work
    name = getattr(inner, "__qualname__", type(inner).__name__)
    return str(name).partition(".<locals>")[0]

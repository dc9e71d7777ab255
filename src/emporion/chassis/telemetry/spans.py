"""What happened, when, and because of what: spans in a bounded ring, the newest last."""

from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from emporion.kernel.clock import Clock

RING_SPANS = 10_000
NO_PARENT = "0" * 16
OK = "ok"


class Kind(StrEnum):
    """What a span is about."""

    SERVED = "served"
    """A call, where it was answered."""
    ASKED = "asked"
    """A call to another process, where it was made: the difference is the way there and back."""
    EDGE = "edge"
    """A request from outside."""
    DATA = "data"
    """A transaction or a read of a database."""
    STEP = "step"
    """A step of a saga."""
    REACTION = "reaction"
    """A reaction to an event; its parent is the call that published it."""
    OUTSIDE = "outside"
    """A provider, a mail server or an endpoint was asked."""
    WORK = "work"
    """Anything else."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """One piece of work of one service.

    `started_s` is on the monotonic clock; `Spans.instant_ms` gives the time of day. `outcome` is
    `ok` or an error category, `cancelled` when the caller went away. `parent_id` is 16 zeros on
    the first span of a trace. `fields` hold ids and numbers, never bodies or secrets.
    """

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    caller: str
    started_s: float
    duration_s: float
    outcome: str
    fields: dict[str, object] | None = None
    kind: Kind = Kind.SERVED


class Spans:
    """The last RING_SPANS spans, and whoever wants to see each as it ends.

    `record(span)` is bound to the fastest thing that will do: read the attribute at each call.
    """

    def __init__(self, clock: Clock, *, size: int = RING_SPANS) -> None:
        self.ring: deque[Span] = deque(maxlen=size)
        self.record: Callable[[Span], None] = self.ring.append
        self._clock = clock
        self._hooks: list[Callable[[Span], None]] = []

    def add_hook(self, hook: Callable[[Span], None]) -> None:
        """Call `hook` with every span from now on. It must be quick and must not raise."""
        self._hooks.append(hook)
        self.record = self._record_with_hooks

    def take(self) -> list[Span]:
        """All spans since the last time, out of the ring: for whoever stores them."""
        taken = list(self.ring)
        self.ring.clear()
        return taken

    def of_trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace still in the ring, in the order in which they began."""
        found = [span for span in self.ring if span.trace_id == trace_id]
        return sorted(found, key=lambda span: span.started_s)

    def instant_ms(self, span: Span) -> int:
        """When the span began, in milliseconds since the epoch, by today's reading of the clock."""
        age_s = self._clock.monotonic_s() - span.started_s
        return self._clock.now_ms() - round(age_s * 1000)

    def _record_with_hooks(self, span: Span) -> None:
        self.ring.append(span)
        for hook in self._hooks:
            hook(span)

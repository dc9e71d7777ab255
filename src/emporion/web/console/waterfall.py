"""A trace as a waterfall: each piece of work below what caused it, with its own time beside."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emporion.contracts.operations_telemetry import LogLine, SpanOfTrace, TraceDetails

WIDTH: Final = 1_000
"""Of the bars, in their own unit."""
BAR_MIN: Final = 3
DEPTH_MAX: Final = 8
"""Deeper work is indented no further."""
FAULTS: Final = frozenset(
    {"Unavailable", "DeadlineExceeded", "Internal", "ResourceExhausted", "cancelled"}
)
_ORDER: Final = re.compile(r"ord_[0-9a-f]{32}")
_SAID: Final = ("work", "engine", "host", "status", "saga", "mail", "events", "by", "attempts")
"""Fields that say most, in this order; the others are left to the operation."""
_QUEUED_US_MIN: Final = 100
"""Below that it did not wait."""


@dataclass(frozen=True, slots=True)
class Row:
    """A piece of work.

    Args:
        depth: how many causes are above it.
        at_ms: since the trace, or its aftermath, began.
        own_ms: what is left of its time without that of the work it caused.
        bar_x, bar_width: of its bar, of WIDTH.
    """

    span: SpanOfTrace
    depth: int
    at_ms: float
    took_ms: float
    own_ms: float
    bar_x: int
    bar_width: int

    @property
    def state(self) -> str:
        """`ok`, `refused`, or `failed` when it was our own doing."""
        outcome = self.span.outcome
        if outcome == "ok":
            return "ok"
        is_ours = outcome in FAULTS or outcome.startswith("HTTP 5")
        return "failed" if is_ours else "refused"

    @property
    def said(self) -> str:
        """What its fields come to, in few words."""
        fields = self.span.fields
        queued_us = _number(fields.get("queued_us", ""))
        waited_ms = _number(fields.get("waited_ms", ""))
        parts = [f"waited {waited_ms} ms"] if waited_ms else []
        parts += [f"queued {queued_us / 1000:.1f} ms"] if queued_us >= _QUEUED_US_MIN else []
        parts += [fields[name] if name in {"work", "host", "saga", "mail"} else
                  f"{name} {fields[name]}" for name in _SAID if name in fields]  # fmt: skip
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A trace as it is shown.

    Args:
        began_us: the first instant, in microseconds since the epoch.
        rows: what was done until whoever waited was answered.
        after: what came of it later, on a scale of its own.
        orders: ids of orders that it tells of.
    """

    name: str
    began_us: int
    took_ms: float
    after_ms: float
    rows: list[Row]
    after: list[Row]
    services: list[str]
    processes: list[str]
    orders: list[str]


def waterfall_of(trace: TraceDetails) -> Waterfall:
    """The waterfall of what is kept of a trace; empty when there are log lines only."""
    spans = trace.spans
    tree = _Tree(spans)
    root = tree.root
    began_us = root.started_us if root else 0
    ended_us = began_us + (root.duration_us if root else 0)
    within = [span for span in spans if span.started_us <= ended_us]
    after = [span for span in spans if span.started_us > ended_us]
    begins_us = min((span.started_us for span in within), default=0)
    until_us = max((_end(span) for span in after), default=ended_us)
    return Waterfall(
        name=f"{root.service} {root.name}" if root else "log lines only",
        began_us=began_us,
        took_ms=root.duration_us / 1000 if root else 0.0,
        after_ms=(until_us - ended_us) / 1000,
        rows=tree.rows(within, begins_us, max(map(_end, within), default=0) - begins_us),
        after=tree.rows(after, ended_us, until_us - ended_us),
        services=sorted({span.service for span in spans}),
        processes=sorted({span.process for span in spans}),
        orders=sorted(_orders(spans, trace.logs)),
    )


class _Tree:
    """Spans by what caused them."""

    def __init__(self, spans: Sequence[SpanOfTrace]) -> None:
        ids = {span.span_id for span in spans}
        self._below: dict[str, list[SpanOfTrace]] = {}
        for span in sorted(spans, key=lambda span: span.started_us):
            cause = (
                span.parent_id if span.parent_id in ids and span.parent_id != span.span_id else ""
            )
            self._below.setdefault(cause, []).append(span)
        tops = self._below.get("", [])
        edges = [span for span in tops if span.kind == "edge"]
        self.root = next(iter(edges or tops), None)

    def rows(self, spans: Sequence[SpanOfTrace], begins_us: int, whole_us: int) -> list[Row]:
        """Rows of these spans, each below its cause as far as that is among them."""
        wanted = {span.span_id for span in spans}
        tops = [
            span
            for cause, group in self._below.items()
            if cause not in wanted
            for span in group
            if span.span_id in wanted
        ]
        tops.sort(key=lambda span: span.started_us)
        placed = [pair for top in tops for pair in self._walk(top, 0, wanted)]
        return [
            self._row(span, depth, begins_us=begins_us, whole_us=whole_us) for span, depth in placed
        ]

    def _walk(
        self, top: SpanOfTrace, depth: int, wanted: set[str]
    ) -> Iterator[tuple[SpanOfTrace, int]]:
        """Without recursion: a forged trace may be as deep as it is long."""
        stack, seen = [(top, depth)], set[str]()
        while stack:
            span, depth = stack.pop()
            if span.span_id in seen or span.span_id not in wanted:
                continue
            seen.add(span.span_id)
            yield span, min(depth, DEPTH_MAX)
            below = self._below.get(span.span_id, [])
            stack += [(each, depth + 1) for each in reversed(below)]

    def _row(self, span: SpanOfTrace, depth: int, *, begins_us: int, whole_us: int) -> Row:
        offset_us = span.started_us - begins_us
        scale = WIDTH / whole_us if whole_us else 0.0
        width = max(BAR_MIN, round(span.duration_us * scale))
        return Row(
            span=span,
            depth=depth,
            at_ms=offset_us / 1000,
            took_ms=span.duration_us / 1000,
            own_ms=self._own_us(span) / 1000,
            bar_x=min(WIDTH - BAR_MIN, round(offset_us * scale)),
            bar_width=min(width, WIDTH),
        )

    def _own_us(self, span: SpanOfTrace) -> int:
        """Its time without the stretches in which work that it caused was done."""
        own_us, reached_us = span.duration_us, span.started_us
        for below in self._below.get(span.span_id, []):
            start_us = max(below.started_us, reached_us)
            end_us = min(_end(below), _end(span))
            if end_us > start_us:
                own_us -= end_us - start_us
                reached_us = end_us
        return own_us


def _end(span: SpanOfTrace) -> int:
    return span.started_us + span.duration_us


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _orders(spans: Iterable[SpanOfTrace], logs: Iterable[LogLine]) -> set[str]:
    """Orders that fields speak of."""
    held = [*(span.fields for span in spans), *(line.fields for line in logs)]
    values = (value for fields in held for value in fields.values())
    return {found for value in values for found in _ORDER.findall(value)}

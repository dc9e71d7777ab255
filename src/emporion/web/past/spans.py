"""The order of the spans of a trace: in time, and what caused something before that."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class InTrace(Protocol):
    """What has a place in a trace."""

    @property
    def span_id(self) -> str:
        """Its own id."""
        ...

    @property
    def parent_id(self) -> str:
        """That of what caused it."""
        ...

    @property
    def started_us(self) -> int:
        """When it began, in microseconds since the epoch."""
        ...


S = TypeVar("S", bound=InTrace)


def in_order(spans: Iterable[S]) -> list[S]:
    """Spans in the order in which they began; of one instant, the cause first."""
    held = list(spans)
    by_id = {span.span_id: span for span in held}
    return sorted(held, key=lambda span: (span.started_us, depth_of(span, by_id)))


def depth_of(span: InTrace, by_id: Mapping[str, InTrace]) -> int:
    """How many causes are above it; a circle, which only a forged trace has, ends at its start."""
    depth, above = 0, by_id.get(span.parent_id)
    while above is not None and above is not span and depth < len(by_id):
        depth += 1
        above = by_id.get(above.parent_id)
    return depth

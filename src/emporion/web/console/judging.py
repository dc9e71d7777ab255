"""What stands out: calls that fail or take long, told in three words and never by colour alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from emporion.contracts.operations_telemetry import CallEdge
from emporion.web.figures import quantile_ms

FAULTS_SHARE_WRONG: Final = 0.05
SLOW_MS_ODD: Final = 500.0
SLOW_MS_WRONG: Final = 1_000.0
FEW: Final = 3
"""Of fewer calls a slow one says nothing."""


class State(StrEnum):
    """How calls do."""

    IDLE = "idle"
    FINE = "fine"
    ODD = "odd"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Talk:
    """Calls or events together, as they are shown.

    Args:
        errors: those that ended with an error, refusals included; `faults` are our own.
    """

    calls: int
    errors: int
    faults: int
    rate_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def refusals(self) -> int:
        """Errors that are the caller's doing."""
        return self.errors - self.faults

    @property
    def state(self) -> State:
        """What stands out."""
        if not self.calls:
            return State.IDLE
        is_slow = self.calls >= FEW and self.p99_ms >= SLOW_MS_ODD
        if self.faults >= FAULTS_SHARE_WRONG * self.calls and self.faults:
            return State.WRONG
        if is_slow and self.p99_ms >= SLOW_MS_WRONG:
            return State.WRONG
        return State.ODD if self.faults or is_slow else State.FINE

    @property
    def why(self) -> str:
        """What stands out, in words; empty when nothing does."""
        parts = []
        if self.faults:
            parts.append("failing")
        if self.calls >= FEW and self.p99_ms >= SLOW_MS_ODD:
            parts.append("slow")
        return " and ".join(parts)


def together(edges: Iterable[CallEdge], bounds_s: list[float]) -> Talk:
    """All of these edges as one: counts added up, quantiles from the buckets."""
    held = list(edges)
    buckets = [sum(counts) for counts in zip(*(edge.buckets for edge in held), strict=True)]
    return Talk(
        calls=sum(edge.calls for edge in held),
        errors=sum(edge.errors for edge in held),
        faults=sum(edge.faults for edge in held),
        rate_per_s=sum(edge.rate_per_s for edge in held),
        p50_ms=quantile_ms(buckets, bounds_s, 0.5),
        p95_ms=quantile_ms(buckets, bounds_s, 0.95),
        p99_ms=quantile_ms(buckets, bounds_s, 0.99),
    )

"""What a load run counts: outcomes, money, retries, and latencies in bounded memory."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

_SLOTS_PER_E = 100
"""Buckets grow by 1 %: a percentile is right to 1 %."""
_SLOTS = 2_500
"""1 us to 18 hours."""
_UNIT_S = 1e-6


class Latencies:
    """A histogram of durations in seconds; its size does not grow with their number."""

    def __init__(self) -> None:
        self._slots = [0] * _SLOTS
        self.count = 0
        self.max_s = 0.0

    def add(self, duration_s: float) -> None:
        """Count one duration."""
        slot = int(math.log(max(duration_s, _UNIT_S) / _UNIT_S) * _SLOTS_PER_E)
        self._slots[min(slot, _SLOTS - 1)] += 1
        self.count += 1
        self.max_s = max(self.max_s, duration_s)

    def percentile_s(self, share: float) -> float:
        """The duration below which that share (0..1) of all lies, to 1 %; 0.0 without any."""
        wanted = math.ceil(share * self.count)
        seen = 0
        for slot, count in enumerate(self._slots):
            seen += count
            if count and seen >= wanted:
                return min(math.exp((slot + 0.5) / _SLOTS_PER_E) * _UNIT_S, self.max_s)
        return self.max_s


@dataclass(slots=True)
class Tally:
    """The sums of a run. Money is what the shop's answers said, in minor units by currency."""

    latencies: Latencies = field(default_factory=Latencies)
    paid: int = 0
    units: int = 0
    pending_answers: int = 0
    money_minor: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)

    @property
    def decided(self) -> int:
        """Orders whose outcome is known: paid or refused."""
        return self.paid + self.refusals.total()

    @property
    def attempted(self) -> int:
        """Orders that are over, known or not."""
        return self.decided + self.errors.total()


@dataclass(frozen=True, slots=True)
class Totals:
    """Orders, units and money of a set of orders, to be compared with another view of it."""

    orders: int
    units: int
    money_minor: Mapping[str, int]

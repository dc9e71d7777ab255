"""Charts: series of metrics on one grid of time, as lines and as the table that says the same."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from emporion.contracts.operations_telemetry import MetricPage, MetricPoint, MetricSeries
from emporion.web.figures import quantile_ms

LINES_MAX: Final = 6
"""As many colours as can be told apart."""
STEPS: Final = 60
"""Of a window, about."""
Values = list[float | None]
QUANTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a value for each instant, none where nothing was told."""

    name: str
    values: Values

    @property
    def last(self) -> float | None:
        """The newest value."""
        return next((value for value in reversed(self.values) if value is not None), None)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Args:
        unit: how values read: `rate`, `span`, `size`, `share`, `age` or `count`.
        times: seconds since the epoch.
    """

    name: str
    title: str
    unit: str
    times: Sequence[int]
    lines: Sequence[Line]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value is not None for line in self.lines for value in line.values)


class Grid:
    """The instants of a window at which values are told: whole steps, the first one complete.

    Args:
        now: the end of the window.
        window_s: its length.
    """

    def __init__(self, now: datetime, window_s: int) -> None:
        self.window_s = window_s
        self.step_s = max(2, window_s // STEPS)
        self._now_s = now.timestamp()
        last_s = int(self._now_s) // self.step_s * self.step_s
        first_s = int(self._now_s - window_s) // self.step_s * self.step_s + self.step_s
        self.times = list(range(first_s, last_s + 1, self.step_s))
        self._places = {at_s: place for place, at_s in enumerate(self.times)}

    def rates(self, series: Iterable[MetricSeries], *, since: int = 0) -> Values:
        """How often a second something was counted; zero where nothing was, from `since` on."""
        return [
            None if at_s < since else value / self._lasted_s(at_s)
            for at_s, value in zip(self.times, self._sums(series), strict=True)
        ]

    def sums(self, series: Iterable[MetricSeries], *, since: int = 0) -> Values:
        """How much was counted in each step."""
        pairs = zip(self.times, self._sums(series), strict=True)
        return [None if at_s < since else value for at_s, value in pairs]

    def quantiles(self, series: Iterable[MetricSeries], bounds_s: Sequence[float]) -> list[Line]:
        """In how many milliseconds half of it was done, and more of it."""
        steps: list[list[int]] = [[] for _ in self.times]
        for point, place in self._placed(series):
            steps[place] = _added(steps[place], point.buckets)
        return [
            Line(name, [quantile_ms(step, bounds_s, q) if any(step) else None for step in steps])
            for name, q in QUANTILES
        ]

    def gauges(self, series: Iterable[MetricSeries], *, scale: float = 1.0) -> Values:
        """The sum of these gauges; each is told when it changes, and stays until then."""
        values: Values = [None] * len(self.times)
        for each in series:
            told = {place: point.value * scale for point, place in self._placed([each])}
            now: float | None = None
            for place in range(len(values)):
                now = told.get(place, now)
                if now is not None:
                    values[place] = (values[place] or 0.0) + now
        return values

    def growth(self, series: MetricSeries) -> Values:
        """By how much a second a gauge that only grows did so."""
        values: Values = [None] * len(self.times)
        before: MetricPoint | None = None
        for point, place in self._placed([series]):
            if before is not None and point.value >= before.value:
                passed_s = (point.at - before.at).total_seconds()
                values[place] = (point.value - before.value) / passed_s
            before = point
        return values

    def first_told(self, series: Iterable[MetricSeries]) -> int:
        """The first instant at which any of them was told: before it there was no process."""
        told = [self.times[place] for _, place in self._placed(series)]
        return min(told, default=self.times[-1] + 1 if self.times else 0)

    def _sums(self, series: Iterable[MetricSeries]) -> list[float]:
        values = [0.0] * len(self.times)
        for point, place in self._placed(series):
            values[place] += point.value
        return values

    def _placed(self, series: Iterable[MetricSeries]) -> Iterable[tuple[MetricPoint, int]]:
        for each in series:
            for point in each.points:
                place = self._places.get(int(point.at.timestamp()))
                if place is not None:
                    yield point, place

    def _lasted_s(self, at_s: int) -> float:
        """How long a step lasted: the last one is not over."""
        return max(1.0, min(self.step_s, self._now_s - at_s))


def groups_of(
    series: Iterable[MetricSeries], key: Callable[[MetricSeries], str]
) -> dict[str, list[MetricSeries]]:
    """Series by what they have in common."""
    groups: dict[str, list[MetricSeries]] = {}
    for each in series:
        groups.setdefault(key(each), []).append(each)
    return groups


def largest(groups: dict[str, list[MetricSeries]]) -> list[str]:
    """The names of the groups of which most was counted or shown, LINES_MAX at most, in order."""
    sizes = {
        name: sum(point.value for each in group for point in each.points)
        for name, group in groups.items()
    }
    return sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:LINES_MAX])


def whole(series: Iterable[MetricSeries]) -> tuple[float, list[int]]:
    """How much was counted in all, and the buckets of all of it."""
    total, buckets = 0.0, list[int]()
    for point in (point for each in series for point in each.points):
        total += point.value
        if point.buckets:
            buckets = _added(buckets, point.buckets)
    return total, buckets


def shared(pages: Iterable[MetricPage]) -> list[str]:
    """The processes that did not answer one of these questions."""
    return sorted({name for page in pages for name in page.missing})


def _added(buckets: list[int], more: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(buckets, more, strict=True)] if buckets else list(more)

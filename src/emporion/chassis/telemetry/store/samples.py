"""Samples of metrics: what changed since the last one, small enough to be taken every 2 seconds."""

from typing import Final

import msgspec

from emporion.chassis.telemetry.metrics import Count, Durations, Labels, Metrics

WHOLE_EVERY: Final = 30
"""Every so many samples all gauges are in, also those that stand still: older ones are pruned."""
Value = float | list[int | float]


class Series(msgspec.Struct, frozen=True, gc=False):
    """One metric with one set of labels; `kind` is count, durations or gauge."""

    name: str
    labels: Labels
    kind: str


class Sample(msgspec.Struct, frozen=True, gc=False):
    """All series so far, and the values of those that changed since the last sample.

    By the number of the series, its place in `series` from 1: of a count, by how much it grew; of
    durations, the same for each bucket and, last, for their sum in seconds; of a gauge, its value.
    Each sample names what it numbers, so that one can be read without those before it.
    """

    at_ms: int
    series: tuple[Series, ...]
    values: dict[int, Value]


class MetricSampler:
    """Takes samples of one process's metrics. Series are numbered in the order they appear."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._numbers: dict[Series, int] = {}
        self._last: dict[int, Value] = {}
        self._taken = 0

    def take(self, at_ms: int) -> Sample:
        """A sample of now."""
        values: dict[int, Value] = {}
        is_whole = self._taken % WHOLE_EVERY == 0
        self._taken += 1
        for name, labels, cell in self._metrics.cells():
            match cell:
                case Count():
                    self._grown(values, Series(name, labels, "count"), float(cell.value))
                case Durations():
                    self._observed(values, Series(name, labels, "durations"), cell)
                case _:
                    self._read(values, Series(name, labels, "gauge"), cell(), is_whole=is_whole)
        return Sample(at_ms, tuple(self._numbers), values)

    def _number(self, series: Series) -> int:
        return self._numbers.setdefault(series, len(self._numbers) + 1)

    def _grown(self, values: dict[int, Value], series: Series, value: float) -> None:
        number = self._number(series)
        before = self._last.get(number, 0.0)
        assert isinstance(before, float)  # noqa: S101 - a series keeps its kind
        if value != before:
            values[number] = value - before
            self._last[number] = value

    def _observed(self, values: dict[int, Value], series: Series, cell: Durations) -> None:
        number = self._number(series)
        before = self._last.get(number)
        now: list[int | float] = [*cell.counts, cell.total_s]
        if before is None:
            before = [0] * len(now)
        assert isinstance(before, list)  # noqa: S101 - a series keeps its kind
        if now[:-1] != before[:-1]:
            values[number] = [after - was for after, was in zip(now, before, strict=True)]
            self._last[number] = now

    def _read(
        self, values: dict[int, Value], series: Series, value: float, *, is_whole: bool
    ) -> None:
        number = self._number(series)
        if is_whole or self._last.get(number) != value:
            values[number] = self._last[number] = value

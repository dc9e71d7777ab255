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
    """The series that are new since the last sample, and the values of those that changed.

    By the number of the series: of a count, by how much it grew; of durations, the same for each
    bucket and, last, for their sum in seconds; of a gauge, its value.
    """

    at_ms: int
    new: list[tuple[int, Series]]
    values: dict[int, Value]


class MetricSampler:
    """Takes samples of one process's metrics. Series are numbered in the order they appear."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._numbers: dict[tuple[str, Labels], int] = {}
        self._last: dict[int, Value] = {}
        self._taken = 0

    def take(self, at_ms: int) -> Sample:
        """A sample of now."""
        sample = Sample(at_ms, [], {})
        is_whole = self._taken % WHOLE_EVERY == 0
        self._taken += 1
        for name, labels, cell in self._metrics.cells():
            match cell:
                case Count():
                    self._grown(sample, Series(name, labels, "count"), float(cell.value))
                case Durations():
                    self._observed(sample, Series(name, labels, "durations"), cell)
                case _:
                    self._read(sample, Series(name, labels, "gauge"), cell(), is_whole=is_whole)
        return sample

    def _number(self, sample: Sample, series: Series) -> int:
        key = (series.name, series.labels)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers) + 1
            sample.new.append((number, series))
        return number

    def _grown(self, sample: Sample, series: Series, value: float) -> None:
        number = self._number(sample, series)
        before = self._last.get(number, 0.0)
        assert isinstance(before, float)  # noqa: S101 - a series keeps its kind
        if value != before:
            sample.values[number] = value - before
            self._last[number] = value

    def _observed(self, sample: Sample, series: Series, cell: Durations) -> None:
        number = self._number(sample, series)
        before = self._last.get(number)
        now: list[int | float] = [*cell.counts, cell.total_s]
        if before is None:
            before = [0] * len(now)
        assert isinstance(before, list)  # noqa: S101 - a series keeps its kind
        if now[:-1] != before[:-1]:
            sample.values[number] = [after - was for after, was in zip(now, before, strict=True)]
            self._last[number] = now

    def _read(self, sample: Sample, series: Series, value: float, *, is_whole: bool) -> None:
        number = self._number(sample, series)
        if is_whole or self._last.get(number) != value:
            sample.values[number] = self._last[number] = value

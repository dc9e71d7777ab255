"""Counters, gauges and durations with bounded labels, exposed in the Prometheus text format."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from emporion.chassis.telemetry.forbidden import ForbiddenField, forbidden_word

BOUNDS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
SERIES_MAX = 5_000
"""Series of one process; a label with unbounded values would otherwise eat its memory."""
LABEL_LENGTH_MAX = 64
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ID = re.compile(r"[0-9a-f]{16,}|[a-z]{2,8}_[0-9a-f]{8,}")


class TooManySeries(ValueError):
    """More series than SERIES_MAX: some label has unbounded values."""


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int = 1) -> None:
        """Count `amount` more."""
        self.value += amount


class Durations:
    """How long things took, in buckets of BOUNDS_S, with their sum in seconds."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.total_s += duration_s

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile_s(self, share: float) -> float:
        """The duration below which `share` (0..1) of them lie, interpolated within its bucket.

        0.0 when there were none; beyond the last bound, that bound.
        """
        rank, seen, low_s = share * self.count, 0, 0.0
        for bound_s, count in zip(BOUNDS_S, self.counts, strict=False):
            if count and seen + count >= rank:
                return low_s + (bound_s - low_s) * (rank - seen) / count
            seen += count
            low_s = bound_s
        return low_s if self.count else 0.0


class _Gauge:
    """The kind of a family whose cells are functions."""


Cell = Count | Durations | Callable[[], float]
Labels = tuple[tuple[str, str], ...]


class _Family:
    def __init__(self, name: str, about: str, kind: type[Any]) -> None:
        self.name = name
        self.about = about
        self.kind = kind
        self.cells: dict[Labels, Cell] = {}


class Metrics(Collector):
    """All metrics of one process. Names are prefixed `emporion_`.

    Cells are made once, at start-up, and kept by whoever counts: making one checks its labels,
    counting is an addition. A label holds one of few known words; ids are refused, and so are
    names that smell of secrets.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._families: dict[str, _Family] = {}
        self._series = 0

    def count(self, name: str, about: str, **labels: str) -> Count:
        """The counter `emporion_<name>_total` with these labels. Raises ValueError on bad ones."""
        cell = self._cell(self._family(name, about, Count), labels)
        assert isinstance(cell, Count)  # noqa: S101 - a family holds cells of its kind
        return cell

    def durations(self, name: str, about: str, **labels: str) -> Durations:
        """The histogram `emporion_<name>` with these labels; `name` ends in `_seconds`."""
        cell = self._cell(self._family(name, about, Durations), labels)
        assert isinstance(cell, Durations)  # noqa: S101 - a family holds cells of its kind
        return cell

    def gauge(self, name: str, about: str, read: Callable[[], float], **labels: str) -> None:
        """The gauge `emporion_<name>`: `read` is called when somebody looks; it must not block."""
        family = self._family(name, about, _Gauge)
        key = self._checked(family, labels)
        family.cells[key] = read

    def cells(self) -> Iterator[tuple[str, Labels, Cell]]:
        """Every series: its name, its labels, and what holds or reads its value."""
        for family in self._families.values():
            for labels, cell in family.cells.items():
                yield family.name, labels, cell

    def exposition(self) -> bytes:
        """Everything in the Prometheus text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """The families, as the Prometheus client wants them."""
        for family in self._families.values():
            yield _exposed(family)

    def _family(self, name: str, about: str, kind: type[Any]) -> _Family:
        family = self._families.setdefault(name, _Family(name, about, kind))
        if family.kind is not kind:
            raise TypeError(f"{name} is a metric of another kind")
        return family

    def _cell(self, family: _Family, labels: Mapping[str, str]) -> Cell:
        key = self._checked(family, labels)
        if key not in family.cells:
            family.cells[key] = family.kind()
        return family.cells[key]

    def _checked(self, family: _Family, labels: Mapping[str, str]) -> Labels:
        key = tuple(sorted(labels.items()))
        if key in family.cells:
            return key
        for name, value in key:
            if forbidden_word(name) is not None:
                raise ForbiddenField(f"the label {name!r} may not be recorded")
            if len(value) > LABEL_LENGTH_MAX or _ID.search(value):
                raise ValueError(f"{value[:80]!r} is no word of a bounded set ({name})")
        if self._series >= SERIES_MAX:
            raise TooManySeries(f"more than {SERIES_MAX} series")
        self._series += 1
        return key


def _exposed(family: _Family) -> Metric:
    name = f"emporion_{family.name}"
    labels = sorted({label for key in family.cells for label, _ in key})
    if family.kind is Count:
        counts = CounterMetricFamily(name, family.about, labels=labels)
        for key, cell in family.cells.items():
            if isinstance(cell, Count):
                counts.add_metric(_values(labels, key), cell.value)
        return counts
    if family.kind is Durations:
        durations = HistogramMetricFamily(name, family.about, labels=labels)
        for key, cell in family.cells.items():
            if isinstance(cell, Durations):
                durations.add_metric(_values(labels, key), _buckets(cell), cell.total_s)
        return durations
    gauges = GaugeMetricFamily(name, family.about, labels=labels)
    for key, cell in family.cells.items():
        if not isinstance(cell, Count | Durations):
            gauges.add_metric(_values(labels, key), cell())
    return gauges


def _values(labels: list[str], key: Labels) -> list[str]:
    given = dict(key)
    return [given.get(label, "") for label in labels]


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    buckets: list[tuple[str, float]] = []
    seen = 0
    for bound_s, count in zip((*BOUNDS_S, float("inf")), durations.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if bound_s == float("inf") else repr(bound_s), seen))
    return buckets

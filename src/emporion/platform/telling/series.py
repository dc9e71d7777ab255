"""Series of metrics: put together by what their labels have in common, and told point by point."""

from collections.abc import Iterable, Sequence

from emporion.chassis.telemetry.metrics import Durations
from emporion.contracts.operations_telemetry import MetricPoint
from emporion.kernel.clock import to_datetime
from emporion.platform.telling.edges import add, ms
from emporion.platform.telling.store.reading import Point, StoredSeries


def joined(series: Iterable[StoredSeries], by: Sequence[str]) -> list[StoredSeries]:
    """One series for all that have the labels `by` in common, a missing one being empty.

    Of each step counts, durations and gauges are added up.
    """
    groups: dict[tuple[str, ...], list[StoredSeries]] = {}
    for each in series:
        groups.setdefault(tuple(each.labels.get(name, "") for name in by), []).append(each)
    return [
        StoredSeries(
            group[0].name,
            dict(zip(by, key, strict=True)),
            group[0].kind,
            _added_up([point for each in group for point in each.points]),
        )
        for key, group in sorted(groups.items())
    ]


def point(stored: Point) -> MetricPoint:
    """A point as the contract tells it."""
    held = stored.durations
    if held is None:
        return MetricPoint(at=to_datetime(stored.at_ms), value=stored.value)
    return MetricPoint(
        at=to_datetime(stored.at_ms),
        value=stored.value,
        p50_ms=ms(held.quantile_s(0.5)),
        p95_ms=ms(held.quantile_s(0.95)),
        p99_ms=ms(held.quantile_s(0.99)),
        buckets=list(held.counts),
    )


def _added_up(points: Iterable[Point]) -> list[Point]:
    steps: dict[int, Point] = {}
    for each in points:
        before = steps.get(each.at_ms)
        steps[each.at_ms] = each if before is None else _sum(before, each)
    return [steps[at_ms] for at_ms in sorted(steps)]


def _sum(one: Point, other: Point) -> Point:
    if one.durations is None or other.durations is None:
        return Point(one.at_ms, one.value + other.value)
    both = Durations()
    add(both, one.durations)
    add(both, other.durations)
    return Point(one.at_ms, float(both.count), both)

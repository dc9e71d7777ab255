"""Requests by route, and calls and events by who sends them to whom: rate, errors, durations."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import MetricSeries
from emporion.web.console.charts import Chart, Line, groups_of, shared, whole
from emporion.web.console.sections.metrics.asking import Course
from emporion.web.console.waterfall import FAULTS
from emporion.web.figures import quantile_ms

_LOOKS: Final = ("/console", "/static/", "/api/operations/", "/metrics", "/readyz", "/livez")
"""Whoever looks at the shop is no customer of it."""
_REMOTE: Final = "remote"
"""As whom a process knows callers elsewhere: those tell of their calls themselves."""
_TIMED: Final = (("call_seconds", ""), ("remote_call_seconds", ""), ("reaction_seconds", "events"))
_FAILED: Final = ("call_failures", "remote_call_failures")


@dataclass(frozen=True, slots=True)
class Row:
    """A route or an edge in the window."""

    name: str
    rate_per_s: float
    count: int
    refused: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


async def requests(course: Course) -> dict[str, Any]:
    """Of all routes, or of one."""
    page = await course.ask("http_request_seconds", "verb,route,status")
    series = [each for each in page.series if not each.labels["route"].startswith(_LOOKS)]
    routes = groups_of(series, lambda each: f"{each.labels['verb']} {each.labels['route']}")
    shown = routes.get(course.chosen, []) if course.chosen else series
    grid, outcomes = course.grid, groups_of(shown, _outcome_of_request)
    since = grid.first_told(series)
    charts = [
        Chart("rate", "Requests", "rate", grid.times, [
            Line("answered", grid.rates(outcomes.get("answered", []), since=since)),
            Line("failed on us", grid.rates(outcomes.get("failed", []), since=since)),
            Line("refused", grid.rates(outcomes.get("refused", []), since=since)),
        ]),
        Chart("took", "How long they took", "span", grid.times,
              grid.quantiles(shown, page.bounds_s)),
    ]  # fmt: skip
    rows = [
        _row(
            name, group, course, bounds_s=page.bounds_s, wrong=groups_of(group, _outcome_of_request)
        )
        for name, group in routes.items()
    ]
    return {"charts": charts, "rows": _sorted(rows), "missing": page.missing, "of": "Route"}


async def calls(course: Course) -> dict[str, Any]:
    """Of all edges, or of one."""
    timed = await asyncio.gather(*(course.ask(name, "caller,service") for name, _ in _TIMED))
    wrong = await asyncio.gather(*(course.ask(name, "caller,service,outcome") for name in _FAILED))
    bounds_s = next((page.bounds_s for page in timed if page.bounds_s), [])
    edges: dict[str, list[MetricSeries]] = {}
    for (_, kind), page in zip(_TIMED, timed, strict=True):
        for each in filter(_is_of_shop, page.series):
            edges.setdefault(_edge(each, kind), []).append(each)
    failures = groups_of(
        (each for page in wrong for each in page.series if _is_of_shop(each)),
        lambda each: _edge(each, ""),
    )
    shown = _chosen(edges, course.chosen)
    its = groups_of(_chosen(failures, course.chosen), _outcome_of_call)
    grid, since = course.grid, course.grid.first_told(_chosen(edges, ""))
    charts = [
        Chart("rate", "Calls and events", "rate", grid.times, [
            Line("all", grid.rates(shown, since=since)),
            Line("failed on us", grid.rates(its.get("failed", []), since=since)),
            Line("refused", grid.rates(its.get("refused", []), since=since)),
        ]),
        Chart("took", "How long they took", "span", grid.times, grid.quantiles(shown, bounds_s)),
    ]  # fmt: skip
    rows = [
        _row(name, group, course, bounds_s=bounds_s,
             wrong=groups_of(failures.get(name, []), _outcome_of_call))
        for name, group in edges.items()
    ]  # fmt: skip
    return {
        "charts": charts,
        "rows": _sorted(rows),
        "missing": shared([*timed, *wrong]),
        "of": "From and to",
    }


def _chosen(groups: Mapping[str, Sequence[MetricSeries]], chosen: str) -> list[MetricSeries]:
    if chosen:
        return list(groups.get(chosen, ()))
    return [each for group in groups.values() for each in group]


def _is_of_shop(series: MetricSeries) -> bool:
    ends = (series.labels["caller"], series.labels["service"])
    return _REMOTE not in ends and OperationsService.NAME not in ends


def _edge(series: MetricSeries, kind: str) -> str:
    name = f"{series.labels['caller']} → {series.labels['service']}"
    return f"{name}, {kind}" if kind else name


def _outcome_of_request(series: MetricSeries) -> str:
    status = series.labels["status"]
    if status.startswith("5"):
        return "failed"
    return "refused" if status.startswith("4") else "answered"


def _outcome_of_call(series: MetricSeries) -> str:
    return "failed" if series.labels["outcome"] in FAULTS else "refused"


def _row(
    name: str,
    group: Sequence[MetricSeries],
    course: Course,
    *,
    bounds_s: Sequence[float],
    wrong: Mapping[str, Sequence[MetricSeries]],
) -> Row:
    count, buckets = whole(group)
    return Row(
        name=name,
        rate_per_s=count / course.window_s,
        count=round(count),
        refused=round(whole(wrong.get("refused", ()))[0]),
        failed=round(whole(wrong.get("failed", ()))[0]),
        p50_ms=quantile_ms(buckets, bounds_s, 0.5),
        p95_ms=quantile_ms(buckets, bounds_s, 0.95),
        p99_ms=quantile_ms(buckets, bounds_s, 0.99),
    )


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.count, row.name))

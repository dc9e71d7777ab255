"""What processes use of their machine, and the queues within them."""

import asyncio
from typing import Any, Final

from emporion.contracts.operations_telemetry import MetricPage, MetricSeries
from emporion.web.console.charts import Chart, Line, groups_of, largest, shared
from emporion.web.console.sections.metrics.asking import Course

_SECOND_MS: Final = 1_000.0


async def machine(course: Course) -> dict[str, Any]:
    """Of every process."""
    asked = (
        ("process_cpu_seconds", "process"),
        ("process_memory_bytes", "process"),
        ("loop_lag_seconds", "process"),
        ("database_waiting", "service"),
        ("events_oldest_seconds", "service,caller"),
        ("events_waiting", "service,caller"),
    )
    pages = await asyncio.gather(*(course.ask(name, by) for name, by in asked))
    cpu, memory, lag, waiting, oldest, queued = pages
    return {
        "charts": [
            _of_cpu(course, cpu),
            _chart(course, ("memory", "Memory", "size"), memory),
            _chart(course, ("lag", "Lag of the event loop", "span"), lag, scale=_SECOND_MS),
            _chart(course, ("pools", "Transactions that wait or run", "count"), waiting),
            _chart(course, ("oldest", "Age of the oldest event not come to", "age"), oldest),
            _chart(course, ("queued", "Events not come to", "count"), queued),
        ],
        "missing": shared(pages),
    }


def _of_cpu(course: Course, page: MetricPage) -> Chart:
    grid = course.grid
    lines = [Line(each.process, grid.growth(each)) for each in page.series]
    return Chart("cpu", "Processor, of one core", "share", grid.times, lines)


def _chart(
    course: Course, named: tuple[str, str, str], page: MetricPage, *, scale: float = 1.0
) -> Chart:
    name, title, unit = named
    groups = groups_of(page.series, _name_of)
    lines = [Line(each, course.grid.gauges(groups[each], scale=scale)) for each in largest(groups)]
    return Chart(name, title, unit, course.grid.times, lines)


def _name_of(series: MetricSeries) -> str:
    """Whose it is: a process, a service in it, or an edge of events."""
    service, caller = series.labels.get("service", ""), series.labels.get("caller", "")
    if caller:
        return f"{caller} → {service}"
    return service or series.process

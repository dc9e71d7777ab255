"""What is sold: orders by what became of them, revenue, refusals by reason."""

import asyncio
from typing import Any, Final

from emporion.contracts.operations_telemetry import MetricPage
from emporion.kernel.money import MINOR_DIGITS
from emporion.web.console.charts import Chart, Line, groups_of, largest, shared
from emporion.web.console.sections.metrics.asking import Course

_UNKNOWN_DIGITS: Final = 2


async def sold(course: Course) -> dict[str, Any]:
    """Counted where analytics reacts to events: a moment after the fact."""
    asked = (("orders", "outcome"), ("revenue_minor", "currency"), ("order_refusals", "reason"))
    pages = await asyncio.gather(*(course.ask(*each) for each in asked))
    orders, revenue, refusals = pages
    return {
        "charts": [
            _chart(course, ("orders", "Orders", "count"), orders, label="outcome"),
            *_of_revenue(course, revenue),
            _chart(course, ("refusals", "Refused by why", "count"), refusals, label="reason"),
        ],
        "missing": shared(pages),
    }


def _chart(course: Course, named: tuple[str, str, str], page: MetricPage, *, label: str) -> Chart:
    name, title, unit = named
    grid = course.grid
    groups = groups_of(page.series, lambda each: each.labels[label])
    since = grid.first_told(page.series)
    lines = [Line(each, grid.sums(groups[each], since=since)) for each in largest(groups)]
    return Chart(name, title, unit, grid.times, lines)


def _of_revenue(course: Course, page: MetricPage) -> list[Chart]:
    """A chart for each currency: amounts of two are not on one scale."""
    grid = course.grid
    charts = []
    for currency, group in sorted(
        groups_of(page.series, lambda each: each.labels["currency"]).items()
    ):
        scale = 10 ** MINOR_DIGITS.get(currency, _UNKNOWN_DIGITS)
        minor = grid.sums(group, since=grid.first_told(group))
        values = [None if each is None else each / scale for each in minor]
        title = f"Revenue in {currency}"
        name = f"revenue-{currency.lower()}"
        charts.append(Chart(name, title, "amount", grid.times, [Line(currency, values)]))
    return charts

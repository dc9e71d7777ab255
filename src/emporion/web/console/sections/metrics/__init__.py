"""Metrics over time: requests, calls, what processes use, and what is sold."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.web.console.section import Section
from emporion.web.console.sections.metrics.asking import Course
from emporion.web.console.sections.metrics.machine import machine
from emporion.web.console.sections.metrics.sold import sold
from emporion.web.console.sections.metrics.traffic import calls, requests
from emporion.web.console.sections.overview import window_of
from emporion.web.visit import Visit

WINDOW_S: Final = 3_600
WINDOWS: Final = ((300, "5 minutes"), (3_600, "1 hour"), (21_600, "6 hours"), (43_200, "12 hours"))


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the pages of this section."""

    title: str
    ask: Callable[[Course], Awaitable[dict[str, Any]]]


TABS: Final[Mapping[str, Tab]] = {
    "requests": Tab("Requests", requests),
    "calls": Tab("Calls and events", calls),
    "machine": Tab("Processes", machine),
    "sold": Tab("What is sold", sold),
}


async def metrics(visit: Visit) -> Response:
    """The page."""
    return await visit.show("metrics.html", **await _values(visit))


async def metrics_now(visit: Visit) -> Response:
    """The charts alone, as they are now."""
    return visit.part("metrics_now.html", **await _values(visit))


async def _values(visit: Visit) -> dict[str, Any]:
    about = visit.query.text("about")
    about = about if about in TABS else next(iter(TABS))
    chosen = visit.query.text("of")[:200]
    window_s = window_of(visit, WINDOW_S)
    course = Course(visit, window_s=window_s, chosen=chosen)
    return {
        "charts": [],
        "rows": [],
        "about": about,
        "tabs": {name: tab.title for name, tab in TABS.items()},
        "chosen": chosen,
        "window_s": window_s,
        "windows": WINDOWS,
        **await TABS[about].ask(course),
    }


SECTION: Final = Section("Metrics", pages={"": metrics, "/now": metrics_now})

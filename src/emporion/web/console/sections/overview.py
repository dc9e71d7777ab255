"""The overview: how the shop does at this moment, as a map that follows while somebody looks."""

from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import ListProcesses
from emporion.contracts.operations_telemetry import MetricsOf, ServiceMapOf
from emporion.web.console.section import Section
from emporion.web.console.service_map import picture_of
from emporion.web.forms import message
from emporion.web.visit import Visit

WINDOWS: Final = ((60, "1 minute"), (300, "5 minutes"), (3_600, "1 hour"), (43_200, "12 hours"))
WINDOW_S: Final = 60


async def overview(visit: Visit) -> Response:
    """The page."""
    values = {**await _now(visit), **await _health(visit)}
    return await visit.show("overview.html", windows=WINDOWS, **values)


async def overview_now(visit: Visit) -> Response:
    """The map and the figures above it."""
    return visit.part("overview_now.html", **await _now(visit))


async def overview_health(visit: Visit) -> Response:
    """Which services are ready."""
    return visit.part("health.html", **await _health(visit))


async def _now(visit: Visit) -> dict[str, Any]:
    window_s = window_of(visit, WINDOW_S)
    operations = visit.ask(OperationsService)
    told = await operations.service_map(ServiceMapOf(window_s=window_s))
    asked = MetricsOf(name="orders", window_s=window_s, step_s=min(3_600, window_s), by="outcome")
    sold = await operations.get_metrics(asked)
    orders: dict[str, int] = {}
    for series in sold.series:
        outcome = series.labels["outcome"]
        counted = sum(round(point.value) for point in series.points)
        orders[outcome] = orders.get(outcome, 0) + counted
    return {"picture": picture_of(told), "told": told, "orders": orders, "window_s": window_s}


async def _health(visit: Visit) -> dict[str, Any]:
    found = await visit.ask(OperationsService).list_processes(ListProcesses())
    services = [(process, each) for process in found.processes for each in process.services]
    return {
        "services": sorted(services, key=lambda pair: (pair[1].service, pair[0].process)),
        "missing_health": found.missing,
    }


def window_of(visit: Visit, otherwise: int) -> int:
    """The window that the address asks for, in seconds. Raises InvalidArgument."""
    text = visit.query.text("window") or str(otherwise)
    return message(ServiceMapOf, window_s=text).window_s


SECTION: Final = Section(
    "Overview", pages={"": overview, "/now": overview_now, "/health": overview_health}
)

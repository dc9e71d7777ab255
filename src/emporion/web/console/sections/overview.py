"""The overview: how the shop does at this moment, refreshed while somebody looks."""

from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import ServiceMapOf
from emporion.web.console.section import Section
from emporion.web.visit import Visit

WINDOW_S: Final = 60


async def overview(visit: Visit) -> Response:
    """The page."""
    return await visit.show("overview.html", **await _now(visit))


async def overview_now(visit: Visit) -> Response:
    """The part of it that is live."""
    return visit.part("overview_now.html", **await _now(visit))


async def _now(visit: Visit) -> dict[str, Any]:
    told = await visit.ask(OperationsService).service_map(ServiceMapOf(window_s=WINDOW_S))
    return {"map": told, "window_s": WINDOW_S}


SECTION: Final = Section("Overview", pages={"": overview, "/now": overview_now})

"""Logs: lines of every process, found by trace, service, level, text and time."""

from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import LogPage, SearchLogs
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import InvalidArgument
from emporion.web.console.finding import BACK, LEVELS, address, since_of, view_of
from emporion.web.console.section import Section
from emporion.web.console.sections.traces import known_services
from emporion.web.forms import message
from emporion.web.visit import Visit

PATH: Final = "/console/logs"
FIELDS: Final = ("trace", "service", "level", "contains", "back")
PER_PAGE: Final = 100


async def logs(visit: Visit) -> Response:
    """The newest lines that meet every condition, and older ones page by page."""
    query, view, said = visit.query, view_of(visit, *FIELDS), ""
    page = LogPage(lines=[])
    try:
        request = message(
            SearchLogs,
            trace_id=query.text("trace"),
            service=query.text("service") or None,
            level_min=query.text("level"),
            contains=query.text("contains"),
            since=since_of(visit),
            limit=PER_PAGE,
            cursor=query.text("cursor"),
        )
        page = await visit.ask(OperationsService).search_logs(request)
    except UnknownCursor:
        said = "That page is not there any more: begin with the first."
    except InvalidArgument as refusal:
        said = f"This cannot be searched for: {refusal.detail}."
    following = {**view, "cursor": page.next_cursor}
    return await visit.show(
        "logs.html",
        page=page,
        lines=page.lines[::-1],
        said=said,
        view=view,
        back=BACK,
        levels=LEVELS,
        services=await known_services(visit),
        next=address(PATH, **following) if page.next_cursor else "",
        first=address(PATH, **view) if query.text("cursor") else "",
    )


SECTION: Final = Section("Logs", pages={"": logs})

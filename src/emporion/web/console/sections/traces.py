"""Traces: found by what they are about, and one of them as a waterfall."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from emporion.chassis.http.exchange import Response
from emporion.contracts.inventory import InventoryService, ReservationOf
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import ListProcesses
from emporion.contracts.operations_telemetry import (
    SearchTraces,
    TraceDetails,
    TraceOf,
    TraceSummary,
)
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.payment import PaymentOf, PaymentService
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import InvalidArgument, NotFound
from emporion.web.console.finding import BACK, PER_PAGE, address, since_of, view_of
from emporion.web.console.section import Section
from emporion.web.console.waterfall import waterfall_of
from emporion.web.forms import message
from emporion.web.visit import Visit

T = TypeVar("T")
PATH: Final = "/console/traces"
FIELDS: Final = ("about", "service", "contains", "min", "failed", "back")
TRACES_OF_ORDER_MAX: Final = 20
_TRACE: Final = re.compile("[0-9a-f]{32}")
_ORDER: Final = re.compile("ord_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Found:
    """Traces of a search.

    Args:
        lost: traces that an order names and of which nothing is kept.
        said: why there are none, where the search itself is at fault.
    """

    traces: Sequence[TraceSummary] = ()
    missing: Sequence[str] = ()
    next_cursor: str = ""
    lost: Sequence[str] = ()
    said: str = ""


async def traces(visit: Visit) -> Response:
    """A search, the newest first; an id of a trace leads to it."""
    about = visit.query.text("about")
    if _TRACE.fullmatch(about):
        return visit.redirect(f"{PATH}/{about}")
    view = view_of(visit, *FIELDS)
    found = await (_of_order(visit, about) if about else _searched(visit))
    following = {**view, "cursor": found.next_cursor}
    return await visit.show(
        "traces.html",
        found=found,
        view=view,
        back=BACK,
        services=await known_services(visit),
        next=address(PATH, **following) if found.next_cursor else "",
        first=address(PATH, **view) if visit.query.text("cursor") else "",
    )


async def trace(visit: Visit) -> Response:
    """One of them. Raises NotFound."""
    request = message(TraceOf, trace_id=visit.path["trace_id"])
    told = await visit.ask(OperationsService).get_trace(request)
    waterfall = waterfall_of(told)
    began = datetime.fromtimestamp(waterfall.began_us / 1e6, UTC)
    return await visit.show("trace.html", told=told, waterfall=waterfall, began=began)


async def known_services(visit: Visit) -> list[tuple[str, str]]:
    """The services of the shop, to choose one of."""
    found = await visit.ask(OperationsService).list_processes(ListProcesses())
    names = {each.service for process in found.processes for each in process.services}
    return [("", "any"), *((name, name) for name in sorted(names))]


async def _searched(visit: Visit) -> Found:
    query = visit.query
    try:
        request = message(
            SearchTraces,
            service=query.text("service") or None,
            contains=query.text("contains"),
            min_duration_ms=query.text("min") or "0",
            is_failed=bool(query.text("failed")),
            since=since_of(visit),
            limit=PER_PAGE,
            cursor=query.text("cursor"),
        )
        page = await visit.ask(OperationsService).search_traces(request)
    except UnknownCursor:
        return Found(said="That page is not there any more: begin with the first.")
    except InvalidArgument as refusal:
        return Found(said=f"This cannot be searched for: {refusal.detail}.")
    return Found(page.traces, page.missing, page.next_cursor)


async def _of_order(visit: Visit, order_id: str) -> Found:
    """The traces that the books name beside what they did to an order."""
    if not _ORDER.fullmatch(order_id):
        return Found(said="That is neither the id of an order (ord_…) nor that of a trace.")
    try:
        ids = await _traces_of(visit, order_id)
    except NotFound:
        return Found(said="There is no such order.")
    operations = visit.ask(OperationsService)
    asked = (_or_none(operations.get_trace(TraceOf(trace_id=each))) for each in ids)
    told = await asyncio.gather(*asked)
    kept = [_summary(each) for each in told if each is not None and each.spans]
    missing = sorted({name for each in told if each is not None for name in each.missing})
    lost = sorted(set(ids) - {each.trace_id for each in kept})
    return Found(sorted(kept, key=lambda each: each.started_at, reverse=True), missing, lost=lost)


async def _traces_of(visit: Visit, order_id: str) -> list[str]:
    order = await visit.ask(OrderService).order_history(message(OrderOf, order_id=order_id))
    stock = visit.ask(InventoryService).reservation_history(
        message(ReservationOf, order_id=order_id)
    )
    money = visit.ask(PaymentService).payment_history(message(PaymentOf, order_id=order_id))
    held, paid = await asyncio.gather(_or_none(stock), _or_none(money))
    changes = [*order.changes, *(held.changes if held else ()), *(paid.changes if paid else ())]
    ids = dict.fromkeys(change.trace_id for change in changes if change.trace_id)
    return list(ids)[:TRACES_OF_ORDER_MAX]


async def _or_none(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except NotFound:
        return None


def _summary(told: TraceDetails) -> TraceSummary:
    waterfall = waterfall_of(told)
    return TraceSummary(
        trace_id=told.trace_id,
        name=waterfall.name,
        started_at=to_datetime(waterfall.began_us // 1000),
        duration_ms=waterfall.took_ms,
        services=waterfall.services,
        is_failed=any(span.outcome != "ok" for span in told.spans),
    )


SECTION: Final = Section("Traces", pages={"": traces, "/{trace_id}": trace})

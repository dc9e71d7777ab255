"""One order: as it is, as it was at each moment of its past, and everything that became of it."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, Final, TypeVar

from emporion.chassis.http.exchange import Response
from emporion.contracts.contract import Message
from emporion.contracts.inventory import InventoryService, ReservationOf
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.payment import PaymentOf, PaymentService
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, has_prefix
from emporion.web.console.lenient import Lenient
from emporion.web.console.sections.orders.listing import KINDS
from emporion.web.console.sections.orders.moments import State, chosen, moments_of, parts_of
from emporion.web.console.sections.orders.timeline import KINDS_SHOWN, rows_of
from emporion.web.past.of_order import changes_of
from emporion.web.past.story import story_of_order
from emporion.web.past.why import why_order
from emporion.web.visit import Visit

M = TypeVar("M", bound=Message)
NOTHING: Final = State({})


async def order(visit: Visit) -> Response:
    """The page. Raises NotFound."""
    order_id, clients = _order_id(visit), Lenient(visit, strict=OrderService)
    past = await _past(visit, clients, order_id)
    now, reasons, story = await asyncio.gather(
        visit.ask(OrderService).get_order(OrderOf(order_id=order_id)),
        why_order(clients, order_id),
        story_of_order(clients, order_id),
    )
    shown = visit.query.text("show")
    rows, hidden = rows_of(story.entries, shown)
    return await visit.show(
        "desks/order.html",
        order=now,
        reasons=reasons,
        rows=rows,
        hidden=hidden,
        show=shown if shown in KINDS_SHOWN else "",
        lost=story.lost,
        missing_parts=sorted({*clients.away, *story.missing}),
        lacking=clients.scopes,
        **past,
    )


async def then(visit: Visit) -> Response:
    """The part of it that a moment is about. Raises NotFound."""
    clients = Lenient(visit, strict=OrderService)
    return visit.part("desks/order_then.html", **await _past(visit, clients, _order_id(visit)))


async def _past(visit: Visit, clients: Lenient, order_id: OrderId) -> dict[str, Any]:
    """The moment that is asked for, the state then and before, and its neighbours."""
    moments = moments_of(await changes_of(clients, order_id))
    number = chosen(moments, visit.query.text("at"))
    moment = moments[number - 1]
    before = moments[number - 2].at if number > 1 else None
    state, earlier = await asyncio.gather(
        _state(clients, order_id, moment.at),
        _state(clients, order_id, before) if before else _nothing(),
    )
    return {
        "order_id": order_id,
        "moment": moment,
        "number": number,
        "count": len(moments),
        "first_at": moments[0].at,
        "state": state,
        "parts": parts_of(earlier, state),
        "kinds": KINDS,
        "untold": clients.untold,
    }


async def _state(clients: Lenient, order_id: OrderId, as_of: datetime) -> State:
    order = clients.get(OrderService).get_order(OrderOf(order_id=order_id, as_of=as_of))
    payment = clients.get(PaymentService).get_payment(PaymentOf(order_id=order_id, as_of=as_of))
    stock = clients.get(InventoryService).get_reservation(
        ReservationOf(order_id=order_id, as_of=as_of)
    )
    found = await asyncio.gather(_or_none(order), _or_none(payment), _or_none(stock))
    names = ("order", "payment", "stock")
    return State({name: part for name, part in zip(names, found, strict=True) if part is not None})


async def _nothing() -> State:
    return NOTHING


async def _or_none(asked: Awaitable[M]) -> M | None:
    try:
        return await asked
    except NotFound:
        return None


def _order_id(visit: Visit) -> OrderId:
    order_id = visit.path["order_id"]
    if not has_prefix(order_id, ORDER):
        raise NotFound("an order's id is ord_ and 32 hexadecimal digits")
    return OrderId(order_id)

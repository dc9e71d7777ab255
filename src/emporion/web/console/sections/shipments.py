"""The shipping desk: what may leave which warehouse, what waits and why, and what arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from emporion.chassis.http.exchange import Response
from emporion.contracts.shipping import (
    Fulfilment,
    FulfilmentOf,
    FulfilmentStatus,
    ListFulfilments,
    ReleaseFulfilment,
    Ship,
    Shipment,
    ShipmentOf,
    ShipmentStatus,
    ShippingService,
    ToShip,
)
from emporion.kernel.errors import EmporionError, InvalidArgument, NotFound
from emporion.web.console.acting import act, key_of, reason_of, show
from emporion.web.console.section import Section
from emporion.web.forms import message
from emporion.web.visit import Visit

HOME: Final = "/console/shipments"
PER_PAGE: Final = 50
KINDS: Final = {
    FulfilmentStatus.SCREENING: "wait",
    FulfilmentStatus.HELD: "wrong",
    FulfilmentStatus.READY: "wait",
    FulfilmentStatus.PARTLY_SHIPPED: "wait",
    FulfilmentStatus.SHIPPED: "right",
    FulfilmentStatus.DELIVERED: "right",
    FulfilmentStatus.CANCELLED: "",
}
SHIPMENT_KINDS: Final = {
    ShipmentStatus.LEAVING: "wait",
    ShipmentStatus.SHIPPED: "wait",
    ShipmentStatus.DELIVERED: "right",
    ShipmentStatus.STOPPED: "wrong",
}
STATUSES: Final = (
    (FulfilmentStatus.READY.value, "ready to be shipped"),
    (FulfilmentStatus.PARTLY_SHIPPED.value, "partly shipped"),
    (FulfilmentStatus.SCREENING.value, "being screened"),
    (FulfilmentStatus.HELD.value, "held"),
    (FulfilmentStatus.SHIPPED.value, "shipped"),
    (FulfilmentStatus.DELIVERED.value, "delivered"),
    (FulfilmentStatus.CANCELLED.value, "cancelled"),
    ("all", "any"),
)
WORDS: Final = {
    "shipped": "The shipment is on its way; its tracking stands below.",
    "released": "Released: it may be shipped without, or against, its screening.",
    "delivered": "Noted: it arrived.",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What is still to leave one warehouse."""

    warehouse_id: str
    lines: list[ToShip]


async def fulfilments(visit: Visit) -> Response:
    """Those of a status, the longest waiting first."""
    status, cursor = visit.query.text("status"), visit.query.text("cursor")
    chosen = status if status in dict(STATUSES) else FulfilmentStatus.READY.value
    wanted = message(
        ListFulfilments,
        status=None if chosen == "all" else chosen,
        limit=PER_PAGE,
        cursor=cursor,
    )
    page = await visit.ask(ShippingService).list_fulfilments(wanted)
    here = f"{HOME}?{urlencode({'status': chosen})}"
    return await visit.show(
        "desks/shipments.html",
        fulfilments=page.fulfilments,
        status=chosen,
        statuses=STATUSES,
        kinds=KINDS,
        now_ms=visit.site.runtime.clock.now_ms(),
        first=here if cursor else "",
        next=f"{here}&{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else "",
    )


async def fulfilment(visit: Visit) -> Response:
    """One order on its way. Raises NotFound."""
    return await _shown(visit, None)


async def ship(visit: Visit) -> Response:
    """Send what is to leave a warehouse, once for each form."""

    async def work() -> Shipment:
        form = visit.form
        request = message(
            Ship,
            idempotency_key=key_of(visit),
            order_id=visit.path["order_id"],
            warehouse_id=form.text("warehouse"),
            carrier=form.text("carrier"),
            tracking_number=form.text("tracking"),
        )
        return await visit.ask(ShippingService).ship(request)

    return await act(visit, work, onto=_address(visit), done="shipped", shown=_shown)


async def release(visit: Visit) -> Response:
    """Let it be shipped without, or against, its screening."""

    async def work() -> Fulfilment:
        given = {"order_id": visit.path["order_id"], "reason": reason_of(visit)}
        return await visit.ask(ShippingService).release(message(ReleaseFulfilment, **given))

    return await act(visit, work, onto=_address(visit), done="released", shown=_shown)


async def deliver(visit: Visit) -> Response:
    """Note that a shipment arrived."""

    async def work() -> Shipment:
        request = message(ShipmentOf, shipment_id=visit.form.text("shipment"))
        return await visit.ask(ShippingService).deliver(request)

    return await act(visit, work, onto=_address(visit), done="delivered", shown=_shown)


async def _shown(visit: Visit, refusal: EmporionError | None) -> Response:
    try:
        request = message(FulfilmentOf, order_id=visit.path["order_id"])
    except InvalidArgument as error:
        raise NotFound("an order's id is ord_ and 32 hexadecimal digits") from error
    told = await visit.ask(ShippingService).get_fulfilment(request)
    waits = (FulfilmentStatus.SCREENING, FulfilmentStatus.HELD)
    return await show(
        visit,
        "desks/fulfilment.html",
        refusal,
        words=WORDS,
        it=told,
        loads=loads_of(told.to_ship),
        is_waiting=told.status in waits,
        kinds=KINDS,
        shipment_kinds=SHIPMENT_KINDS,
        typed={name: visit.form.text(name) for name in ("warehouse", "carrier", "tracking")},
    )


def loads_of(to_ship: Sequence[ToShip]) -> list[Load]:
    """What is to leave, by warehouse."""
    groups: dict[str, list[ToShip]] = {}
    for line in to_ship:
        groups.setdefault(line.warehouse_id, []).append(line)
    return [Load(warehouse_id, lines) for warehouse_id, lines in groups.items()]


def _address(visit: Visit) -> str:
    return f"{HOME}/{visit.path['order_id']}"


SECTION: Final = Section(
    "Shipments",
    pages={"": fulfilments, "/{order_id}": fulfilment},
    forms={
        "/{order_id}/ship": ship,
        "/{order_id}/release": release,
        "/{order_id}/deliver": deliver,
    },
)

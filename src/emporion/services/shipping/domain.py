"""The rules of shipping: what may become of a fulfilment, and what is still to leave."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from emporion.kernel.ids import OrderId, ShipmentId, Sku, UserId, WarehouseId

SHIPMENTS_MAX = 100
"""Of one order."""


class Status(StrEnum):
    """How far a fulfilment is."""

    SCREENING = "screening"
    HELD = "held"
    READY = "ready"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What can happen to a fulfilment."""

    CLEAR = "clear"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    SHIP_SOME = "ship some"
    SHIP_ALL = "ship all"
    DELIVER_SOME = "deliver some"
    DELIVER_ALL = "deliver all"


LIFECYCLE: Mapping[tuple[Status, Action], Status] = {
    # before                                  what happens    after
    (Status.SCREENING, Action.CLEAR): Status.READY,
    (Status.SCREENING, Action.HOLD): Status.HELD,
    (Status.SCREENING, Action.RELEASE): Status.READY,  # by staff: nobody screened it in time
    (Status.HELD, Action.RELEASE): Status.READY,  # by a reviewer, or by staff
    (Status.SCREENING, Action.CANCEL): Status.CANCELLED,
    (Status.HELD, Action.CANCEL): Status.CANCELLED,
    (Status.READY, Action.CANCEL): Status.CANCELLED,
    (Status.READY, Action.SHIP_SOME): Status.PARTLY_SHIPPED,
    (Status.READY, Action.SHIP_ALL): Status.SHIPPED,
    (Status.PARTLY_SHIPPED, Action.SHIP_SOME): Status.PARTLY_SHIPPED,
    (Status.PARTLY_SHIPPED, Action.SHIP_ALL): Status.SHIPPED,
    (Status.PARTLY_SHIPPED, Action.DELIVER_SOME): Status.PARTLY_SHIPPED,
    (Status.SHIPPED, Action.DELIVER_SOME): Status.SHIPPED,
    (Status.SHIPPED, Action.DELIVER_ALL): Status.DELIVERED,
    # a verdict that comes after staff decided changes nothing, and so has no row
}
SHIPPABLE = (Status.READY, Status.PARTLY_SHIPPED)
UNCLEARED = (Status.SCREENING, Status.HELD)


class ShipmentState(StrEnum):
    """Where a shipment is."""

    LEAVING = "leaving"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    STOPPED = "stopped"


LEFT = (ShipmentState.SHIPPED, ShipmentState.DELIVERED)


class Allocation(NamedTuple):
    """Units of a SKU that inventory holds for the order in one warehouse."""

    sku: Sku
    warehouse_id: WarehouseId
    quantity: int


class Units(NamedTuple):
    """So many units of a SKU."""

    sku: Sku
    quantity: int


class Fulfilment(NamedTuple):
    """What is to be sent for an order; `allocations` is None until inventory was asked.

    `release_reason` is sealed, but where it is shown.
    """

    order_id: OrderId
    user_id: UserId
    status: Status
    allocations: Sequence[Allocation] | None
    released_by: str
    release_reason: str
    created_at_ms: int
    updated_at_ms: int


class Shipment(NamedTuple):
    """Units that leave one warehouse together."""

    shipment_id: ShipmentId
    order_id: OrderId
    user_id: UserId
    warehouse_id: WarehouseId
    status: ShipmentState
    lines: Sequence[Units]
    carrier: str
    tracking_number: str
    created_at_ms: int
    shipped_at_ms: int | None = None
    delivered_at_ms: int | None = None


def after(status: Status, action: Action) -> Status | None:
    """The status after `action`, or None when the lifecycle refuses it."""
    return LIFECYCLE.get((status, action))


def summed(lines: Iterable[tuple[Sku, int]]) -> list[Units]:
    """The units of each SKU, by SKU."""
    totals: dict[Sku, int] = {}
    for sku, quantity in lines:
        totals[sku] = totals.get(sku, 0) + quantity
    return [Units(sku, totals[sku]) for sku in sorted(totals)]


def still_there(
    allocations: Iterable[Allocation], shipments: Iterable[Shipment]
) -> dict[WarehouseId, dict[Sku, int]]:
    """What no shipment takes yet, by warehouse and SKU; a stopped one takes nothing."""
    left: dict[WarehouseId, dict[Sku, int]] = {}
    for sku, place, quantity in allocations:
        shelf = left.setdefault(place, {})
        shelf[sku] = shelf.get(sku, 0) + quantity
    for shipment in shipments:
        if shipment.status is not ShipmentState.STOPPED:
            shelf = left.setdefault(shipment.warehouse_id, {})
            for sku, quantity in shipment.lines:
                shelf[sku] = shelf.get(sku, 0) - quantity
    return {
        place: {sku: units for sku, units in shelf.items() if units}
        for place, shelf in left.items()
        if any(shelf.values())
    }


def is_there(wanted: Iterable[Units], there: Mapping[Sku, int]) -> bool:
    """Whether a warehouse has that many units which no shipment takes yet."""
    return all(units.quantity <= there.get(units.sku, 0) for units in wanted)


def progress(
    allocations: Iterable[Allocation], shipments: Sequence[Shipment], *, is_arrival: bool
) -> Action:
    """What the last change of the shipments means for the fulfilment."""
    allocated = sum(each.quantity for each in allocations)
    done = (ShipmentState.DELIVERED,) if is_arrival else LEFT
    units = sum(quantity for each in shipments if each.status in done for _, quantity in each.lines)
    if is_arrival:
        return Action.DELIVER_ALL if units == allocated else Action.DELIVER_SOME
    return Action.SHIP_ALL if units == allocated else Action.SHIP_SOME

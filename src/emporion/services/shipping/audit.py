"""Proves shipping's own books, and gives the facts that others' books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.services.shipping.adapters.sql import SqlFulfilmentStore, SqlShipmentStore, lines_of
from emporion.services.shipping.domain import (
    LEFT,
    Fulfilment,
    Shipment,
    ShipmentState,
    Status,
    still_there,
)

PAGE_SIZE = 1_000
FOLLOWS = "fulfilments follow from their shipments"
DATED = "shipments say when they left and arrived"
_LEFT = (
    "SELECT shipment_id, order_id, lines FROM shipment WHERE shipment_id > ?"
    " AND status IN ('shipped', 'delivered') ORDER BY shipment_id LIMIT ?"
)
_SENT = (
    "SELECT order_id, shipment_id, status, lines FROM shipment WHERE (order_id > ?"
    " OR order_id = ? AND shipment_id > ?) AND status IN ('shipped', 'delivered')"
    " ORDER BY order_id, shipment_id LIMIT ?"
)
_WITH_SHIPMENTS = (
    "SELECT DISTINCT order_id FROM shipment WHERE order_id > ? ORDER BY order_id LIMIT ?"
)
_WITHOUT = (
    "SELECT f.order_id, f.status FROM fulfilment f WHERE f.order_id > ?"
    " AND f.status IN ('partly_shipped', 'shipped', 'delivered')"
    " AND NOT EXISTS (SELECT 1 FROM shipment s WHERE s.order_id = f.order_id)"
    " ORDER BY f.order_id LIMIT ?"
)
_fulfilments, _shipments = SqlFulfilmentStore(), SqlShipmentStore()


class Violation(NamedTuple):
    """A check that failed: `subject` is the id of the order, or of the shipment."""

    check: str
    subject: str
    detail: str


class Left(NamedTuple):
    """Units of a SKU that left with a shipment."""

    shipment_id: str
    order_id: str
    sku: str
    units: int


class Sent(NamedTuple):
    """A shipment that left: its units, one SKU after the other, and whether it arrived."""

    order_id: str
    shipment_id: str
    units: list[tuple[str, int]]
    is_delivered: bool


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every fulfilment that is not what its shipments make of it, in pages of 1000 orders.

    A fulfilment and its shipments change in one transaction and are read in one, so a difference
    is real also beside a running shop.
    """
    last = ""
    while rows := await _page(database, _WITHOUT, last):
        for order_id, status in rows:
            yield Violation(FOLLOWS, order_id, f"it is {status}, and has no shipment")
        last = rows[-1][0]
    last = ""
    while rows := await _page(database, _WITH_SHIPMENTS, last):
        for (order_id,) in rows:
            for found in await _examined(database, order_id):
                yield found
        last = rows[-1][0]


async def left(database: Database) -> AsyncIterator[Left]:
    """What left, by rising shipment and SKU, read in pages of 1000 shipments."""
    last = ""
    while rows := await _page(database, _LEFT, last):
        for shipment_id, order_id, lines in rows:
            for sku, units in sorted(lines_of(lines)):
                yield Left(shipment_id, order_id, sku, units)
        last = rows[-1][0]


async def sent(database: Database) -> AsyncIterator[Sent]:
    """Each shipment that left, by rising order and shipment, read in pages of 1000."""
    order_id = shipment_id = ""
    while rows := await _page(database, _SENT, order_id, order_id, shipment_id):
        for order_id, shipment_id, status, lines in rows:
            yield Sent(order_id, shipment_id, sorted(lines_of(lines)), status == "delivered")


async def _page(database: Database, sql: str, *after: str) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, *after, PAGE_SIZE)

    return await database.read(work)


async def _examined(database: Database, order_id: str) -> list[Violation]:
    async def work(tx: Tx) -> tuple[Fulfilment | None, list[Shipment]]:
        found = await _fulfilments.find(tx, order_id)  # type: ignore[arg-type]
        return found, await _shipments.of_order(tx, order_id)  # type: ignore[arg-type]

    fulfilment, shipments = await database.read(work)
    found = [
        Violation(DATED, each.shipment_id, f"it is {each.status}")
        for each in shipments
        if (each.shipped_at_ms is not None, each.delivered_at_ms is not None)
        != (each.status in LEFT, each.status is ShipmentState.DELIVERED)
    ]
    wrong = _wrong(fulfilment, shipments)
    return [*found, Violation(FOLLOWS, order_id, wrong)] if wrong else found


def _wrong(fulfilment: Fulfilment | None, shipments: list[Shipment]) -> str:
    """What contradicts the shipments of an order; empty: nothing does."""
    if fulfilment is None:
        return "it has shipments, and is not to be sent"
    allocations = fulfilment.allocations or ()
    there = still_there(allocations, shipments)
    if any(units < 0 for shelf in there.values() for units in shelf.values()):
        return "more units are sent than its stock has"
    if any(each.user_id != fulfilment.user_id for each in shipments):
        return "a shipment is somebody else's"
    allocated = sum(each.quantity for each in allocations)
    gone = _units(shipments, LEFT)
    arrived = _units(shipments, (ShipmentState.DELIVERED,))
    if fulfilment.status in _possible(allocated, gone, arrived):
        return ""
    return f"it is {fulfilment.status}: of {allocated} units {gone} left and {arrived} arrived"


def _units(shipments: list[Shipment], states: tuple[ShipmentState, ...]) -> int:
    return sum(units for each in shipments if each.status in states for _, units in each.lines)


def _possible(allocated: int, gone: int, arrived: int) -> tuple[Status, ...]:
    if not gone:
        return (Status.READY, Status.CANCELLED)
    if gone < allocated:
        return (Status.PARTLY_SHIPPED,)
    return (Status.DELIVERED,) if arrived == allocated else (Status.SHIPPED,)

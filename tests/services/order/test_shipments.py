"""An order follows its shipments, and cannot be called off once one of them leaves."""

import asyncio
from typing import Any

import pytest

from emporion.contracts.inventory import Line
from emporion.contracts.order import (
    AlreadyShipping,
    CallOffOrder,
    CancelOrder,
    ClearShipment,
    OrderOf,
)
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.errors import Conflict, NotFound
from emporion.kernel.ids import OrderId, ShipmentId, Sku, WarehouseId
from emporion.services.order.domain import NotOrdered
from tests.services.order.fakes import ADA, NOW

FIRST, SECOND = ShipmentId("shp_" + "1" * 32), ShipmentId("shp_" + "2" * 32)


def shipped(order_id: OrderId, shipment_id: ShipmentId, **units: int) -> ShipmentShipped:
    return ShipmentShipped(
        shipment_id=shipment_id,
        order_id=order_id,
        user_id=ADA,
        warehouse_id=WarehouseId("main"),
        lines=[Line(sku=Sku(sku), quantity=number) for sku, number in units.items()],
        carrier="DHL",
        tracking_number="",
        shipped_at=NOW,
    )


def delivered(order_id: OrderId, shipment_id: ShipmentId) -> ShipmentDelivered:
    return ShipmentDelivered(
        shipment_id=shipment_id,
        order_id=order_id,
        user_id=ADA,
        lines=[],
        carrier="DHL",
        tracking_number="",
        delivered_at=NOW,
    )


async def status(s: Any, order_id: OrderId) -> Any:
    order = await s.as_user(ADA, s.api.get_order(OrderOf(order_id=order_id)))
    hold = await s.api.is_hold_needed(OrderOf(order_id=order_id))
    assert hold.is_paid
    return order.status


async def clear(s, order_id: OrderId, shipment_id: ShipmentId = FIRST) -> None:
    await s.api.clear_shipment(ClearShipment(order_id=order_id, shipment_id=shipment_id))


async def test_an_order_is_shipped_and_delivered_in_parts_each_told_twice(shop) -> None:
    async with shop() as s:
        order = await s.place(lines={"bread": 2, "tea": 1})
        for event, expected in (
            (shipped(order.order_id, FIRST, bread=1), OrderStatus.PARTLY_SHIPPED),
            (delivered(order.order_id, FIRST), OrderStatus.PARTLY_SHIPPED),
            (shipped(order.order_id, SECOND, bread=1, tea=1), OrderStatus.SHIPPED),
            (delivered(order.order_id, SECOND), OrderStatus.DELIVERED),
        ):
            for _ in range(2):
                await clear(s, order.order_id, FIRST)
                await s.hear(event)
            assert await status(s, order.order_id) is expected
        assert await s.books_balance()


async def test_an_order_whose_shipment_leaves_cannot_be_called_off(shop) -> None:
    async with shop() as s:
        order = await s.place()
        for _ in range(2):
            await clear(s, order.order_id)
        for _ in range(2):
            with pytest.raises(AlreadyShipping):
                await s.as_user(ADA, s.api.cancel_order(CancelOrder(order_id=order.order_id)))
            with pytest.raises(AlreadyShipping):
                await s.api.call_off(CallOffOrder(order_id=order.order_id, reason="fraud"))
            await s.hear(shipped(order.order_id, FIRST, bread=2))
        assert s.payments.captured == {order.order_id: 500}
        assert await s.books_balance()


async def test_a_shipment_of_a_called_off_or_unknown_order_does_not_leave(shop) -> None:
    async with shop() as s:
        order = await s.place()
        await s.as_user(ADA, s.api.cancel_order(CancelOrder(order_id=order.order_id)))
        with pytest.raises(NotInThisState):
            await clear(s, order.order_id)
        with pytest.raises(NotFound):
            await clear(s, OrderId("ord_" + "0" * 32))


async def test_of_a_shipment_and_a_cancellation_that_meet_one_wins(shop) -> None:
    async with shop() as s:
        for round_ in range(5):
            order = await s.place(f"k{round_}")
            request = CancelOrder(order_id=order.order_id)
            outcomes: list[object] = await asyncio.gather(
                clear(s, order.order_id),
                s.as_user(ADA, s.api.cancel_order(request)),
                return_exceptions=True,
            )
            refused = [each for each in outcomes if isinstance(each, BaseException)]
            assert len(refused) == 1
            assert isinstance(refused[0], AlreadyShipping | NotInThisState | Conflict)


async def test_no_more_can_have_left_or_arrived_than_was_ordered_and_left(shop) -> None:
    async with shop() as s:
        order = await s.place()
        with pytest.raises(NotOrdered):
            await s.hear(shipped(order.order_id, FIRST, bread=3))
        with pytest.raises(NotOrdered):
            await s.hear(shipped(order.order_id, FIRST, tea=1))
        with pytest.raises(NotOrdered):
            await s.hear(delivered(order.order_id, FIRST))
        assert await status(s, order.order_id) is OrderStatus.PAID

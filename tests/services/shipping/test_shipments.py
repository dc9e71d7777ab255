"""Shipments: no unit leaves twice, none without the order's leave, and each is told of once."""

import asyncio

import pytest

from emporion.contracts.inventory import Line, ReservationStatus
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.contracts.shipping import (
    FulfilmentOf,
    FulfilmentOver,
    FulfilmentStatus,
    ListFulfilments,
    ListShipments,
    NotShipped,
    NotThere,
    ShipmentOf,
    ShipmentStatus,
    StockNotSettled,
    TooManyShipments,
    ToShip,
)
from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ShipmentId, Sku, WarehouseId
from emporion.services.shipping.domain import SHIPMENTS_MAX
from tests.services.shipping.dock import ADA, BOB, cancelled, created

NOBODYS = ShipmentId("shp_" + "0" * 32)


async def test_an_order_leaves_its_warehouse_whole_and_arrives(dock):
    order_id = await dock.paid(("bread", "main", 2), ("tea", "main", 1))

    shipment = await dock.ship(order_id)

    assert shipment.status is ShipmentStatus.SHIPPED
    assert shipment.lines == [Line(sku=Sku("bread"), quantity=2), Line(sku=Sku("tea"), quantity=1)]
    assert dock.stock.left[shipment.shipment_id].lines == shipment.lines
    assert await dock.status(order_id) == "shipped"
    for _ in range(2):
        arrived = await dock.deliver(shipment.shipment_id)
        assert arrived.status is ShipmentStatus.DELIVERED
    assert await dock.status(order_id) == "delivered"
    assert await dock.published() == [
        ("shipments.shipped", order_id),
        ("shipments.delivered", order_id),
    ]


async def test_an_order_leaves_in_parts_each_from_the_warehouse_that_holds_it(dock):
    order_id = await dock.paid(("bread", "main", 3), ("bread", "annex", 1))
    first = await dock.ship(order_id, "main", bread=1)

    seen = await dock.fulfilment(order_id)
    assert seen.status is FulfilmentStatus.PARTLY_SHIPPED
    assert seen.to_ship == [
        ToShip(warehouse_id=WarehouseId("annex"), sku=Sku("bread"), quantity=1),
        ToShip(warehouse_id=WarehouseId("main"), sku=Sku("bread"), quantity=2),
    ]
    await dock.deliver(first.shipment_id)
    assert await dock.status(order_id) == "partly_shipped"
    rest = await dock.ship(order_id, "main")
    assert rest.lines == [Line(sku=Sku("bread"), quantity=2)]
    last = await dock.ship(order_id, "annex")
    assert await dock.status(order_id) == "shipped"
    await dock.deliver(last.shipment_id)
    assert await dock.status(order_id) == "shipped"
    await dock.deliver(rest.shipment_id)
    assert await dock.status(order_id) == "delivered"
    assert (await dock.fulfilment(order_id)).to_ship == []


async def test_a_repeated_request_ships_once_and_another_under_its_key_is_refused(dock):
    order_id = await dock.paid(("bread", "main", 4))

    answers = await asyncio.gather(*(dock.ship(order_id, key="k", bread=1) for _ in range(5)))

    assert {answer.shipment_id for answer in answers} == {answers[0].shipment_id}
    assert len(dock.stock.left) == 1
    with pytest.raises(KeyReused):
        await dock.ship(order_id, key="k", bread=2)


async def test_no_unit_leaves_twice_also_at_the_same_moment(dock):
    order_id = await dock.paid(("bread", "main", 4))

    answers = await asyncio.gather(
        *(dock.ship(order_id, bread=3) for _ in range(4)), return_exceptions=True
    )

    assert sum(isinstance(answer, NotThere) for answer in answers) == 3
    with pytest.raises(NotThere):
        await dock.ship(order_id, "annex")
    with pytest.raises(NotThere):
        await dock.ship(order_id, tea=1)
    assert [sum(line.quantity for line in left.lines) for left in dock.stock.left.values()] == [3]


async def test_nothing_leaves_that_the_order_does_not_let_go(dock):
    """A cancellation was first, and its event has still to come."""
    order_id = await dock.paid()
    dock.orders.cancelled.add(order_id)

    for _ in range(2):
        with pytest.raises(NotInThisState):
            await dock.ship(order_id, key="k")

    assert dock.stock.left == {}
    assert [each.status for each in (await dock.fulfilment(order_id)).shipments] == [
        ShipmentStatus.STOPPED
    ]
    await dock.hear(cancelled(order_id))
    with pytest.raises(FulfilmentOver):
        await dock.ship(order_id)
    assert await dock.published() == []


@pytest.mark.parametrize("part", ["orders", "stock"])
async def test_a_shipment_leaves_by_itself_once_the_others_answer_again(dock, part):
    order_id = await dock.paid()
    getattr(dock, part).outages = 1

    pending = await dock.ship(order_id, key="k")

    assert pending.status is ShipmentStatus.LEAVING
    assert pending.is_pending
    with pytest.raises(NotThere):
        await dock.ship(order_id)
    with pytest.raises(NotShipped):
        await dock.deliver(pending.shipment_id)
    dock.runtime.clock.advance(5)
    await dock.engine.run_due()
    again = await dock.ship(order_id, key="k")
    assert (again.shipment_id, again.status) == (pending.shipment_id, ShipmentStatus.SHIPPED)
    assert await dock.published() == [("shipments.shipped", order_id)]


async def test_what_is_not_set_aside_yet_cannot_be_shipped(dock):
    order_id = await dock.paid()
    dock.stock.status = ReservationStatus.HELD
    assert (await dock.fulfilment(order_id)).to_ship == []
    with pytest.raises(StockNotSettled):
        await dock.ship(order_id)
    held = dock.stock.holds.pop(order_id)
    with pytest.raises(StockNotSettled):
        await dock.ship(order_id)
    dock.stock.holds[order_id], dock.stock.status = held, ReservationStatus.COMMITTED
    assert (await dock.ship(order_id)).status is ShipmentStatus.SHIPPED
    with pytest.raises(FulfilmentOver):
        await dock.ship(order_id)


async def test_an_order_has_a_bounded_number_of_shipments(dock):
    order_id = await dock.paid(("bread", "main", SHIPMENTS_MAX + 1))
    dock.orders.outages = SHIPMENTS_MAX
    for _ in range(SHIPMENTS_MAX):
        await dock.ship(order_id, bread=1)
    with pytest.raises(TooManyShipments):
        await dock.ship(order_id, bread=1)


async def test_the_unknown_is_not_found(dock):
    with pytest.raises(NotFound):
        await dock.ship(dock.order_id())
    with pytest.raises(NotFound):
        await dock.fulfilment(dock.order_id())
    with pytest.raises(NotFound):
        await dock.deliver(NOBODYS)
    with pytest.raises(NotFound):
        await dock.as_user(ADA, dock.api.get_shipment(ShipmentOf(shipment_id=NOBODYS)))


async def test_customers_see_their_own_shipments_only(dock):
    order_id = await dock.paid()
    shipment = await dock.ship(order_id)
    of_order, one = FulfilmentOf(order_id=order_id), ShipmentOf(shipment_id=shipment.shipment_id)

    seen = await dock.as_user(ADA, dock.api.shipments_of(of_order))
    assert (seen.status, seen.shipments) == (FulfilmentStatus.SHIPPED, [shipment])
    assert await dock.as_user(ADA, dock.api.get_shipment(one)) == shipment
    with pytest.raises(NotFound):
        await dock.as_user(BOB, dock.api.shipments_of(of_order))
    with pytest.raises(NotFound):
        await dock.as_user(BOB, dock.api.get_shipment(one))
    assert await dock.as_staff(dock.api.get_shipment(one)) == shipment


async def test_fulfilments_and_shipments_are_listed_page_by_page(dock):
    orders = [await dock.paid() for _ in range(5)]
    sent = [(await dock.ship(order_id)).shipment_id for order_id in orders[:3]]

    waiting: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await dock.api.list_fulfilments(ListFulfilments(limit=2, cursor=cursor))
        waiting += [each.order_id for each in page.fulfilments]
        cursor = page.next_cursor
    assert (waiting, cursor) == (orders, "")
    ready = await dock.api.list_fulfilments(ListFulfilments(status=FulfilmentStatus.READY))
    assert [each.order_id for each in ready.fulfilments] == orders[3:]

    first = await dock.api.list_shipments(ListShipments(limit=2))
    second = await dock.api.list_shipments(ListShipments(limit=2, cursor=first.next_cursor))
    listed = [each.shipment_id for each in (*first.shipments, *second.shipments)]
    assert (listed, second.next_cursor) == (sent[::-1], "")
    arrived = await dock.api.list_shipments(ListShipments(status=ShipmentStatus.DELIVERED))
    assert arrived.shipments == []
    with pytest.raises(UnknownCursor):
        await dock.api.list_fulfilments(ListFulfilments(cursor="x"))
    with pytest.raises(UnknownCursor):
        await dock.api.list_shipments(ListShipments(cursor="x"))


async def test_an_order_heard_of_twice_is_sent_once(dock):
    order_id = await dock.paid()
    await dock.ship(order_id)
    await dock.hear(created(order_id))
    assert await dock.status(order_id) == "shipped"

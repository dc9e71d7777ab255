"""Units that leave, and units that come back: holds, levels and movements agree throughout."""

import asyncio
import secrets
from typing import Any

import pytest

from emporion.contracts.inventory import (
    Allocation,
    Depart,
    Line,
    ListMovements,
    MovementReason,
    ReservationOf,
    Restock,
    UnitsNotHeld,
    WarehouseOf,
)
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import InvalidArgument, NotFound
from emporion.kernel.ids import OrderId, ReturnId, ShipmentId, Sku, WarehouseId

MAIN, ANNEX = WarehouseId("main"), WarehouseId("annex")
TART = Sku("tart")


def lines(**units: int) -> list[Line]:
    return [Line(sku=Sku(sku), quantity=quantity) for sku, quantity in units.items()]


def departure(order_id: OrderId, at: WarehouseId = MAIN, id_: str = "", **units: int) -> Depart:
    shipment_id = ShipmentId(f"shp_{id_ or secrets.token_hex(16)}")
    return Depart(shipment_id=shipment_id, order_id=order_id, warehouse_id=at, lines=lines(**units))


async def sold(stockroom: Any, **units: int) -> Any:
    """An order whose hold is committed."""
    request = stockroom.request(*units.items())
    await stockroom.api.reserve(request)
    await stockroom.hear_that_it_is_paid(request)
    return request.order_id


async def test_units_that_leave_are_neither_reserved_nor_on_hand_any_more(stockroom):
    await stockroom.stock("tart", 10)
    order_id = await sold(stockroom, tart=4)

    left = await stockroom.api.depart(departure(order_id, tart=3))

    assert await stockroom.levels() == {("tart", "main"): (7, 1)}
    assert [(m.quantity, m.reason) for m in left.movements] == [(-3, MovementReason.SHIPPED)]
    hold = await stockroom.api.hold_of(ReservationOf(order_id=order_id))
    assert hold.allocations == [Allocation(sku=TART, warehouse_id=MAIN, quantity=4, departed=3)]
    listed = await stockroom.api.list_movements(ListMovements(limit=1))
    assert listed.movements == left.movements


async def test_a_shipment_leaves_once_however_often_it_is_told(stockroom):
    await stockroom.stock("tart", 10)
    await stockroom.stock("bun", 10)
    order_id = await sold(stockroom, tart=4, bun=1)
    leaving = departure(order_id, tart=2)

    replies = await asyncio.gather(*(stockroom.api.depart(leaving) for _ in range(5)))

    assert all(reply == replies[0] for reply in replies)
    other = [{"tart": 1}, {"tart": 2, "bun": 1}]
    for units in other:
        with pytest.raises(KeyReused):
            await stockroom.api.depart(departure(order_id, MAIN, leaving.shipment_id[4:], **units))
    assert await stockroom.levels() == {("bun", "main"): (10, 1), ("tart", "main"): (8, 2)}


async def test_no_more_units_leave_than_are_held_there_also_at_the_same_moment(stockroom):
    await stockroom.stock("tart", 10)
    order_id = await sold(stockroom, tart=4)

    answers = await asyncio.gather(
        *(stockroom.api.depart(departure(order_id, tart=3)) for _ in range(4)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, UnitsNotHeld) for answer in answers) == 3
    assert await stockroom.levels() == {("tart", "main"): (7, 1)}


async def test_each_warehouse_ships_what_it_holds(stockroom):
    await stockroom.warehouse("annex", priority=200)
    await stockroom.stock("tart", 3)
    await stockroom.stock("tart", 5, at="annex")
    order_id = await sold(stockroom, tart=4)

    with pytest.raises(UnitsNotHeld):
        await stockroom.api.depart(departure(order_id, ANNEX, tart=2))
    await stockroom.api.depart(departure(order_id, ANNEX, tart=1))
    await stockroom.api.depart(departure(order_id, MAIN, tart=3))

    assert await stockroom.levels() == {("tart", "annex"): (4, 0), ("tart", "main"): (0, 0)}


@pytest.mark.parametrize("state", ["absent", "held", "released"])
async def test_nothing_leaves_for_an_order_that_is_not_sold(stockroom, state):
    await stockroom.stock("tart", 10)
    request = stockroom.request(("tart", 4))
    if state != "absent":
        await stockroom.api.reserve(request)
    if state == "released":
        await stockroom.api.release(request)
    before = await stockroom.levels()

    with pytest.raises(UnitsNotHeld):
        await stockroom.api.depart(departure(request.order_id, tart=1))

    assert await stockroom.levels() == before


async def test_a_release_gives_back_only_what_has_not_left(stockroom):
    await stockroom.stock("tart", 10)
    request = stockroom.request(("tart", 4))
    await stockroom.api.reserve(request)
    await stockroom.hear_that_it_is_paid(request)
    await stockroom.api.depart(departure(request.order_id, tart=3))

    for _ in range(2):
        await stockroom.api.release(request)

    assert await stockroom.levels() == {("tart", "main"): (7, 0)}


async def test_what_comes_back_is_on_the_shelf_once(stockroom):
    await stockroom.stock("tart", 10)
    back = Restock(
        return_id=ReturnId("ret_" + "1" * 32),
        order_id=stockroom.order_id(),
        warehouse_id=MAIN,
        lines=lines(tart=2),
    )

    replies = await asyncio.gather(*(stockroom.api.restock(back) for _ in range(3)))

    assert {m.reason for reply in replies for m in reply.movements} == {MovementReason.RETURNED}
    assert await stockroom.levels() == {("tart", "main"): (12, 0)}


async def test_staff_cannot_take_the_key_of_a_shipment_or_a_return(stockroom):
    for key in ("shipment/x/tart", "return/x/tart"):
        with pytest.raises(InvalidArgument):
            await stockroom.api.move_stock(stockroom.movement("tart", 1, key=key))


async def test_a_warehouse_is_known_or_not(stockroom):
    assert (await stockroom.api.warehouse(WarehouseOf(warehouse_id=MAIN))).warehouse_id == MAIN
    with pytest.raises(NotFound):
        await stockroom.api.warehouse(WarehouseOf(warehouse_id=WarehouseId("nowhere")))

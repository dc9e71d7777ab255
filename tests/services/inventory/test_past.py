"""Stock remembers: a level at an instant from its movements, a hold from what became of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.contracts.inventory import (
    ListMovements,
    ReservationOf,
)
from emporion.contracts.inventory_levels import LevelOf
from emporion.contracts.refusals import DidNotExistYet, InTheFuture, NotRecorded
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import Sku, WarehouseId
from tests.services.inventory.engines import Damage
from tests.services.inventory.test_departures import departure

TRACE = "a" * 32
TART, MAIN = Sku("tart"), WarehouseId("main")


@contextmanager
def by(subject: str, command: str, kind: Kind = Kind.SERVICE) -> Iterator[None]:
    call = Call(Identity(kind, subject, frozenset()), Trace(TRACE, "b" * 16), command=command)
    token = enter(call)
    try:
        yield
    finally:
        leave(token)


async def test_a_level_at_an_instant_is_the_sum_of_its_movements_until_then(stockroom):
    await stockroom.stock("tart", 5)
    first_ms = stockroom.clock.now_ms()
    stockroom.clock.advance(60)
    await stockroom.stock("tart", -2)

    async def level(at_ms: int | None = None) -> tuple[int, int]:
        moment = None if at_ms is None else to_datetime(at_ms)
        then = await stockroom.api.get_level(LevelOf(sku=TART, warehouse_id=MAIN, as_of=moment))
        return then.on_hand, then.movements

    assert await level(first_ms) == (5, 1)
    assert await level(first_ms + 59_999) == (5, 1)
    assert await level(first_ms + 60_000) == (3, 2)
    assert await level() == (3, 2)
    with pytest.raises(DidNotExistYet):
        await level(first_ms - 1)
    with pytest.raises(InTheFuture):
        await level(first_ms + 60_001)
    with pytest.raises(NotFound):
        await stockroom.api.get_level(LevelOf(sku=Sku("pie"), warehouse_id=MAIN))


async def test_a_movement_says_who_made_it_also_when_it_is_asked_for_again(stockroom):
    move = stockroom.movement("tart", 5, key="k")
    with by("usr_1", "inventory.move_stock", Kind.PERSON):
        made = await stockroom.api.move_stock(move)
    with by("usr_2", "inventory.move_stock", Kind.PERSON):
        assert await stockroom.api.move_stock(move) == made
    (listed,) = (await stockroom.api.list_movements(ListMovements(sku=TART))).movements
    assert listed == made
    assert (made.actor, made.command, made.trace_id) == ("usr_1", "inventory.move_stock", TRACE)


async def test_a_hold_tells_what_became_of_it_and_through_whom(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))
    began_ms = stockroom.clock.now_ms()
    with by("order", "inventory.reserve"):
        await stockroom.api.reserve(request)
        await stockroom.api.reserve(request)
    stockroom.clock.advance(1)
    with by("inventory", "on orders.created"):
        await stockroom.hear_that_it_is_paid(request)
        await stockroom.hear_that_it_is_paid(request)
    stockroom.clock.advance(1)
    with by("order", "inventory.release"):
        await stockroom.api.release(request)
        await stockroom.api.release(request)

    past = await stockroom.api.reservation_history(ReservationOf(order_id=request.order_id))

    assert [(each.what, each.actor, each.command) for each in past.changes] == [
        ("reservation.held", "order", "inventory.reserve"),
        ("reservation.committed", "inventory", "on orders.created"),
        ("reservation.released", "order", "inventory.release"),
    ]
    assert {each.trace_id for each in past.changes} == {TRACE}

    async def status(at_ms: int) -> str:
        asked = ReservationOf(order_id=request.order_id, as_of=to_datetime(at_ms))
        return str((await stockroom.api.get_reservation(asked)).status)

    assert await status(began_ms) == "held"
    assert await status(began_ms + 1_999) == "committed"
    assert await status(began_ms + 2_000) == "released"
    with pytest.raises(DidNotExistYet):
        await status(began_ms - 1)
    with pytest.raises(InTheFuture):
        await status(began_ms + 2_001)


async def test_what_was_held_is_told_as_of_then_and_not_as_of_now(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 4))
    order_id = request.order_id
    began_ms = stockroom.clock.now_ms()
    await stockroom.api.reserve(request)
    await stockroom.hear_that_it_is_paid(request)
    for units in (1, 2):
        stockroom.clock.advance(1)
        await stockroom.api.depart(departure(order_id, tart=units))

    past = await stockroom.api.reservation_history(ReservationOf(order_id=order_id))
    assert [json.loads(each.facts)[0]["departed"] for each in past.changes] == [0, 0, 1, 3]

    async def departed(at_ms: int) -> int:
        asked = ReservationOf(order_id=order_id, as_of=to_datetime(at_ms))
        (told,) = (await stockroom.api.get_reservation(asked)).allocations
        assert told.quantity == 4
        return int(told.departed)

    instants = (began_ms, began_ms + 999, began_ms + 1_000, began_ms + 2_000)
    assert [await departed(at_ms) for at_ms in instants] == [0, 0, 1, 3]


@pytest.mark.parametrize("is_paid", [True, False])
async def test_a_hold_that_was_taken_again_tells_where_it_lay_before(stockroom, is_paid: bool):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2), seconds=60)
    began_ms = stockroom.clock.now_ms()
    await stockroom.api.reserve(request)
    stockroom.clock.advance(61)
    await stockroom.run_alarm()
    await stockroom.stock("tart", -2)
    await stockroom.warehouse("annex")
    await stockroom.stock("tart", 2, at="annex")
    stockroom.clock.advance(1)
    if is_paid:
        await stockroom.hear_that_it_is_paid(request)
    else:
        await stockroom.api.reserve(request)

    async def place(at_ms: int) -> str:
        asked = ReservationOf(order_id=request.order_id, as_of=to_datetime(at_ms))
        (told,) = (await stockroom.api.get_reservation(asked)).allocations
        return str(told.warehouse_id)

    now_ms = stockroom.clock.now_ms()
    assert [await place(at) for at in (began_ms, now_ms - 1, now_ms)] == ["main", "main", "annex"]


async def test_an_order_that_never_held_anything_has_no_past(stockroom):
    order_id = stockroom.order_id()
    with pytest.raises(NotFound):
        await stockroom.api.reservation_history(ReservationOf(order_id=order_id))
    moment = to_datetime(stockroom.clock.now_ms())
    with pytest.raises(NotFound):
        await stockroom.api.get_reservation(ReservationOf(order_id=order_id, as_of=moment))


async def test_of_a_hold_from_before_there_was_a_trail_its_end_is_not_known(stockroom):
    """Rows from before the migration: told as far as they tell, and no further."""
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))
    await stockroom.api.reserve(request)
    await stockroom.api.release(request)
    empty = [] if stockroom.engine.name in ("mongodb", "documentdb") else ""
    damage = Damage("hold", None, {"trail": empty})
    asked = ReservationOf(order_id=request.order_id, as_of=to_datetime(stockroom.clock.now_ms()))

    async with stockroom.engine.damaged(stockroom.database, [damage]):
        history = ReservationOf(order_id=request.order_id)
        (began,) = (await stockroom.api.reservation_history(history)).changes
        with pytest.raises(NotRecorded):
            await stockroom.api.get_reservation(asked)

    assert (began.what, began.actor, began.command) == ("reservation.held", "", "")

"""Holds whose time is over: let go only after their order was asked."""

import asyncio

from emporion.chassis.testing.time import settle
from emporion.contracts.inventory import ReservationOf
from emporion.contracts.order import HoldNeeded
from emporion.services.inventory.commands import ASK_AGAIN_MS, DUE_MAX, EXTENSION_MS

UNDECIDED = HoldNeeded(is_needed=True, is_paid=False)
PAID = HoldNeeded(is_needed=True, is_paid=True)


async def overdue(stockroom, quantity=1):
    request = stockroom.request(("tart", quantity), seconds=10)
    await stockroom.api.reserve(request)
    stockroom.clock.advance(11)
    return request


async def test_a_hold_that_nobody_needs_any_more_gives_its_units_back(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom, 3)

    due_ms = await stockroom.run_alarm()

    assert due_ms is None
    assert await stockroom.statuses() == {request.order_id: "expired"}
    assert await stockroom.levels() == {("tart", "main"): (5, 0)}
    assert await stockroom.released() == [request.order_id]


async def test_the_hold_of_a_paid_order_is_kept_for_good_when_its_time_is_over(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    stockroom.orders.needs[request.order_id] = PAID

    await stockroom.run_alarm()

    assert await stockroom.statuses() == {request.order_id: "committed"}
    assert await stockroom.levels() == {("tart", "main"): (5, 1)}
    assert await stockroom.released() == []


async def test_the_hold_of_an_undecided_order_is_extended(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    stockroom.orders.needs[request.order_id] = UNDECIDED

    due_ms = await stockroom.run_alarm()

    assert due_ms == stockroom.clock.now_ms() + EXTENSION_MS
    assert await stockroom.statuses() == {request.order_id: "held"}


async def test_while_orders_cannot_be_asked_holds_stay_and_are_asked_about_later(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    stockroom.orders.is_reachable = False

    due_ms = await stockroom.run_alarm()

    assert due_ms == stockroom.clock.now_ms() + ASK_AGAIN_MS
    assert await stockroom.levels() == {("tart", "main"): (5, 1)}
    stockroom.orders.is_reachable = True
    stockroom.clock.advance(ASK_AGAIN_MS / 1000)
    await stockroom.run_alarm()
    assert await stockroom.statuses() == {request.order_id: "expired"}


async def test_a_hold_that_is_released_while_its_order_is_asked_is_given_back_once(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    answer = stockroom.orders.is_hold_needed

    async def release_meanwhile(question):
        await stockroom.api.release(request)
        return await answer(question)

    stockroom.orders.is_hold_needed = release_meanwhile
    await stockroom.run_alarm()

    assert await stockroom.statuses() == {request.order_id: "released"}
    assert await stockroom.levels() == {("tart", "main"): (5, 0)}
    assert await stockroom.released() == [request.order_id]


async def test_a_hold_that_is_committed_while_its_order_is_asked_stays_committed(stockroom):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    answer = stockroom.orders.is_hold_needed

    async def hear_meanwhile(question):
        await stockroom.hear_that_it_is_paid(request)
        return await answer(question)

    stockroom.orders.is_hold_needed = hear_meanwhile
    await stockroom.run_alarm()

    assert await stockroom.statuses() == {request.order_id: "committed"}
    assert await stockroom.levels() == {("tart", "main"): (5, 1)}


async def test_holds_that_are_not_due_are_neither_asked_about_nor_touched(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 1), seconds=60)
    reservation = await stockroom.api.reserve(request)

    due_ms = await stockroom.run_alarm()

    assert due_ms == stockroom.clock.now_ms() + 60_000
    assert stockroom.orders.asked == []
    question = ReservationOf(order_id=request.order_id)
    assert await stockroom.api.get_reservation(question) == reservation


async def test_a_run_decides_about_a_bounded_number_and_is_due_again_at_once(stockroom):
    await stockroom.stock("tart", 1_000)
    await asyncio.gather(
        *(
            stockroom.api.reserve(stockroom.request(("tart", 1), seconds=10))
            for _ in range(DUE_MAX + 1)
        )
    )
    stockroom.clock.advance(11)

    due_ms = await stockroom.run_alarm()

    assert len(stockroom.orders.asked) == DUE_MAX
    assert due_ms <= stockroom.clock.now_ms()
    assert await stockroom.run_alarm() is None
    assert await stockroom.levels() == {("tart", "main"): (1_000, 0)}


async def test_the_alarm_is_woken_only_by_a_hold_that_ends_before_its_next_instant(stockroom):
    await stockroom.stock("tart", 10)
    alarm = stockroom.assembly.alarms[0]
    pokes = []
    (stockroom.assembly.implementation._holds._overdue).wake = lambda: pokes.append(1)
    assert alarm is not None

    for seconds in (900, 900, 1_000, 10, 900):
        await stockroom.api.reserve(stockroom.request(("tart", 1), seconds=seconds))

    assert len(pokes) == 2  # the first hold of all, and the short one


async def test_the_served_alarm_lets_go_at_the_hold_s_own_time(stockroom):
    await stockroom.stock("tart", 5)
    serving = asyncio.ensure_future(stockroom.assembly.alarms[0].serve())
    await settle()
    request = stockroom.request(("tart", 1), seconds=10)
    await stockroom.api.reserve(request)
    await settle()

    stockroom.clock.advance(11)
    while not await stockroom.released():
        await asyncio.sleep(0)

    assert await stockroom.statuses() == {request.order_id: "expired"}
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_hold_that_is_extended_while_its_order_is_asked_is_asked_about_again_later(
    stockroom,
):
    await stockroom.stock("tart", 5)
    request = await overdue(stockroom)
    answer = stockroom.orders.is_hold_needed

    async def extend_meanwhile(question):
        stockroom.orders.is_hold_needed = answer
        stockroom.orders.needs[request.order_id] = UNDECIDED
        await stockroom.run_alarm()
        stockroom.orders.needs.clear()
        return await answer(question)

    stockroom.orders.is_hold_needed = extend_meanwhile
    due_ms = await stockroom.run_alarm()

    assert due_ms == stockroom.clock.now_ms() + EXTENSION_MS
    assert await stockroom.statuses() == {request.order_id: "held"}

"""Holds on stock: all or nothing, once for each order, undone for good."""

import asyncio
import logging

import pytest

from emporion.contracts.inventory import OutOfStock, ReservationOf, ReservationReleased
from emporion.kernel.errors import Conflict, NotFound


def held(reservation):
    return [(each.sku, each.warehouse_id, each.quantity) for each in reservation.allocations]


async def test_a_hold_takes_every_line_and_says_when_it_ends(stockroom):
    await stockroom.stock("croissant", 10)
    await stockroom.stock("tart", 5)

    reservation = await stockroom.api.reserve(
        stockroom.request(("tart", 2), ("croissant", 3), seconds=60)
    )

    assert held(reservation) == [("croissant", "main", 3), ("tart", "main", 2)]
    assert (reservation.expires_at - reservation.created_at).total_seconds() == 60
    assert await stockroom.levels() == {("croissant", "main"): (10, 3), ("tart", "main"): (5, 2)}


async def test_with_one_line_short_nothing_is_held_and_every_short_sku_is_named(stockroom):
    await stockroom.stock("croissant", 10)
    await stockroom.stock("tart", 5)
    await stockroom.api.reserve(stockroom.request(("croissant", 1)))

    with pytest.raises(OutOfStock) as refused:
        await stockroom.api.reserve(
            stockroom.request(("baguette", 1), ("croissant", 2), ("tart", 6))
        )

    assert refused.value.fields["shortages"] == [
        {"sku": "baguette", "wanted": 1, "available": 0},
        {"sku": "tart", "wanted": 6, "available": 5},
    ]
    assert await stockroom.levels() == {("croissant", "main"): (10, 1), ("tart", "main"): (5, 0)}


async def test_a_refused_order_can_try_again_when_stock_has_come_in(stockroom):
    request = stockroom.request(("tart", 1))
    with pytest.raises(OutOfStock):
        await stockroom.api.reserve(request)
    await stockroom.stock("tart", 1)

    assert held(await stockroom.api.reserve(request)) == [("tart", "main", 1)]


async def test_the_refused_give_back_what_they_took_while_neighbours_keep_theirs(stockroom):
    await stockroom.stock("croissant", 30)
    await stockroom.stock("tart", 10)
    good = [stockroom.request(("croissant", 1), ("tart", 1)) for _ in range(10)]
    short = [stockroom.request(("croissant", 1), ("zwieback", 1)) for _ in range(10)]
    mixed = [request for pair in zip(good, short, strict=True) for request in pair]

    outcomes = await asyncio.gather(
        *(stockroom.api.reserve(request) for request in mixed), return_exceptions=True
    )

    assert [isinstance(outcome, OutOfStock) for outcome in outcomes] == [False, True] * 10
    assert await stockroom.levels() == {
        ("croissant", "main"): (30, 10),
        ("tart", "main"): (10, 10),
    }


async def test_the_same_request_again_gives_the_same_hold_even_when_nothing_is_left(stockroom):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2))
    first = await stockroom.api.reserve(request)
    stockroom.clock.advance(5)

    assert await stockroom.api.reserve(request) == first
    assert await stockroom.levels() == {("tart", "main"): (2, 2)}


async def test_the_same_request_twenty_times_at_once_holds_once(stockroom):
    await stockroom.stock("tart", 40)
    request = stockroom.request(("tart", 2))

    replies = await asyncio.gather(*(stockroom.api.reserve(request) for _ in range(20)))

    assert all(reply == replies[0] for reply in replies)
    assert await stockroom.levels() == {("tart", "main"): (40, 2)}


async def test_the_same_order_with_other_units_is_a_conflict(stockroom):
    await stockroom.stock("tart", 10)
    request = stockroom.request(("tart", 2))
    await stockroom.api.reserve(request)

    with pytest.raises(Conflict):
        await stockroom.api.reserve(stockroom.request(("tart", 3), order_id=request.order_id))

    assert await stockroom.levels() == {("tart", "main"): (10, 2)}


async def test_a_release_gives_everything_back_once_and_is_announced_once(stockroom):
    await stockroom.stock("croissant", 5)
    await stockroom.stock("tart", 5)
    request = stockroom.request(("croissant", 5), ("tart", 1))
    await stockroom.api.reserve(request)

    replies = await asyncio.gather(*(stockroom.api.release(request) for _ in range(10)))

    assert {reply.status for reply in replies} == {"released"}
    assert {reply.expires_at for reply in replies} == {None}
    assert await stockroom.levels() == {("croissant", "main"): (5, 0), ("tart", "main"): (5, 0)}
    assert await stockroom.released() == [request.order_id]


async def test_an_undo_that_comes_first_keeps_the_hold_from_ever_being_made(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 1))

    undone = await stockroom.api.release(request)

    assert (undone.status, undone.allocations) == ("released", [])
    with pytest.raises(ReservationReleased):
        await stockroom.api.reserve(request)
    assert await stockroom.levels() == {("tart", "main"): (5, 0)}
    assert await stockroom.released() == []


async def test_a_late_do_after_the_undo_is_refused(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 1))
    await stockroom.api.reserve(request)
    await stockroom.api.release(request)

    with pytest.raises(ReservationReleased):
        await stockroom.api.reserve(request)

    assert await stockroom.levels() == {("tart", "main"): (5, 0)}


async def test_do_and_undo_at_once_leave_nothing_held_in_either_order(stockroom):
    await stockroom.stock("tart", 100)
    requests = [stockroom.request(("tart", 1)) for _ in range(20)]

    await asyncio.gather(
        *(
            call(request)
            for request in requests
            for call in (stockroom.api.release, stockroom.api.reserve)
        ),
        return_exceptions=True,
    )

    assert set((await stockroom.statuses()).values()) == {"released"}
    assert await stockroom.levels() == {("tart", "main"): (100, 0)}


async def test_a_paid_order_keeps_its_stock_for_good(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))
    await stockroom.api.reserve(request)

    await stockroom.hear_that_it_is_paid(request)
    await stockroom.hear_that_it_is_paid(request)

    reservation = await stockroom.api.get_reservation(ReservationOf(order_id=request.order_id))
    assert (reservation.status, reservation.expires_at) == ("committed", None)
    assert await stockroom.levels() == {("tart", "main"): (5, 2)}
    assert await stockroom.api.reserve(request) == reservation


async def test_a_cancelled_paid_order_gives_its_stock_back(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))
    await stockroom.api.reserve(request)
    await stockroom.hear_that_it_is_paid(request)

    await stockroom.api.release(request)

    assert await stockroom.levels() == {("tart", "main"): (5, 0)}
    assert await stockroom.released() == [request.order_id]


async def test_news_of_a_payment_that_comes_after_the_cancellation_takes_nothing(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))
    await stockroom.api.reserve(request)
    await stockroom.api.release(request)

    await stockroom.hear_that_it_is_paid(request)

    assert await stockroom.levels() == {("tart", "main"): (5, 0)}


async def test_an_order_paid_without_any_hold_takes_its_stock_now(stockroom):
    await stockroom.stock("tart", 5)
    request = stockroom.request(("tart", 2))

    await stockroom.hear_that_it_is_paid(request)

    assert await stockroom.statuses() == {request.order_id: "committed"}
    assert await stockroom.levels() == {("tart", "main"): (5, 2)}


async def test_an_order_paid_after_its_hold_expired_takes_it_again(stockroom):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2), seconds=1)
    await stockroom.api.reserve(request)
    stockroom.clock.advance(2)
    await stockroom.run_alarm()

    await stockroom.hear_that_it_is_paid(request)

    assert await stockroom.statuses() == {request.order_id: "committed"}
    assert await stockroom.levels() == {("tart", "main"): (2, 2)}


async def test_a_paid_order_whose_stock_is_gone_is_told_loudly_and_tried_again(stockroom, caplog):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2), seconds=1)
    await stockroom.api.reserve(request)
    stockroom.clock.advance(2)
    await stockroom.run_alarm()
    await stockroom.api.reserve(stockroom.request(("tart", 1)))

    with caplog.at_level(logging.ERROR), pytest.raises(OutOfStock):
        await stockroom.hear_that_it_is_paid(request)

    assert request.order_id in caplog.text
    await stockroom.stock("tart", 1)
    await stockroom.hear_that_it_is_paid(request)
    assert await stockroom.levels() == {("tart", "main"): (3, 3)}


async def test_an_expired_hold_is_taken_again_when_its_saga_repeats_the_request(stockroom):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2), seconds=1)
    await stockroom.api.reserve(request)
    stockroom.clock.advance(2)
    await stockroom.run_alarm()

    again = await stockroom.api.reserve(request)

    assert again.status == "held"
    assert again.expires_at > again.created_at
    assert await stockroom.levels() == {("tart", "main"): (2, 2)}


async def test_an_expired_hold_whose_stock_was_sold_is_refused(stockroom):
    await stockroom.stock("tart", 2)
    request = stockroom.request(("tart", 2), seconds=1)
    await stockroom.api.reserve(request)
    stockroom.clock.advance(2)
    await stockroom.run_alarm()
    await stockroom.api.reserve(stockroom.request(("tart", 1)))

    with pytest.raises(OutOfStock):
        await stockroom.api.reserve(request)

    released = await stockroom.api.release(request)
    assert released.status == "released"
    assert await stockroom.levels() == {("tart", "main"): (2, 1)}


async def test_the_hold_of_an_unknown_order_is_not_found(stockroom):
    with pytest.raises(NotFound):
        await stockroom.api.get_reservation(ReservationOf(order_id=stockroom.order_id()))


async def test_who_asks_again_for_the_last_units_among_others_gets_the_hold_it_has(stockroom):
    await stockroom.stock("tart", 1)
    first = stockroom.request(("tart", 1))
    held_before = await stockroom.api.reserve(first)

    again, *others = await asyncio.gather(
        stockroom.api.reserve(first),
        *(stockroom.api.reserve(stockroom.request(("tart", 1))) for _ in range(3)),
        return_exceptions=True,
    )

    assert again == held_before
    assert [type(other) for other in others] == [OutOfStock] * 3


async def test_many_at_once_are_served_from_several_warehouses_up_to_the_last_unit(stockroom):
    await stockroom.stock("tart", 3)
    await stockroom.warehouse("depot")
    await stockroom.stock("tart", 2, at="depot")
    await stockroom.stock("scone", 9)
    wishes = [stockroom.request(("scone", 1), ("tart", 1)) for _ in range(7)]

    ends = await asyncio.gather(*map(stockroom.api.reserve, wishes), return_exceptions=True)

    assert [type(end).__name__ for end in ends].count("OutOfStock") == 2
    levels = await stockroom.levels()
    assert {place: reserved for place, (_, reserved) in levels.items()} == {
        ("tart", "main"): 3, ("tart", "depot"): 2, ("scone", "main"): 5
    }  # fmt: skip

"""Physical stock: movements explain every level, and never leave less than is held."""

import asyncio

import pytest

from emporion.contracts.inventory import ListMovements, MoveManyStock, MovementReason
from emporion.contracts.inventory_levels import AvailabilityOf
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound
from emporion.kernel.ids import Sku
from emporion.services.inventory.domain import ON_HAND_MAX


async def test_a_movement_changes_the_level_and_is_on_record(stockroom):
    move = stockroom.movement("tart", 12, key="delivery-1")

    moved = await stockroom.api.move_stock(move)

    assert (moved.quantity, moved.reason) == (12, MovementReason.RECEIVED)
    assert await stockroom.levels() == {("tart", "main"): (12, 0)}
    listed = await stockroom.api.list_movements(ListMovements())
    assert listed.movements == [moved]


async def test_a_repeated_movement_moves_once_and_answers_with_the_first(stockroom):
    move = stockroom.movement("tart", 12, key="delivery-1")
    first = await stockroom.api.move_stock(move)
    stockroom.clock.advance(60)

    replies = await asyncio.gather(*(stockroom.api.move_stock(move) for _ in range(5)))

    assert replies == [first] * 5
    assert await stockroom.levels() == {("tart", "main"): (12, 0)}


async def test_a_movement_key_used_for_another_movement_is_a_conflict(stockroom):
    await stockroom.api.move_stock(stockroom.movement("tart", 12, key="delivery-1"))

    with pytest.raises(KeyReused):
        await stockroom.api.move_stock(stockroom.movement("tart", 13, key="delivery-1"))

    assert await stockroom.levels() == {("tart", "main"): (12, 0)}


async def test_units_that_are_held_cannot_be_taken_away(stockroom):
    await stockroom.stock("tart", 5)
    await stockroom.api.reserve(stockroom.request(("tart", 3)))

    with pytest.raises(FailedPrecondition) as refused:
        await stockroom.stock("tart", -3)

    assert (refused.value.fields["on_hand"], refused.value.fields["reserved"]) == (5, 3)
    await stockroom.stock("tart", -2)
    assert await stockroom.levels() == {("tart", "main"): (3, 3)}


async def test_holds_and_removals_at_once_never_share_a_unit(stockroom):
    await stockroom.stock("tart", 10)

    outcomes = await asyncio.gather(
        *(
            work
            for _ in range(10)
            for work in (
                stockroom.api.reserve(stockroom.request(("tart", 1))),
                stockroom.stock("tart", -1),
            )
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, FailedPrecondition) for outcome in outcomes) == 10
    ((on_hand, reserved),) = (await stockroom.levels()).values()
    assert on_hand == reserved


async def test_nothing_can_be_taken_from_where_nothing_ever_lay(stockroom):
    with pytest.raises(FailedPrecondition):
        await stockroom.stock("tart", -1)

    assert await stockroom.levels() == {}


async def test_a_level_has_an_upper_limit(stockroom):
    deliveries = [
        stockroom.movement("tart", 10**9, key=f"delivery-{number}")
        for number in range(ON_HAND_MAX // 10**9)
    ]
    for start in range(0, len(deliveries), 500):
        await stockroom.api.move_many_stock(
            MoveManyStock(movements=deliveries[start : start + 500])
        )

    with pytest.raises(FailedPrecondition):
        await stockroom.stock("tart", 1)


async def test_stock_in_an_unknown_warehouse_is_refused(stockroom):
    with pytest.raises(NotFound):
        await stockroom.stock("tart", 1, at="atlantis")

    assert await stockroom.levels() == {}


async def test_a_movement_of_nothing_is_refused(stockroom):
    with pytest.raises(InvalidArgument):
        await stockroom.stock("tart", 0)


async def test_many_movements_happen_together_or_not_at_all(stockroom):
    moves = [stockroom.movement(f"sku-{number}", 5, key=f"all-{number}") for number in range(20)]
    bad = stockroom.movement("sku-0", -6, key="all-bad")

    with pytest.raises(FailedPrecondition):
        await stockroom.api.move_many_stock(MoveManyStock(movements=[*moves, bad]))
    assert await stockroom.levels() == {}

    done = await stockroom.api.move_many_stock(MoveManyStock(movements=moves))
    again = await stockroom.api.move_many_stock(MoveManyStock(movements=moves))
    assert again == done
    assert set((await stockroom.levels()).values()) == {(5, 0)}


async def test_one_key_twice_in_a_batch_moves_once(stockroom):
    move = stockroom.movement("tart", 5, key="twice")

    done = await stockroom.api.move_many_stock(MoveManyStock(movements=[move, move]))

    assert done.movements[0] == done.movements[1]
    assert await stockroom.levels() == {("tart", "main"): (5, 0)}


async def test_shoppers_see_what_is_free_over_all_warehouses(stockroom):
    await stockroom.warehouse("east")
    await stockroom.stock("tart", 2, at="east")
    await stockroom.stock("tart", 3)
    await stockroom.api.reserve(stockroom.request(("tart", 4)))

    seen = [
        (await stockroom.api.availability(AvailabilityOf(sku=Sku(sku)))).available
        for sku in ("tart", "unknown")
    ]

    assert seen == [1, 0]

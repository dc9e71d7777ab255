"""Defects of other shops that this one must not have, by their numbers in the project's list."""

import asyncio

import pytest

from emporion.contracts.inventory import OutOfStock


def held(reservation):
    return [(each.sku, each.warehouse_id, each.quantity) for each in reservation.allocations]


async def test_defect_06_the_last_unit_goes_to_exactly_one_of_fifty_buyers(stockroom):
    await stockroom.stock("croissant", 1)

    outcomes = await asyncio.gather(
        *(stockroom.api.reserve(stockroom.request(("croissant", 1))) for _ in range(50)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, OutOfStock) for outcome in outcomes) == 49
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert await stockroom.levels() == {("croissant", "main"): (1, 1)}


async def test_defect_06_three_hundred_buyers_share_a_hundred_units_over_two_warehouses(stockroom):
    await stockroom.warehouse("east", priority=200)
    await stockroom.stock("croissant", 60)
    await stockroom.stock("croissant", 40, at="east")

    outcomes = await asyncio.gather(
        *(stockroom.api.reserve(stockroom.request(("croissant", 1))) for _ in range(300)),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, OutOfStock) for outcome in outcomes) == 200
    assert await stockroom.levels() == {
        ("croissant", "main"): (60, 60),
        ("croissant", "east"): (40, 40),
    }


async def test_defect_07_two_lines_of_one_sku_cannot_take_the_same_units_twice(stockroom):
    await stockroom.stock("croissant", 5)

    with pytest.raises(OutOfStock) as refused:
        await stockroom.api.reserve(stockroom.request(("croissant", 3), ("croissant", 3)))

    assert refused.value.fields["shortages"] == [{"sku": "croissant", "wanted": 6, "available": 5}]
    assert await stockroom.levels() == {("croissant", "main"): (5, 0)}


async def test_defect_07_two_lines_of_one_sku_are_held_with_all_their_units(stockroom):
    await stockroom.stock("croissant", 6)

    reservation = await stockroom.api.reserve(stockroom.request(("croissant", 3), ("croissant", 3)))

    assert held(reservation) == [("croissant", "main", 6)]
    assert await stockroom.levels() == {("croissant", "main"): (6, 6)}


async def test_defect_08_an_order_is_filled_from_all_warehouses_that_have_some(stockroom):
    await stockroom.warehouse("east", priority=50)
    await stockroom.warehouse("west", priority=150)
    await stockroom.stock("croissant", 2, at="east")
    await stockroom.stock("croissant", 3, at="main")
    await stockroom.stock("croissant", 4, at="west")

    reservation = await stockroom.api.reserve(stockroom.request(("croissant", 8)))

    assert held(reservation) == [
        ("croissant", "east", 2),
        ("croissant", "main", 3),
        ("croissant", "west", 3),
    ]


async def test_defect_08_a_shortage_counts_what_all_warehouses_have(stockroom):
    await stockroom.warehouse("east")
    await stockroom.stock("croissant", 2, at="east")
    await stockroom.stock("croissant", 3, at="main")

    with pytest.raises(OutOfStock) as refused:
        await stockroom.api.reserve(stockroom.request(("croissant", 6)))

    assert refused.value.fields["shortages"] == [{"sku": "croissant", "wanted": 6, "available": 5}]

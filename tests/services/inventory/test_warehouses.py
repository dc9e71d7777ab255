"""Several warehouses: priorities decide, whatever was usual before."""

import pytest

from emporion.contracts.inventory import AllWarehouses
from emporion.kernel.errors import FailedPrecondition
from emporion.services.inventory.domain import WAREHOUSES_MAX


def places(reservation):
    return [(each.warehouse_id, each.quantity) for each in reservation.allocations]


async def test_stock_is_taken_from_the_first_warehouse_also_when_another_was_usual(stockroom):
    await stockroom.warehouse("east", priority=1)
    await stockroom.stock("tart", 10, at="main")
    await stockroom.api.reserve(stockroom.request(("tart", 1)))
    await stockroom.stock("tart", 2, at="east")

    reservation = await stockroom.api.reserve(stockroom.request(("tart", 1)))

    assert places(reservation) == [("east", 1)]


async def test_a_new_priority_counts_from_the_next_order_on(stockroom):
    await stockroom.warehouse("east", priority=200)
    await stockroom.stock("tart", 10, at="main")
    await stockroom.stock("tart", 10, at="east")
    first = await stockroom.api.reserve(stockroom.request(("tart", 1)))
    await stockroom.warehouse("east", priority=1)

    second = await stockroom.api.reserve(stockroom.request(("tart", 1)))

    assert (places(first), places(second)) == ([("main", 1)], [("east", 1)])


async def test_of_warehouses_with_one_priority_the_first_by_name_is_emptied_first(stockroom):
    await stockroom.warehouse("attic")
    await stockroom.stock("tart", 1, at="main")
    await stockroom.stock("tart", 1, at="attic")

    reservation = await stockroom.api.reserve(stockroom.request(("tart", 1)))

    assert places(reservation) == [("attic", 1)]


async def test_each_sku_of_an_order_is_taken_from_its_own_warehouse(stockroom):
    await stockroom.warehouse("east")
    await stockroom.stock("baguette", 5, at="east")
    await stockroom.stock("croissant", 5, at="main")
    await stockroom.stock("tart", 5, at="east")

    for _ in range(2):
        reservation = await stockroom.api.reserve(
            stockroom.request(("baguette", 1), ("croissant", 1), ("tart", 1))
        )
        assert places(reservation) == [("east", 1), ("main", 1), ("east", 1)]


async def test_a_release_returns_the_units_to_the_warehouses_they_came_from(stockroom):
    await stockroom.warehouse("east")
    await stockroom.stock("tart", 2, at="main")
    await stockroom.stock("tart", 2, at="east")
    request = stockroom.request(("tart", 3))
    await stockroom.api.reserve(request)

    await stockroom.api.release(request)

    assert await stockroom.levels() == {("tart", "east"): (2, 0), ("tart", "main"): (2, 0)}


async def test_warehouses_are_listed_in_the_order_in_which_stock_is_taken(stockroom):
    await stockroom.warehouse("west", priority=5)
    await stockroom.warehouse("east", priority=100)

    listed = await stockroom.api.list_warehouses(AllWarehouses())

    assert [each.warehouse_id for each in listed.warehouses] == ["west", "east", "main"]


async def test_there_is_a_limit_on_warehouses_but_existing_ones_can_still_change(stockroom):
    for number in range(WAREHOUSES_MAX - 1):
        await stockroom.warehouse(f"w{number}")

    with pytest.raises(FailedPrecondition):
        await stockroom.warehouse("one-too-many")
    await stockroom.warehouse("w0", priority=1)

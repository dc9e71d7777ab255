"""Lists: every entry once, page by page, and only cursors that a list gave out."""

from functools import partial

import pytest

from emporion.contracts.inventory import ListMovements, ListReservations, ReservationStatus
from emporion.contracts.inventory_levels import ListLevels
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import Sku, WarehouseId
from emporion.services.inventory.adapters.sql.pages import PAGE_OF
from emporion.services.inventory.domain import Status
from tests.services.inventory.engines import Sqlite


async def pages(ask, request, entries):
    """All entries of a list, asked for in pages of two."""
    found, cursor = [], ""
    while True:
        page = await ask(request(limit=2, cursor=cursor))
        assert len(getattr(page, entries)) <= 2
        found += getattr(page, entries)
        if not page.next_cursor:
            return found
        cursor = page.next_cursor


async def test_levels_are_listed_once_each_by_sku_and_warehouse(stockroom):
    await stockroom.warehouse("east")
    for sku in ("tart", "Baguette", "croissant"):
        await stockroom.stock(sku, 3)
        await stockroom.stock(sku, 2, at="east")

    listed = await pages(stockroom.api.list_levels, ListLevels, "levels")

    places = [(level.sku, level.warehouse_id) for level in listed]
    assert places == sorted(places)
    assert len(places) == 6
    assert all(level.available == level.on_hand - level.reserved for level in listed)


async def test_levels_can_be_narrowed_to_a_sku_or_a_warehouse(stockroom):
    await stockroom.warehouse("east")
    for sku in ("croissant", "tart"):
        await stockroom.stock(sku, 3)
        await stockroom.stock(sku, 2, at="east")

    async def places(**narrowed):
        page = await stockroom.api.list_levels(ListLevels(**narrowed))
        return [(level.sku, level.warehouse_id) for level in page.levels]

    assert await places(sku="tart") == [("tart", "east"), ("tart", "main")]
    assert await places(warehouse_id="east") == [("croissant", "east"), ("tart", "east")]
    assert await places(sku="tart", warehouse_id="main") == [("tart", "main")]
    assert await places(sku="unknown") == []


async def test_movements_are_listed_newest_first(stockroom):
    for number in range(5):
        await stockroom.stock("tart", number + 1)
    await stockroom.stock("croissant", 9)

    listed = await pages(stockroom.api.list_movements, ListMovements, "movements")
    narrowed = ListMovements(sku=Sku("tart"), warehouse_id=WarehouseId("main"))
    of_tart = await stockroom.api.list_movements(narrowed)

    assert [each.quantity for each in listed] == [9, 5, 4, 3, 2, 1]
    assert [each.quantity for each in of_tart.movements] == [5, 4, 3, 2, 1]


async def test_reservations_are_listed_newest_first_and_by_status(stockroom):
    await stockroom.stock("tart", 100)
    requests = [stockroom.request(("tart", 1)) for _ in range(5)]
    for request in requests:
        await stockroom.api.reserve(request)
    await stockroom.api.release(requests[1])
    await stockroom.hear_that_it_is_paid(requests[3])

    async def of_status(status):
        page = await stockroom.api.list_reservations(ListReservations(status=status))
        return [held.order_id for held in page.reservations]

    listed = await pages(stockroom.api.list_reservations, ListReservations, "reservations")
    newest_first = [request.order_id for request in reversed(requests)]
    assert [held.order_id for held in listed] == newest_first
    assert await of_status(ReservationStatus.RELEASED) == [requests[1].order_id]
    assert await of_status(ReservationStatus.COMMITTED) == [requests[3].order_id]
    assert await of_status(ReservationStatus.EXPIRED) == []
    assert len((await stockroom.api.list_reservations(ListReservations(limit=3))).next_cursor) > 0
    assert await of_status(ReservationStatus.HELD) == [
        request.order_id for request in (requests[4], requests[2], requests[0])
    ]


@pytest.mark.parametrize("engine", [Sqlite], indirect=True)
async def test_lists_of_the_few_do_not_read_the_many_committed(stockroom):
    async def plan(tx, status):
        sql = "EXPLAIN QUERY PLAN " + PAGE_OF[status]
        return " ".join(row[3] for row in await tx.fetch(sql, "x", 1))

    for status, index in (
        (Status.HELD, "hold_due"),
        (Status.RELEASED, "hold_ended"),
        (Status.EXPIRED, "hold_ended"),
    ):
        steps = await stockroom.database.read(partial(plan, status=status))
        assert f"USING INDEX {index}" in steps


@pytest.mark.parametrize("cursor", ["nonsense", "-1", "9" * 30, "²"])
async def test_a_cursor_that_no_list_gave_out_is_refused(stockroom, cursor):
    for ask, request in (
        (stockroom.api.list_levels, ListLevels),
        (stockroom.api.list_movements, ListMovements),
        (stockroom.api.list_reservations, ListReservations),
    ):
        with pytest.raises(InvalidArgument):
            await ask(request(cursor=cursor))

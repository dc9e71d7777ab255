"""Why so many units can be bought: where they lie, and which orders hold them until when."""

from emporion.contracts.inventory_levels import AvailabilityOf
from emporion.kernel.ids import Sku
from tests.services.inventory.conftest import Stockroom


async def why(stockroom: Stockroom, sku: str = "tart"):
    return await stockroom.api.why_unavailable(AvailabilityOf(sku=Sku(sku)))


async def test_every_reserved_unit_has_an_order_a_warehouse_and_an_end(stockroom):
    await stockroom.warehouse("east", priority=1)
    await stockroom.stock("tart", 3)
    await stockroom.stock("tart", 2, at="east")
    await stockroom.stock("pie", 9)
    undecided, paid = stockroom.request(("tart", 3)), stockroom.request(("tart", 1), ("pie", 2))
    await stockroom.api.reserve(undecided)
    await stockroom.api.reserve(paid)
    await stockroom.hear_that_it_is_paid(paid)

    told = await why(stockroom)

    assert told.is_complete
    assert told.available == 1
    assert told.says == "5 on hand (2 in east, 3 in main), 4 of them held for orders: 1 is free"
    held = {(each.order_id, each.warehouse_id, each.units) for each in told.holds}
    assert held == {
        (undecided.order_id, "east", 2),
        (undecided.order_id, "main", 1),
        (paid.order_id, "main", 1),
    }
    ends = {each.order_id: each.until for each in told.holds}
    assert ends[paid.order_id] is None
    assert ends[undecided.order_id] is not None


async def test_ended_holds_and_skus_of_similar_names_are_no_reason(stockroom):
    await stockroom.stock("a_b", 5)
    await stockroom.stock("axb", 5)
    other, ended = stockroom.request(("axb", 2)), stockroom.request(("a_b", 1))
    await stockroom.api.reserve(other)
    await stockroom.api.reserve(ended)
    await stockroom.api.release(ended)

    told = await why(stockroom, "a_b")

    assert (told.holds, told.available, told.is_complete) == ([], 5, True)


async def test_what_was_never_received_or_is_gone_is_said_so(stockroom):
    assert "was ever received" in (await why(stockroom)).says
    await stockroom.stock("tart", 2)
    await stockroom.stock("tart", -2)
    assert "is gone" in (await why(stockroom)).says

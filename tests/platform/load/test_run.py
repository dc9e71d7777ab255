"""A load run against a shop that fails in every way a network can."""

from pathlib import Path

import pytest

from emporion.platform.client.address import Address
from emporion.platform.load.baskets_file import price_minor, read_baskets
from emporion.platform.load.options import LoadOptions, Operator, RunId
from emporion.platform.load.run import LoadResult, LoadRun, NothingOnSale
from tests.platform.fakeshop import FakeShop, fake_shop

OPERATOR = Operator("operator@emporion.test", "emporion-demo-operator")


def options(shop: FakeShop, **more) -> LoadOptions:
    run_id = more.pop("run_id", None) or RunId.new(more.pop("shoppers", 4))
    return LoadOptions(address=Address.parse(shop.url), run_id=run_id, operator=OPERATOR, **more)


async def load(shop: FakeShop, **more) -> LoadResult:
    return await LoadRun(options(shop, **more), None).run()


async def test_as_many_orders_are_placed_as_were_asked_for():
    async with fake_shop() as shop:
        result = await load(shop, orders=50)

        assert result.tally.paid == len(shop.orders) == 50
        total = sum(order["total"]["amount_minor"] for order in shop.orders.values())
        assert result.tally.money_minor == {"EUR": total}
        assert not result.tally.errors


async def test_a_busy_shop_is_asked_again_with_the_same_key_and_nothing_is_ordered_twice():
    async with fake_shop(busy=3, dropped=2, dropped_after=3) as shop:
        result = await load(shop, orders=20)

        assert result.tally.paid == len(shop.orders) == 20
        assert result.tally.retries == {"503": 3, "connection-lost": 5}
        assert result.tally.latencies.count == 20


async def test_an_order_that_is_pending_is_followed_until_it_is_decided():
    async with fake_shop(pending=2) as shop:
        result = await load(shop, orders=10)

        assert result.tally.pending_answers == 2
        assert result.tally.paid == 10


async def test_refusals_are_counted_by_reason_and_are_no_errors():
    async with fake_shop(sold_out={"bread", "coffee"}) as shop:
        result = await load(shop, orders=40, decline_percent=50)

        refusals = result.tally.refusals
        assert refusals["payment-declined"] > 0
        assert refusals["out-of-stock"] > 0
        assert refusals.total() == 40
        assert not result.tally.errors


async def test_a_shopper_whose_token_is_not_valid_any_more_renews_it():
    async with fake_shop() as shop:
        run_id = RunId.new(1)
        first = await load(shop, orders=1, run_id=run_id)
        shop.valid_tokens.clear()
        sessions = shop.seen["sessions"]

        second = await load(shop, orders=5, run_id=run_id)

        assert first.tally.paid == 1
        assert second.tally.paid == 5
        assert shop.seen["sessions"] > sessions


async def test_repeating_a_run_by_its_id_orders_nothing_twice():
    async with fake_shop() as shop:
        run_id = RunId.new(3)
        await load(shop, orders=10, run_id=run_id)
        result = await load(shop, orders=25, run_id=run_id)

        assert result.tally.paid == 25
        assert len(shop.orders) == 25


async def test_a_shop_that_never_answers_makes_an_error_and_not_a_hang():
    async with fake_shop(busy=1_000_000) as shop:
        result = await load(shop, orders=2, patience_s=0.2)

        assert result.tally.errors == {"outcome unknown: 503": 2}
        assert result.tally.paid == 0


async def test_a_run_limited_in_time_ends():
    async with fake_shop() as shop:
        result = await load(shop, seconds=0.3)

        assert result.tally.paid == len(shop.orders) > 0
        assert result.elapsed_s < 2
        assert result.limit is None


async def test_a_stopped_run_tells_what_it_did():
    async with fake_shop() as shop:
        run = LoadRun(
            options(shop, orders=100_000), None, lambda stage: run.stop() if stage.done else None
        )
        result = await run.run()

        assert result.is_interrupted
        assert result.tally.paid == len(shop.orders) < 100_000


async def test_an_empty_catalogue_is_named():
    async with fake_shop(prices={}) as shop:
        with pytest.raises(NothingOnSale, match="emporion import"):
            await load(shop, orders=1)


async def test_all_baskets_of_a_file_become_orders_and_the_sums_agree(tmp_path: Path):
    file = tmp_path / "till.csv"
    file.write_text(
        "Date,Time,Transaction,Item\n"
        "2016-10-30,09:58:11,1,bread\n"
        "2016-10-30,10:05:34,2,Scone\n"
        "2016-10-30,10:05:34,2,Scone\n"
        "2016-10-30,10:05:34,2,NONE\n"
        "2016-10-30,10:06:34,3,NONE\n"
        "2016-10-30,10:07:57,4,Hot chocolate\n"
    )
    async with fake_shop() as shop:
        till = read_baskets(file)
        run = LoadRun(options(shop, baskets=file, shoppers=2), till)
        result = await run.run()

        money = 250 + 2 * price_minor("Scone") + price_minor("Hot chocolate")
        assert result.products_created == 2
        assert result.tally.paid == 3
        assert result.counted == result.expected == result.read_back
        assert result.tally.money_minor == {"EUR": money}
        assert result.tally.units == result.units_received == 4
        assert shop.warehouses == {"main": "Main warehouse"}
        assert shop.movements[f"load-{result.run_id}-scone"]["quantity"] == 2


async def test_sums_that_differ_are_noticed(tmp_path: Path):
    file = tmp_path / "till.csv"
    file.write_text("Date,Time,Transaction,Item\n2016-10-30,09:58:11,1,bread\n")
    async with fake_shop() as shop:
        run = LoadRun(
            options(shop, baskets=file, shoppers=1),
            read_baskets(file),
            lambda stage: shop.orders.clear() if stage.name == "reading back" else None,
        )
        result = await run.run()

        assert result.tally.paid == 1
        assert not result.adds_up


async def test_restocking_receives_plenty_once_a_run():
    async with fake_shop() as shop:
        run_id = RunId.new(1)
        await load(shop, orders=1, is_restocked=True, run_id=run_id)
        result = await load(shop, orders=1, is_restocked=True, run_id=run_id)

        assert result.units_received == 2_000_000
        assert {m["quantity"] for m in shop.movements.values()} == {1_000_000}
        assert len(shop.movements) == 2

"""What is recommended: by evidence, never by one chance pair, and always something to sell."""

import pytest

from emporion.contracts.recommendation import Reason, RecommendFor, RecommendForBasket
from tests.defects.whole_shop import WholeShop
from tests.services.till import order


async def ask(counter, sku, **more):
    request = RecommendFor(sku=sku, **more)
    return (await counter.assembly.implementation.recommend(request)).recommended


async def ask_for(counter, *skus, **more):
    request = RecommendForBasket(skus=list(skus), **more)
    return (await counter.assembly.implementation.recommend_for_basket(request)).recommended


def names(recommended, reason=Reason.BOUGHT_TOGETHER):
    return [one.sku for one in recommended if one.reason is reason]


@pytest.fixture
async def shop(counter):
    """60 orders: tea with scones and jam, coffee with cake, bread with everything, one oddity."""
    baskets = [
        *[("tea", "scone")] * 10,
        *[("tea", "scone", "jam")] * 10,
        *[("coffee", "cake")] * 15,
        *[("bread",)] * 15,
        *[("bread", "tea")] * 5,
        *[("coffee", "bread")] * 4,
        ("tea", "truffle"),
    ]
    await counter.tell(*(order(number, *skus) for number, skus in enumerate(baskets, 1)))
    return counter


async def test_the_strongest_comes_first_with_its_evidence(shop):
    first, second, *_ = await ask(shop, "jam", min_orders=1)

    assert (first.sku, first.with_sku, first.orders) == ("scone", "jam", 10)
    assert first.support == pytest.approx(10 / 60)
    assert first.confidence == pytest.approx(1.0)
    assert first.lift == pytest.approx(60 / 20)
    assert (second.sku, second.lift) == ("tea", pytest.approx(60 / 26))


async def test_a_pair_seen_once_wins_only_where_once_is_enough(shop):
    assert names(await ask(shop, "truffle")) == []
    assert names(await ask(shop, "truffle", min_orders=1)) == ["tea"]
    assert "truffle" not in names(await ask(shop, "tea"))


async def test_what_is_bought_together_less_than_by_chance_is_not_said_to_be(shop):
    assert "tea" not in names(await ask(shop, "bread", min_orders=1))


async def test_a_basket_is_answered_by_its_best_reasons_and_never_with_itself(shop):
    found = await ask_for(shop, "tea", "scone", "coffee", "tea")

    assert names(found) == ["cake", "jam"]
    assert [one.with_sku for one in found[:2]] == ["coffee", "scone"]
    assert not {"tea", "scone", "coffee"} & {one.sku for one in found}


@pytest.mark.parametrize("skus", [(), ("unknown-thing",)], ids=["nothing", "an unknown SKU"])
async def test_best_sellers_are_recommended_where_nothing_is_known(shop, skus):
    found = await ask_for(shop, *skus, limit=3)

    assert [(one.sku, one.reason, one.orders) for one in found] == [
        ("tea", Reason.BEST_SELLER, 26),
        ("bread", Reason.BEST_SELLER, 24),
        ("scone", Reason.BEST_SELLER, 20),
    ]
    assert found[0].support == pytest.approx(26 / 60)
    assert found[0].lift is None


async def test_best_sellers_fill_up_and_repeat_nothing(shop):
    found = await ask(shop, "coffee", limit=4)

    assert [one.sku for one in found] == ["cake", "tea", "bread", "scone"]
    assert len(await ask(shop, "coffee", limit=50)) == 6


async def test_a_shop_that_has_sold_nothing_recommends_nothing(counter):
    assert await ask(counter, "tea") == []


async def test_equal_lifts_are_told_in_the_order_of_their_names(counter):
    await counter.tell(*(order(n, "tea", "b", "a") for n in range(1, 6)), order(9, "x"))

    assert names(await ask(counter, "tea")) == ["a", "b"]


async def test_a_basket_is_asked_for_over_http_by_repeating_the_parameter(tmp_path):
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    try:
        ada = await whole.customer("Ada")
        for sku in ("tea", "scone", "jam"):
            await whole.stock(sku, 9)
        await ada.order(("tea", 1), ("scone", 1), ("jam", 1))
        await whole.deliver()
        answer = await whole.stranger().get("/api/recommendations?skus=tea&skus=scone&min_orders=1")
    finally:
        await whole.close()

    assert answer.status == 200
    assert [(one["sku"], one["reason"]) for one in answer.json()["recommended"]] == [
        ("jam", "best_seller")
    ], "all that was ever bought is in one order: nothing is bought with it more than by chance"

"""Why a price: as prices and rules were when a basket was priced, and whether they changed."""

import shutil
from typing import Any, cast

import pytest

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.saga.port import Sagas
from emporion.chassis.testing.databases import migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.catalog import CatalogService, GetProduct, ListProducts, PutProduct
from emporion.contracts.inventory import Line
from emporion.contracts.pricing import (
    BasketQuote,
    CategoryRate,
    DetailKind,
    PriceBasket,
    PriceDetail,
    PromotionKind,
    PromotionOf,
    PutDelivery,
    PutPromotion,
    PutTaxes,
)
from emporion.contracts.pricing_why import ExplainPrices, ListPriceOf, PricesExplained
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.services.catalog.service import build
from tests.services.catalog.test_promotions import tenth_off

EUR = "EUR"


async def reprice(shelf: Any, product: Any, *prices: tuple[str, int], category: str = "") -> None:
    request = PutProduct(
        product_id=product.product_id,
        name=product.name,
        category=category,
        variants=shelf.variants(*prices),
    )
    await shelf.api.put_product(request)


async def set_up(shelf: Any) -> None:
    """Ten percent off with a code, food at 7 %, post for 4.90 EUR, which is free from 50 EUR on."""
    await shelf.api.put_promotion(tenth_off(code="TENTH", skus=["tart"]))
    await shelf.api.put_taxes(german(700))
    await shelf.api.put_delivery(post(490))


def german(rate_bp: int) -> PutTaxes:
    food = CategoryRate(category="food", rate_bp=rate_bp)
    return PutTaxes(country="DE", standard_bp=1_900, categories=[food])


def post(minor: int, **fields: Any) -> PutDelivery:
    price = Money(minor, EUR)
    return PutDelivery(
        delivery_id="post", name="Post", price=price, free_from_minor=5_000, **fields
    )


async def priced(shelf: Any) -> BasketQuote:
    lines = [Line(sku=Sku("tart"), quantity=3), Line(sku=Sku("pen"), quantity=1)]
    request = PriceBasket(lines=lines, codes=["tenth"], country="DE", delivery="post")
    return await shelf.api.price_basket(request)  # type: ignore[no-any-return]


async def explained(shelf: Any, quote: BasketQuote, at_ms: int) -> PricesExplained:
    return await shelf.api.explain_prices(  # type: ignore[no-any-return]
        ExplainPrices(at=to_datetime(at_ms), lines=quote.lines, details=quote.details)
    )


@pytest.fixture
async def sold(shelf: Any) -> tuple[BasketQuote, int]:
    """A basket of three tarts and a pen, and the instant at which it was priced."""
    await shelf.put("Tart", ("tart", 333), category="food")
    await shelf.put("Pen", ("pen", 199))
    shelf.clock.advance(60)
    await set_up(shelf)
    shelf.clock.advance(60)
    return await priced(shelf), shelf.clock.now_ms()


async def test_each_line_and_detail_tells_its_rule_and_its_rounding(shelf, sold):
    quote, at_ms = sold
    told = await explained(shelf, quote, at_ms)

    assert [(line.says, line.is_changed) for line in told.lines] == [
        (
            (
                "3 at the list price of 333 EUR (minor units),"
                f" since {to_datetime(at_ms - 120_000).isoformat()};"
                " 100 taken off; tax in it or on it 59; 899 to pay"
            ),
            False,
        ),
        (
            (
                "1 at the list price of 199 EUR (minor units),"
                f" since {to_datetime(at_ms - 120_000).isoformat()};"
                " tax in it or on it 32; 199 to pay"
            ),
            False,
        ),
    ]
    assert [(detail.kind.value, detail.says) for detail in told.details] == [
        ("goods", "the units at their list prices"),
        (
            "promotion",
            (
                "10.00 % off the SKUs tart, with the code TENTH: 100, rounded once, half a unit up,"
                " and shared among its lines by largest remainder"
            ),
        ),
        (
            "delivery",
            (
                "490 EUR (minor units), for nothing from goods of 5000 on:"
                " 490 with goods of 1098 after what was taken off"
            ),
        ),
        (
            "tax",
            (
                "taxes of DE in the price: 19.00 %, 7.00 % of food;"
                " 899 x 700 / 10700 = 58.813, rounded once, half a unit up: 59"
            ),
        ),
        (
            "tax",
            (
                "taxes of DE in the price: 19.00 %, 7.00 % of food;"
                " 689 x 1900 / 11900 = 110.008, rounded once, half a unit up: 110"
            ),
        ),
    ]
    rules = [detail for detail in told.details if detail.kind is not DetailKind.GOODS]
    assert {detail.since for detail in rules} == {to_datetime(at_ms - 60_000)}
    assert not any(detail.is_changed or detail.now for detail in told.details)


async def test_what_changed_since_is_told_beside_what_was(shelf, sold):
    quote, at_ms = sold
    before = await explained(shelf, quote, at_ms)
    shelf.clock.advance(60)
    (tart,) = (await shelf.api.list_products(_search("tart"))).products
    (pen,) = (await shelf.api.list_products(_search("pen"))).products
    await reprice(shelf, tart, ("tart", 400), category="cake")
    await shelf.api.archive_product(GetProduct(product_id=pen.product_id))
    await shelf.api.archive_promotion(PromotionOf(promotion_id="tenth"))
    await shelf.api.put_taxes(german(800))
    await shelf.api.put_delivery(post(490, is_archived=True))
    shelf.clock.advance(60)

    told = await explained(shelf, quote, at_ms)

    assert [line.price_now for line in told.lines] == [Money(400, EUR), None]
    assert [line.says.rpartition("; ")[2] for line in told.lines] == [
        "today 400 EUR (minor units)",
        "not sold any more",
    ]
    assert [detail.now for detail in told.details] == [
        "",
        "archived",
        "not offered any more",
        *["taxes of DE in the price: 19.00 %, 8.00 % of food"] * 2,
    ]
    assert [detail.says for detail in told.details] == [detail.says for detail in before.details]
    assert [line.since for line in told.lines] == [line.since for line in before.lines]
    assert all(line.is_changed for line in told.lines)
    assert [detail.is_changed for detail in told.details] == [False, True, True, True, True]


async def test_a_rule_that_was_put_again_as_it_was_has_not_changed(shelf, sold):
    quote, at_ms = sold
    before = await explained(shelf, quote, at_ms)
    shelf.clock.advance(60)
    await set_up(shelf)

    assert await explained(shelf, quote, shelf.clock.now_ms()) == before


async def test_a_promotion_whose_time_is_over_has_changed(shelf, sold):
    quote, _ = sold
    ends_at = to_datetime(shelf.clock.now_ms() + 60_000)
    await shelf.api.put_promotion(tenth_off(code="TENTH", skus=["tart"], ends_at=ends_at))
    before = (await explained(shelf, quote, shelf.clock.now_ms())).details[1]
    placed_ms = shelf.clock.now_ms()
    shelf.clock.advance(60)

    after = (await explained(shelf, quote, placed_ms)).details[1]

    assert (before.is_changed, before.now) == (False, "")
    assert (after.is_changed, after.now) == (True, "its time is over")
    assert after.says == before.says


async def test_a_list_price_tells_since_when_and_what_it_was_before(shelf, sold):
    _, at_ms = sold
    (tart,) = (await shelf.api.list_products(_search("tart"))).products
    first = await shelf.api.why_price(ListPriceOf(sku=Sku("tart")))
    assert (first.since, first.before) == (to_datetime(at_ms - 120_000), None)
    shelf.clock.advance(60)
    await reprice(shelf, tart, ("tart", 400), category="food")
    shelf.clock.advance(60)
    await reprice(shelf, tart, ("tart", 400), ("slice", 90), category="food")

    why = await shelf.api.why_price(ListPriceOf(sku=Sku("tart")))

    assert (why.price, why.before) == (Money(400, EUR), Money(333, EUR))
    assert why.since == to_datetime(at_ms + 60_000)
    assert why.says == (
        f"its list price is 400 EUR (minor units), since {why.since.isoformat()};"
        " it was 333 EUR (minor units) until then"
    )
    assert [(rule.kind.value, rule.ref) for rule in why.rules] == [
        ("promotion", "tenth"),
        ("tax", "DE"),
        ("delivery", "post"),
    ]
    pen = await shelf.api.why_price(ListPriceOf(sku=Sku("pen")))
    assert [rule.ref for rule in pen.rules] == ["DE", "post"]


async def test_a_price_that_came_back_is_told_since_it_came_back(shelf):
    tart = await shelf.put("Tart", ("tart", 300), ("slice", 90))
    shelf.clock.advance(60)
    await reprice(shelf, tart, ("slice", 90))
    with pytest.raises(NotFound):
        await shelf.api.why_price(ListPriceOf(sku=Sku("tart")))
    shelf.clock.advance(60)
    await reprice(shelf, tart, ("tart", 300), ("slice", 90))
    why = await shelf.api.why_price(ListPriceOf(sku=Sku("tart")))
    assert (why.since, why.before) == (to_datetime(shelf.clock.now_ms()), None)
    kept = await shelf.api.why_price(ListPriceOf(sku=Sku("slice")))
    assert kept.since == to_datetime(shelf.clock.now_ms() - 120_000)


async def test_an_amount_that_does_not_follow_from_the_rule_is_not_explained_by_it(shelf, sold):
    quote, at_ms = sold
    details = [
        PriceDetail(
            kind=detail.kind,
            name=detail.name,
            ref=detail.ref,
            amount=detail.amount + Money(1, EUR),
            is_included=detail.is_included,
        )
        for detail in quote.details
        if detail.kind in {DetailKind.TAX, DetailKind.DELIVERY}
    ]
    asked = ExplainPrices(at=to_datetime(at_ms), lines=quote.lines, details=details)
    told = await shelf.api.explain_prices(asked)
    assert {detail.says for detail in told.details} == {"what the rule was then is not recorded"}


async def test_before_it_was_recorded_nothing_is_made_up(shelf, sold):
    quote, at_ms = sold
    told = await explained(shelf, quote, at_ms - 600_000)
    assert [line.since for line in told.lines] == [None, None]
    assert "since when is not recorded" in told.lines[0].says
    assert [detail.since for detail in told.details] == [None] * 5


async def test_prices_and_rules_from_before_are_known_as_far_back_as_they_go(engine, tmp_path):
    clock, source = ManualClock(), migrations_of("catalog", engine)
    runtime = manual_runtime(clock)
    old = tmp_path / "old"
    old.mkdir()
    for name in ("0001_products.sql", "0002_pricing.sql"):
        shutil.copy(str(source.folder / name), old / name)
    began_ms = clock.now_ms()
    async with sql_database(
        engine, tmp_path, [Migrations(source.component, old)], source="catalog", runtime=runtime
    ) as database:

        async def write(tx: Any) -> None:
            await tx.execute(
                "INSERT INTO product VALUES ('prd_1', 'Tart', 'tart', '', 'food', 'tart', 0, ?)",
                began_ms,
            )
            await tx.execute(
                "INSERT INTO variant VALUES ('tart', 'prd_1', 0, 'Tart', 'Tart', 333, 'EUR', 1)"
            )
            taxes = b'{"country":"DE","standard_bp":1900,"by_category":{},"is_included":true}'
            await tx.execute("INSERT INTO country_tax VALUES ('DE', ?)", taxes)

        await database.transaction(write)
    clock.advance(60)
    async with sql_database(engine, tmp_path, [source], source="catalog", runtime=runtime) as now:
        needs = Needs(runtime, now, cast("Clients", None), cast("Sagas", None))
        api = cast("CatalogService", build(needs).implementation)
        why = await api.why_price(ListPriceOf(sku=Sku("tart")))
    assert why.since == to_datetime(began_ms)
    assert [(rule.ref, rule.since) for rule in why.rules] == [("DE", None)]


def _search(text: str) -> Any:
    return ListProducts(search=text)


async def test_every_kind_of_promotion_says_what_it_does(shelf):
    await shelf.put("Tart", ("tart", 300), category="food")
    promotions = [
        tenth_off(promotion_id="a", categories=["food"], is_combinable=False),
        PutPromotion(
            promotion_id="b",
            name="B",
            kind=PromotionKind.AMOUNT,
            amount_minor=500,
            currency=EUR,
            basket_minor_min=2_000,
        ),
        PutPromotion(promotion_id="c", name="C", kind=PromotionKind.BUY_GET, buy=2, get=1),
    ]
    for promotion in promotions:
        await shelf.api.put_promotion(promotion)
    why = await shelf.api.why_price(ListPriceOf(sku=Sku("tart")))
    assert [rule.says for rule in why.rules] == [
        "10.00 % off the categories food, not beside others",
        "500 EUR (minor units) off everything, from a basket of 2000 EUR (minor units) on",
        "of every 3 units the 1 cheapest free, of everything",
    ]

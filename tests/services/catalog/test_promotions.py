"""Promotions, codes, taxes and delivery: set up by staff, explained to customers, used so often."""

import asyncio

import pytest

from emporion.contracts.inventory import Line
from emporion.contracts.pricing import (
    BadPromotion,
    CategoryRate,
    CodeNotApplicable,
    CodeUsedUp,
    ListDeliveries,
    ListPromotions,
    NoDelivery,
    PriceBasket,
    PromotionKind,
    PromotionOf,
    PutDelivery,
    PutPromotion,
    PutTaxes,
    QuoteBasket,
    TaxesOf,
    UnknownCode,
    UsePromotions,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import Sku, UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.catalog.commands.rules import PROMOTIONS_OPEN_MAX


def user(number: int) -> UserId:
    return UserId(f"usr_{number:032x}")


def tenth_off(**fields) -> PutPromotion:
    """Ten percent off, but for the fields given."""
    request = {"promotion_id": "tenth", "name": "Ten percent", "kind": PromotionKind.PERCENT}
    return PutPromotion(**request | {"percent_bp": 1_000} | fields)


def basket(*lines: tuple[str, int], **fields) -> PriceBasket:
    return PriceBasket(
        lines=[Line(sku=Sku(sku), quantity=quantity) for sku, quantity in lines], **fields
    )


def uses(number: int, *promotion_ids: str, by: int = 1) -> UsePromotions:
    return UsePromotions(
        order_id=f"ord_{number:032x}", user_id=user(by), promotion_ids=list(promotion_ids)
    )


@pytest.fixture
async def bakery(shelf):
    """A shelf with a tart at 10.00 and a bun at 1.50 EUR."""
    await shelf.put("Tart", ("tart", 1_000), category="cake")
    await shelf.put("Bun", ("bun", 150), category="bread")
    return shelf


async def test_without_any_rules_a_basket_is_the_sum_of_its_lines(bakery):
    quote = await bakery.api.price_basket(basket(("tart", 2), ("bun", 1)))

    assert str(quote.total) == "21.50 EUR"
    assert quote.details == []
    assert [str(line.total) for line in quote.lines] == ["20.00 EUR", "1.50 EUR"]


async def test_a_total_explains_itself_line_by_line(bakery):
    await bakery.api.put_promotion(tenth_off(code="ten-off"))
    await bakery.api.put_taxes(
        PutTaxes(
            country="DE",
            standard_bp=1_900,
            categories=[CategoryRate(category="bread", rate_bp=700)],
        )
    )
    await bakery.api.put_delivery(
        PutDelivery(delivery_id="post", name="Post", price=Money(490, "EUR"), countries=["DE"])
    )

    quote = await bakery.api.price_basket(
        basket(("tart", 2), ("bun", 2), codes=["Ten-Off"], country="DE", delivery="post")
    )

    told = [(one.kind.value, one.name, str(one.amount), one.is_included) for one in quote.details]
    assert told == [
        ("goods", "", "23.00 EUR", False),
        ("promotion", "Ten percent", "-2.30 EUR", False),
        ("delivery", "Post", "4.90 EUR", False),
        ("tax", "DE 7.00 %", "0.18 EUR", True),
        ("tax", "DE 19.00 %", "3.66 EUR", True),
    ]
    assert str(quote.total) == "25.60 EUR"
    assert [str(line.off) for line in quote.lines] == ["2.00 EUR", "0.30 EUR"]


async def test_a_promotion_holds_from_its_start_until_its_end(bakery):
    now_ms = bakery.clock.now_ms()
    await bakery.api.put_promotion(
        tenth_off(starts_at=to_datetime(now_ms + 5_000), ends_at=to_datetime(now_ms + 9_000))
    )

    totals = []
    for _ in range(4):
        totals.append(str((await bakery.api.price_basket(basket(("tart", 1)))).total))
        bakery.clock.advance(3.0)

    assert totals == ["10.00 EUR", "10.00 EUR", "9.00 EUR", "10.00 EUR"]


async def test_codes_that_are_unknown_or_take_nothing_off_are_refused(bakery):
    await bakery.api.put_promotion(tenth_off(code="BREAD", categories=["bread"]))

    with pytest.raises(UnknownCode) as unknown:
        await bakery.api.price_basket(basket(("tart", 1), codes=["NOTHING"]))
    with pytest.raises(CodeNotApplicable) as idle:
        await bakery.api.price_basket(basket(("tart", 1), codes=["bread"]))

    assert unknown.value.fields == {"code": "NOTHING"}
    assert idle.value.fields == {"code": "bread"}


async def test_an_archived_promotion_takes_nothing_off_and_its_code_is_free(bakery):
    await bakery.api.put_promotion(tenth_off(code="TEN"))
    with pytest.raises(BadPromotion):
        await bakery.api.put_promotion(tenth_off(promotion_id="other", code="ten"))

    archived = await bakery.api.archive_promotion(PromotionOf(promotion_id="tenth"))
    assert await bakery.api.archive_promotion(PromotionOf(promotion_id="tenth")) == archived

    with pytest.raises(UnknownCode):
        await bakery.api.price_basket(basket(("tart", 1), codes=["TEN"]))
    await bakery.api.put_promotion(tenth_off(promotion_id="other", code="ten"))
    assert str((await bakery.api.price_basket(basket(("tart", 1), codes=["TEN"]))).total) == (
        "9.00 EUR"
    )


async def test_two_hundred_customers_share_a_code_for_fifty_and_fifty_get_it(bakery):
    await bakery.api.put_promotion(tenth_off(code="FIFTY", uses_max=50))

    outcomes = await asyncio.gather(
        *(bakery.api.use_promotions(uses(number, "tenth", by=number)) for number in range(200)),
        return_exceptions=True,
    )

    refused = [one for one in outcomes if isinstance(one, CodeUsedUp)]
    assert len(refused) == 150
    assert len(outcomes) - len(refused) == 50
    assert (await bakery.api.get_promotion(PromotionOf(promotion_id="tenth"))).uses == 50
    with pytest.raises(CodeUsedUp):
        await bakery.api.price_basket(basket(("tart", 1), codes=["FIFTY"]))


async def test_a_person_uses_a_code_as_often_as_one_may(bakery):
    await bakery.api.put_promotion(tenth_off(code="ONCE", uses_per_user_max=1))

    outcomes = await asyncio.gather(
        *(bakery.api.use_promotions(uses(number, "tenth", by=1)) for number in range(20)),
        return_exceptions=True,
    )
    await bakery.api.use_promotions(uses(99, "tenth", by=2))

    assert sum(isinstance(one, CodeUsedUp) for one in outcomes) == 19

    def quote_of(number):
        lines = basket(("tart", 1)).lines
        return bakery.api.quote_basket(
            QuoteBasket(user_id=user(number), lines=lines, codes=["ONCE"])
        )

    with pytest.raises(CodeUsedUp):
        await quote_of(1)
    quote = await quote_of(3)
    assert quote.counted == ["tenth"]


async def test_a_use_counts_once_and_its_undoing_too_in_any_order(bakery):
    await bakery.api.put_promotion(tenth_off(code="TWICE", uses_max=2))

    async def counted():
        return (await bakery.api.get_promotion(PromotionOf(promotion_id="tenth"))).uses

    for _ in range(2):
        assert (await bakery.api.use_promotions(uses(1, "tenth"))).is_used
    assert await counted() == 1
    for _ in range(2):
        await bakery.api.free_promotions(uses(1, "tenth"))
    assert await counted() == 0
    assert not (await bakery.api.use_promotions(uses(1, "tenth"))).is_used, "undone for good"
    await bakery.api.free_promotions(uses(2, "tenth"))
    assert not (await bakery.api.use_promotions(uses(2, "tenth"))).is_used, "undone before it came"
    assert await counted() == 0


async def test_an_order_uses_all_its_promotions_or_none(bakery):
    await bakery.api.put_promotion(tenth_off(uses_max=5))
    await bakery.api.put_promotion(tenth_off(promotion_id="zero", uses_max=1))
    await bakery.api.use_promotions(uses(1, "zero"))

    with pytest.raises(CodeUsedUp) as refused:
        await bakery.api.use_promotions(uses(2, "tenth", "zero"))

    assert refused.value.fields == {"promotion_id": "zero"}
    assert (await bakery.api.get_promotion(PromotionOf(promotion_id="tenth"))).uses == 0


async def test_a_promotion_for_everybody_that_is_used_up_is_left_out_of_the_price(bakery):
    await bakery.api.put_promotion(tenth_off(uses_max=1))
    await bakery.api.use_promotions(uses(1, "tenth"))

    assert str((await bakery.api.price_basket(basket(("tart", 1)))).total) == "10.00 EUR"


async def test_a_changed_promotion_keeps_its_uses(bakery):
    await bakery.api.put_promotion(tenth_off(uses_max=1))
    await bakery.api.use_promotions(uses(1, "tenth"))

    changed = await bakery.api.put_promotion(tenth_off(uses_max=3, percent_bp=2_000))

    assert changed.uses == 1
    assert str((await bakery.api.price_basket(basket(("tart", 1)))).total) == "8.00 EUR"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"percent_bp": 0}, "percent_bp"),
        ({"amount_minor": 100}, "amount_minor"),
        ({"kind": PromotionKind.AMOUNT, "percent_bp": 0, "amount_minor": 100}, "currency"),
        ({"kind": PromotionKind.BUY_GET, "percent_bp": 0, "buy": 2}, "get"),
        ({"currency": "XXX"}, "currency"),
        ({"basket_minor_min": 100}, "currency"),
        ({"starts_at": to_datetime(2), "ends_at": to_datetime(1)}, "ends_at"),
    ],
)
async def test_a_promotion_that_cannot_work_is_refused(bakery, fields, field):
    with pytest.raises(BadPromotion) as refused:
        await bakery.api.put_promotion(tenth_off(**fields))

    assert refused.value.fields == {"field": field}
    assert (await bakery.api.list_promotions(ListPromotions())).promotions == []


async def test_no_more_promotions_are_open_than_can_be_looked_at(bakery):
    for number in range(PROMOTIONS_OPEN_MAX):
        await bakery.api.put_promotion(tenth_off(promotion_id=f"p-{number}", code=f"P-{number}"))

    with pytest.raises(BadPromotion, match="archive one first"):
        await bakery.api.put_promotion(tenth_off())
    await bakery.api.put_promotion(tenth_off(promotion_id="p-7", code="P-7"))


async def test_promotions_are_listed_page_by_page(bakery):
    for number in range(5):
        await bakery.api.put_promotion(tenth_off(promotion_id=f"p-{number}"))
    await bakery.api.archive_promotion(PromotionOf(promotion_id="p-3"))

    first = await bakery.api.list_promotions(ListPromotions(limit=3))
    rest = await bakery.api.list_promotions(ListPromotions(limit=3, cursor=first.next_cursor))

    ids = [one.promotion_id for one in [*first.promotions, *rest.promotions]]
    assert ids == ["p-0", "p-1", "p-2", "p-4"]
    assert rest.next_cursor == ""
    archived = await bakery.api.list_promotions(ListPromotions(is_archived=True))
    assert [one.promotion_id for one in archived.promotions] == ["p-3"]
    with pytest.raises(UnknownCursor):
        await bakery.api.list_promotions(ListPromotions(cursor="nothing"))


async def test_what_is_not_there_is_not_found(bakery):
    for ask in (bakery.api.get_promotion, bakery.api.archive_promotion):
        with pytest.raises(NotFound):
            await ask(PromotionOf(promotion_id="nothing"))


async def test_delivery_is_refused_where_it_does_not_go(bakery):
    await bakery.api.put_delivery(
        PutDelivery(delivery_id="post", name="Post", price=Money(490, "EUR"), countries=["DE"])
    )
    await bakery.api.put_delivery(
        PutDelivery(delivery_id="old", name="Coach", price=Money(990, "EUR"), is_archived=True)
    )

    for ask in ({"delivery": "post", "country": "FR"}, {"delivery": "boat"}, {"delivery": "old"}):
        with pytest.raises(NoDelivery):
            await bakery.api.price_basket(basket(("tart", 1), **ask))
    options = await bakery.api.list_deliveries(ListDeliveries(country="DE"))
    assert [one.delivery_id for one in options.deliveries] == ["post"]
    assert len((await bakery.api.list_deliveries(ListDeliveries())).deliveries) == 2


async def test_taxes_are_replaced_whole(bakery):
    reduced = [CategoryRate(category="bread", rate_bp=700)]
    await bakery.api.put_taxes(PutTaxes(country="DE", standard_bp=1_900, categories=reduced))
    await bakery.api.put_taxes(PutTaxes(country="AT", standard_bp=2_000))

    table = await bakery.api.put_taxes(PutTaxes(country="DE", standard_bp=1_600))

    assert table == await bakery.api.list_taxes(TaxesOf())
    assert [(one.country, one.standard_bp, one.categories) for one in table.countries] == [
        ("AT", 2_000, []),
        ("DE", 1_600, []),
    ]


async def test_prices_in_two_currencies_are_no_basket(bakery):
    await bakery.load(
        """
        sku  | product | price | currency
        yen  | Rice    | 500   | JPY
        """
    )

    with pytest.raises(CurrencyMismatch):
        await bakery.api.price_basket(basket(("tart", 1), ("yen", 1)))


async def test_rules_changed_by_another_instance_are_seen_a_second_later(bakery):
    assert str((await bakery.api.price_basket(basket(("tart", 1)))).total) == "10.00 EUR"
    other = type(bakery)(bakery.database, bakery.runtime)
    await other.api.put_promotion(tenth_off())

    bakery.clock.advance(1.0)

    assert str((await bakery.api.price_basket(basket(("tart", 1)))).total) == "9.00 EUR"

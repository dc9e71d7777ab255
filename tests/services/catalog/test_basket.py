"""What a basket costs, for any basket: it adds up, and nothing costs less than nothing."""

from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.ids import Sku
from emporion.services.catalog.domain.basket import Delivery, Priced, Taxes, What, price
from emporion.services.catalog.domain.promotion import (
    Item,
    Kind,
    Promotion,
    apportioned,
    rounded,
)

SKUS = ("bun", "roll", "tart")
CATEGORIES = ("", "bread", "cake")
ITEMS = st.lists(
    st.builds(
        Item,
        st.sampled_from(SKUS).map(Sku),
        st.integers(1, 50),
        st.integers(1, 10_000),
        st.sampled_from(CATEGORIES),
    ),
    min_size=1,
    max_size=8,
)
COVERED = {
    "skus": st.lists(st.sampled_from(SKUS).map(Sku), max_size=2).map(tuple),
    "categories": st.lists(st.sampled_from(CATEGORIES[1:]), max_size=1).map(tuple),
    "priority": st.integers(0, 3),
    "is_combinable": st.booleans(),
    "basket_minor_min": st.integers(0, 20_000),
}
PROMOTIONS = st.lists(
    st.one_of(
        st.builds(
            Promotion,
            st.sampled_from("abc"),
            st.just("share"),
            st.just(Kind.PERCENT),
            percent_bp=st.integers(1, 10_000),
            **COVERED,
        ),
        st.builds(
            Promotion,
            st.sampled_from("def"),
            st.just("amount"),
            st.just(Kind.AMOUNT),
            amount_minor=st.integers(1, 100_000),
            **COVERED,
        ),
        st.builds(
            Promotion,
            st.sampled_from("ghi"),
            st.just("free"),
            st.just(Kind.BUY_GET),
            buy=st.integers(1, 3),
            get=st.integers(1, 2),
            **COVERED,
        ),
    ),
    max_size=4,
)
TAXES = st.one_of(
    st.none(),
    st.builds(
        Taxes,
        st.just("DE"),
        st.integers(0, 10_000),
        st.dictionaries(st.sampled_from(CATEGORIES), st.integers(0, 10_000)),
        st.booleans(),
    ),
)
DELIVERY = st.one_of(
    st.none(),
    st.builds(
        Delivery,
        st.just("post"),
        st.just("Post"),
        st.just("EUR"),
        st.integers(0, 2_000),
        free_from_minor=st.integers(0, 50_000),
    ),
)


def amounts(priced: Priced, what: What) -> list[int]:
    return [one.amount_minor for one in priced.details if one.what is what]


@given(ITEMS, PROMOTIONS, TAXES, DELIVERY)
def test_the_details_add_up_to_the_total_and_the_lines_do_too(items, promotions, taxes, delivery):
    priced = price(items, promotions, taxes=taxes, delivery=delivery)

    counted = [one.amount_minor for one in priced.details if not one.is_included]
    assert sum(counted) == priced.total_minor
    assert sum(one.total_minor for one in priced.items) + priced.delivery_minor == sum(counted)


@given(ITEMS, PROMOTIONS, TAXES, DELIVERY)
def test_no_line_costs_less_than_nothing_and_what_is_off_is_told(
    items, promotions, taxes, delivery
):
    priced = price(items, promotions, taxes=taxes, delivery=delivery)

    for one in priced.items:
        assert 0 <= one.off_minor <= one.item.amount_minor
        assert one.total_minor >= one.item.amount_minor - one.off_minor >= 0
    assert sum(one.off_minor for one in priced.items) == -sum(amounts(priced, What.PROMOTION))


@given(ITEMS, PROMOTIONS)
def test_a_promotion_that_is_not_combinable_is_given_alone(items, promotions):
    used = price(items, promotions).used

    assert len(used) <= 1 or all(one.is_combinable for one in used)


@given(ITEMS, TAXES)
def test_an_included_tax_changes_no_total_and_another_one_adds_itself(items, taxes):
    without = price(items, []).total_minor
    priced = price(items, [], taxes=taxes)

    on_top = 0 if taxes is None or taxes.is_included else sum(amounts(priced, What.TAX))
    assert priced.total_minor == without + on_top
    assert sum(one.tax_minor for one in priced.items) == sum(amounts(priced, What.TAX))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_are_as_near_to_their_proportion_as_whole_units_can_be(amount, weights):
    shares = apportioned(amount, weights)

    whole = sum(weights)
    assert sum(shares) == (amount if whole else 0)
    for share, weight in zip(shares, weights, strict=True):
        assert not whole or abs(share * whole - amount * weight) < whole


def test_half_a_minor_unit_is_rounded_up():
    assert [rounded(one, 2) for one in range(5)] == [0, 1, 1, 2, 2]


def test_a_third_of_a_euro_off_three_lines_is_shared_to_the_cent():
    items = [Item(Sku(name), 1, 100) for name in SKUS]
    euro = Promotion("euro", "A euro", Kind.AMOUNT, amount_minor=100)

    assert [one.off_minor for one in price(items, [euro]).items] == [34, 33, 33]


def test_of_three_units_for_two_the_cheapest_is_free():
    items = [Item(Sku("tart"), 2, 400), Item(Sku("bun"), 2, 150)]
    three_for_two = Promotion("3-2", "Three for two", Kind.BUY_GET, buy=2, get=1)

    priced = price(items, [three_for_two])

    assert [one.off_minor for one in priced.items] == [0, 150]


def test_promotions_take_off_what_those_before_them_left():
    items = [Item(Sku("tart"), 1, 1_000)]
    half = Promotion("a", "Half", Kind.PERCENT, percent_bp=5_000, priority=1)
    tenth = Promotion("b", "Tenth", Kind.PERCENT, percent_bp=1_000, priority=2)

    priced = price(items, [tenth, half])

    assert amounts(priced, What.PROMOTION) == [-500, -50]


def test_a_tax_is_rounded_once_for_each_rate_and_shared():
    items = [Item(Sku(name), 1, 99, "bread") for name in SKUS]
    taxes = Taxes("DE", 1_900, {"bread": 700}, is_included=False)

    priced = price(items, [], taxes=taxes)

    assert amounts(priced, What.TAX) == [21]  # 20.79; 6.93 on each line would be 7 three times
    assert sum(one.tax_minor for one in priced.items) == 21


def test_prices_that_contain_their_tax_say_how_much_of_it():
    priced = price(
        [Item(Sku("tart"), 1, 1_190)], [], taxes=Taxes("DE", 1_900, {}, is_included=True)
    )

    assert amounts(priced, What.TAX) == [190]
    assert priced.total_minor == 1_190


def test_delivery_is_free_from_a_worth_of_goods_on_after_what_is_taken_off():
    delivery = Delivery("post", "Post", "EUR", 490, free_from_minor=2_000)
    items = [Item(Sku("tart"), 5, 400)]
    tenth = Promotion("b", "Tenth", Kind.PERCENT, percent_bp=1_000)

    assert price(items, [], delivery=delivery).total_minor == 2_000
    assert price(items, [tenth], delivery=delivery).total_minor == 1_800 + 490

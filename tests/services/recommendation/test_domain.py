"""What counts as bought together, as pure rules."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.ids import Sku
from emporion.services.recommendation.domain import (
    ITEMS_MAX,
    Tally,
    Together,
    items_of,
    strongest,
)


def skus(*names: str) -> list[Sku]:
    return [Sku(name) for name in names]


def test_a_thing_twice_in_a_basket_counts_once():
    assert items_of(skus("tea", "scone", "tea")) == ("scone", "tea")


def test_an_order_of_two_hundred_lines_writes_three_hundred_pairs_at_most():
    items = items_of(skus(*(f"thing-{number:03d}" for number in reversed(range(200)))))
    tally = Tally()
    tally.add([items])

    assert len(items) == ITEMS_MAX
    assert items[-1] == "thing-199", "the first lines count"
    assert len(tally.pairs) == comb(ITEMS_MAX, 2) == 300


@given(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=9)), st.randoms())
def test_baskets_count_the_same_in_any_order(baskets, chance):
    shuffled = list(baskets)
    chance.shuffle(shuffled)
    one, other = Tally(), Tally()
    one.add([items_of(skus(*basket)) for basket in baskets])
    for basket in shuffled:
        other.add([items_of(skus(*basket))])

    assert one == other
    assert all(first < second for first, second in one.pairs)


def test_support_confidence_and_lift_are_what_the_books_say():
    one = Together(Sku("tea"), Sku("scone"), orders=20, orders_of_sku=50, orders_of_other=80)

    assert one.support(200) == pytest.approx(0.1)
    assert one.confidence == pytest.approx(0.4)
    assert one.lift(200) == pytest.approx(1.0)


def test_what_is_bought_together_as_often_as_by_chance_is_not_recommended():
    by_chance = Together(Sku("tea"), Sku("scone"), 20, 50, 80)

    assert strongest([by_chance], skus("tea"), all_orders=200) == []


def test_what_goes_with_two_things_of_a_basket_is_said_once_by_the_better_one():
    weak = Together(Sku("tea"), Sku("jam"), 20, 50, 40)
    strong = Together(Sku("scone"), Sku("jam"), 20, 25, 40)
    inside = Together(Sku("tea"), Sku("scone"), 20, 50, 25)

    assert strongest([weak, inside, strong], skus("tea", "scone"), 200) == [strong]

"""All baskets of a real bakery give the figures that sets over the till's file give."""

from itertools import combinations

import pytest

from emporion.contracts.recommendation import Reason, RecommendFor
from emporion.platform.load.baskets_file import slug
from tests.services.till import orders, sales

ENOUGH = 5


@pytest.fixture(scope="module")
def baskets_with():
    """For each item the set of baskets that have it: nothing is counted, sets are cut."""
    found: dict[str, set[str]] = {}
    for sale in sales():
        found.setdefault(slug(sale.item), set()).add(sale.basket)
    return found


async def test_every_count_support_confidence_and_lift_is_that_of_the_till(counter, baskets_with):
    everything = frozenset().union(*baskets_with.values())
    await counter.tell(*orders(sales()))

    assert await counter.rows("SELECT orders FROM basket_total") == [(len(everything),)]
    assert dict(await counter.rows("SELECT sku, orders FROM basket_item")) == {
        sku: len(having) for sku, having in baskets_with.items()
    }
    pairs = await counter.rows("SELECT sku, other, orders FROM basket_pair")
    assert {(sku, other): together for sku, other, together in pairs} == {
        (one, other): len(both)
        for one, other in combinations(sorted(baskets_with), 2)
        if (both := baskets_with[one] & baskets_with[other])
    }
    for sku, having in baskets_with.items():
        answer = await counter.assembly.implementation.recommend(
            RecommendFor(sku=sku, limit=50, min_orders=ENOUGH)
        )
        together = [one for one in answer.recommended if one.reason is Reason.BOUGHT_TOGETHER]
        assert answer.orders == len(everything)
        expected = {}
        for other, having_other in baskets_with.items():
            both = having & having_other
            lift = (
                len(both)
                / len(everything)
                / (len(having) / len(everything) * (len(having_other) / len(everything)))
            )
            if other != sku and len(both) >= ENOUGH and lift > 1:
                expected[other] = (
                    len(both) / len(everything), len(both) / len(having), lift
                )  # fmt: skip
        assert {one.sku: (one.support, one.confidence, one.lift) for one in together} == {
            other: pytest.approx(figures) for other, figures in expected.items()
        }
        lifts = [one.lift for one in together]
        assert lifts == sorted(lifts, reverse=True)

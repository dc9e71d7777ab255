"""What counts as bought together, and how strong the evidence for it is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import NamedTuple

from emporion.kernel.ids import OrderId, Sku

ITEMS_MAX = 25
"""Of an order, the first so many distinct SKUs count: at most 300 pairs, where 200 lines would
make 19,900. Whoever buys two hundred things at once says little of which go together."""
Pair = tuple[Sku, Sku]
"""Two SKUs that differ, in rising order."""


class Basket(NamedTuple):
    """An order as far as it counts; `items` are distinct and rise."""

    order_id: OrderId
    items: tuple[Sku, ...]


def items_of(skus: Iterable[Sku]) -> tuple[Sku, ...]:
    """The items that count of an order with these lines."""
    distinct = tuple(dict.fromkeys(skus))
    return tuple(sorted(distinct[:ITEMS_MAX]))


@dataclass(slots=True)
class Tally:
    """In how many orders each item and each pair is, over several baskets.

    Adding them up is all that is ever done, so that no order of events gives other counts.
    """

    orders: int = 0
    items: Counter[Sku] = field(default_factory=Counter)
    pairs: Counter[Pair] = field(default_factory=Counter)

    def add(self, baskets: Sequence[Sequence[Sku]]) -> None:
        """Count baskets in, many at once: a counter is slow to start."""
        self.orders += len(baskets)
        self.items.update(chain.from_iterable(baskets))
        self.pairs.update(chain.from_iterable([combinations(items, 2) for items in baskets]))


class Together(NamedTuple):
    """How often two SKUs were bought: together, and each with or without the other."""

    sku: Sku
    other: Sku
    orders: int
    orders_of_sku: int
    orders_of_other: int

    def support(self, all_orders: int) -> float:
        """The share of all orders that have both."""
        return self.orders / all_orders

    @property
    def confidence(self) -> float:
        """The share of the orders with `sku` that have `other` too."""
        return self.orders / self.orders_of_sku

    def lift(self, all_orders: int) -> float:
        """How many times the confidence is the share of `other` in all orders; 1: by chance."""
        return self.orders * all_orders / (self.orders_of_sku * self.orders_of_other)


def strongest(
    evidence: Iterable[Together], basket: Iterable[Sku], all_orders: int
) -> list[Together]:
    """What is bought with the basket more often than by chance, the highest lift first.

    Each other SKU once, with the SKU of the basket that speaks most for it; equal lifts by falling
    number of orders, then by name.
    """
    best: dict[Sku, Together] = {}
    ranked = sorted(
        evidence, key=lambda one: (-one.lift(all_orders), -one.orders, one.other, one.sku)
    )
    inside = set(basket)
    for one in ranked:
        if one.other not in inside and one.lift(all_orders) > 1.0:
            best.setdefault(one.other, one)
    return list(best.values())

"""What a promotion is: what it takes off, from what, for whom and until when."""

from collections.abc import Sequence
from enum import StrEnum

from emporion.kernel.ids import Sku
from emporion.kernel.value import Value

BP = 10_000
"""Basis points of a whole: 2,500 are a quarter."""
FOREVER_MS = 2**52


class Kind(StrEnum):
    """What a promotion does."""

    PERCENT = "percent"
    AMOUNT = "amount"
    BUY_GET = "buy-get"


class Item(Value, frozen=True, gc=False):
    """A line of a basket at the catalogue's price."""

    sku: Sku
    quantity: int
    unit_minor: int
    category: str = ""

    @property
    def amount_minor(self) -> int:
        """Before anything is taken off."""
        return self.unit_minor * self.quantity


class Promotion(Value, frozen=True, gc=False):
    """Something taken off a basket.

    Args:
        percent_bp: of a PERCENT promotion, basis points.
        amount_minor: of an AMOUNT promotion.
        buy, get: of a BUY_GET promotion: of so many units together, the `get` cheapest are free.
        currency: baskets in another one are left alone; of a PERCENT or BUY_GET promotion it may
            be empty: any.
        skus, categories: what it is taken off; both empty: everything.
        code: what a customer must say, upper case; empty: nothing.
        starts_at_ms, ends_at_ms: from, inclusive, and until, exclusive.
        basket_minor_min: what the basket costs at least, before anything is taken off.
        priority: promotions are applied in this order, the lowest first, then by id.
        is_combinable: whether it is given beside others.
        uses_max, uses_per_user_max: by how many orders it is used; 0: any number.
    """

    promotion_id: str
    name: str
    kind: Kind
    percent_bp: int = 0
    amount_minor: int = 0
    buy: int = 0
    get: int = 0
    currency: str = ""
    skus: tuple[Sku, ...] = ()
    categories: tuple[str, ...] = ()
    code: str = ""
    starts_at_ms: int = 0
    ends_at_ms: int = FOREVER_MS
    basket_minor_min: int = 0
    priority: int = 100
    is_combinable: bool = True
    uses_max: int = 0
    uses_per_user_max: int = 0
    is_archived: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether its uses are counted."""
        return bool(self.uses_max or self.uses_per_user_max)

    def is_used_up(self, uses: int, uses_by_user: int) -> bool:
        """Whether, with so many uses in all and by a person, that person may use it no more."""
        is_over = 0 < self.uses_max <= uses
        return is_over or 0 < self.uses_per_user_max <= uses_by_user

    def is_open(self, at_ms: int) -> bool:
        """Whether it is given at that instant."""
        return not self.is_archived and self.starts_at_ms <= at_ms < self.ends_at_ms

    def covers(self, item: Item) -> bool:
        """Whether anything is taken off that line."""
        if not self.skus and not self.categories:
            return True
        return item.sku in self.skus or item.category in self.categories

    def off(self, items: Sequence[Item], left_minor: Sequence[int]) -> list[int]:
        """What it takes off each line, of which `left_minor` is left; never more than that."""
        eligible = [
            left if self.covers(item) else 0 for item, left in zip(items, left_minor, strict=True)
        ]
        if self.kind is Kind.BUY_GET:
            free = self._free_minor(items)
            return [min(share, left) for share, left in zip(free, eligible, strict=True)]
        whole = sum(eligible)
        if self.kind is Kind.PERCENT:
            return apportioned(rounded(whole * self.percent_bp, BP), eligible)
        return apportioned(min(self.amount_minor, whole), eligible)

    def _free_minor(self, items: Sequence[Item]) -> list[int]:
        """The list price of the free units of each line: of all units together the cheapest."""
        covered = [index for index, item in enumerate(items) if self.covers(item)]
        units = sum(items[index].quantity for index in covered)
        left = units // (self.buy + self.get) * self.get
        free = [0] * len(items)
        for index in sorted(covered, key=lambda index: items[index].unit_minor):
            taken = min(left, items[index].quantity)
            free[index] = taken * items[index].unit_minor
            left -= taken
        return free


def rounded(numerator: int, denominator: int) -> int:
    """The quotient of two positive numbers, half a minor unit rounded up."""
    return (2 * numerator + denominator) // (2 * denominator)


def apportioned(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Shares of an amount in proportion to weights, which add up to it exactly.

    By largest remainder (Hamilton's method), earlier lines first among equals. No share exceeds
    its weight as long as the amount does not exceed their sum. All weights 0: no shares.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [amount_minor * weight // whole for weight in weights]
    remainders = [amount_minor * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -remainders[index])
    for index in by_remainder[: amount_minor - sum(shares)]:
        shares[index] += 1
    return shares

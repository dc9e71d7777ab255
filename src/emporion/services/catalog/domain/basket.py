"""What a basket costs, and why: prices, promotions, delivery and taxes, in that order.

Rounding. Every amount is in minor units. A promotion is rounded once, on the sum it is taken off,
half a unit up, and shared among its lines by largest remainder. A tax is rounded once for each
rate, on the sum that bears it, and shared the same way. So all lines, and all details, add up to
the total exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from emporion.kernel.value import Value
from emporion.services.catalog.domain.promotion import BP, Item, Promotion, apportioned, rounded


class What(StrEnum):
    """Of what a detail tells."""

    GOODS = "goods"
    PROMOTION = "promotion"
    DELIVERY = "delivery"
    TAX = "tax"


class Detail(Value, frozen=True, gc=False):
    """One line of the explanation of a total.

    Args:
        ref: the promotion's or delivery's id, or the country and rate of a tax.
        is_included: it is contained in the others, and does not change the total.
    """

    what: What
    name: str
    ref: str
    amount_minor: int
    is_included: bool = False


class PricedItem(Value, frozen=True, gc=False):
    """A line with what is taken off it, the tax in it or on it, and what is paid for it."""

    item: Item
    off_minor: int
    tax_minor: int
    total_minor: int


class Priced(Value, frozen=True, gc=False):
    """A basket, priced. `used` are the promotions that took something off."""

    items: tuple[PricedItem, ...]
    delivery_minor: int
    details: tuple[Detail, ...]
    used: tuple[Promotion, ...]

    @property
    def total_minor(self) -> int:
        """What is to be paid."""
        return sum(item.total_minor for item in self.items) + self.delivery_minor


class Taxes(Value, frozen=True, gc=False):
    """The taxes of a country.

    Args:
        standard_bp: of everything that has no rate of its own, basis points; delivery too.
        by_category: the rates of categories.
        is_included: whether prices contain them already; otherwise they come on top.
    """

    country: str
    standard_bp: int
    by_category: Mapping[str, int]
    is_included: bool = True

    def rate_bp(self, category: str) -> int:
        """The rate of goods of that category."""
        return self.by_category.get(category, self.standard_bp)

    def of(self, amount_minor: int, rate_bp: int) -> int:
        """The tax in, or on, an amount."""
        whole = BP + rate_bp if self.is_included else BP
        return rounded(amount_minor * rate_bp, whole)


class Delivery(Value, frozen=True, gc=False):
    """A way of delivery and its price.

    Args:
        countries: where to; empty: everywhere.
        free_from_minor: goods that cost so much, promotions taken off, are delivered for nothing;
            0: never.
    """

    delivery_id: str
    name: str
    currency: str
    price_minor: int
    countries: tuple[str, ...] = ()
    free_from_minor: int = 0
    is_archived: bool = False

    def serves(self, country: str, currency: str) -> bool:
        """Whether it goes there, for a basket in that currency."""
        is_there = not self.countries or country in self.countries
        return not self.is_archived and is_there and self.currency == currency

    def price_of(self, goods_minor: int) -> int:
        """What it costs with goods of that worth."""
        is_free = 0 < self.free_from_minor <= goods_minor
        return 0 if is_free else self.price_minor


def percent(rate_bp: int) -> str:
    """A rate as people write it: `19.00 %`."""
    return f"{rate_bp // 100}.{rate_bp % 100:02d} %"


def price(
    items: Sequence[Item],
    promotions: Iterable[Promotion],
    *,
    taxes: Taxes | None = None,
    delivery: Delivery | None = None,
) -> Priced:
    """The basket with all that applies. `promotions` are open, and their codes were said."""
    goods_minor = sum(item.amount_minor for item in items)
    details = [Detail(What.GOODS, "", "", goods_minor)]
    left_minor = [item.amount_minor for item in items]
    used: list[Promotion] = []
    for promotion in applicable(promotions, goods_minor):
        if used and not (promotion.is_combinable and used[-1].is_combinable):
            continue
        off = promotion.off(items, left_minor)
        if any(off):
            left_minor = [left - share for left, share in zip(left_minor, off, strict=True)]
            used.append(promotion)
            details.append(
                Detail(What.PROMOTION, promotion.name, promotion.promotion_id, -sum(off))
            )
    delivery_minor = 0
    if delivery is not None:
        delivery_minor = delivery.price_of(sum(left_minor))
        details.append(Detail(What.DELIVERY, delivery.name, delivery.delivery_id, delivery_minor))
    tax_minor = [0] * (len(items) + 1)
    if taxes is not None:
        tax_minor, of_taxes = _taxed(items, [*left_minor, delivery_minor], taxes)
        details += of_taxes
    on_top = [0] * len(tax_minor) if taxes is None or taxes.is_included else tax_minor
    return Priced(
        tuple(
            PricedItem(item, item.amount_minor - left, tax, left + extra)
            for item, left, tax, extra in zip(
                items, left_minor, tax_minor[:-1], on_top[:-1], strict=True
            )
        ),
        delivery_minor + on_top[-1],
        tuple(details),
        tuple(used),
    )


def applicable(promotions: Iterable[Promotion], goods_minor: int) -> list[Promotion]:
    """Those whose minimum the basket reaches, in the order in which they are applied."""
    found = [one for one in promotions if goods_minor >= one.basket_minor_min]
    return sorted(found, key=lambda one: (one.priority, one.promotion_id))


def _taxed(
    items: Sequence[Item], amounts_minor: Sequence[int], taxes: Taxes
) -> tuple[list[int], list[Detail]]:
    """The tax of each line, the delivery's last, and a detail for each rate."""
    rates = [*(taxes.rate_bp(item.category) for item in items), taxes.standard_bp]
    tax_minor, details = [0] * len(rates), []
    for rate_bp in sorted(set(rates)):
        bearing = [
            amount if rate == rate_bp else 0
            for amount, rate in zip(amounts_minor, rates, strict=True)
        ]
        whole_minor = taxes.of(sum(bearing), rate_bp)
        if whole_minor:
            shares = apportioned(whole_minor, bearing)
            tax_minor = [tax + share for tax, share in zip(tax_minor, shares, strict=True)]
            name = f"{taxes.country} {percent(rate_bp)}"
            details.append(Detail(What.TAX, name, name, whole_minor, taxes.is_included))
    return tax_minor, details

"""Says in sentences what rules about prices do, and how an amount follows from one."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emporion.services.catalog.domain.basket import Delivery, Taxes, percent
from emporion.services.catalog.domain.promotion import BP, Kind, Promotion

NAMES_MAX = 10
"""More SKUs, categories or countries than this are only counted in a sentence."""


class Bearing(NamedTuple):
    """What a tax is on: an amount of goods of a category, or of the delivery (no category)."""

    category: str
    amount_minor: int


def promotion_says(one: Promotion) -> str:
    """What a promotion does."""
    said = [f"{_off(one)} {_covered(one)}"]
    if one.code:
        said.append(f"with the code {one.code}")
    if one.basket_minor_min:
        said.append(f"from a basket of {one.basket_minor_min} {one.currency} (minor units) on")
    if not one.is_combinable:
        said.append("not beside others")
    return ", ".join(said)


def _off(one: Promotion) -> str:
    match one.kind:
        case Kind.PERCENT:
            return f"{percent(one.percent_bp)} off"
        case Kind.AMOUNT:
            return f"{one.amount_minor} {one.currency} (minor units) off"
        case Kind.BUY_GET:
            return f"of every {one.buy + one.get} units the {one.get} cheapest free, of"


def taxes_say(taxes: Taxes) -> str:
    """What a country's taxes are."""
    where = "in the price" if taxes.is_included else "on top of the price"
    rates = "".join(f", {percent(bp)} of {name}" for name, bp in sorted(taxes.by_category.items()))
    return f"taxes of {taxes.country} {where}: {percent(taxes.standard_bp)}{rates}"


def delivery_says(one: Delivery) -> str:
    """What a way of delivery costs."""
    to = f" to {_named(one.countries)}" if one.countries else ""
    free = f", for nothing from goods of {one.free_from_minor} on" if one.free_from_minor else ""
    return f"{one.price_minor} {one.currency} (minor units){to}{free}"


def delivery_step(one: Delivery, goods_minor: int) -> str:
    """How what a delivery cost follows from it."""
    worth = f"goods of {goods_minor} after what was taken off"
    return f"{delivery_says(one)}: {one.price_of(goods_minor)} with {worth}"


def tax_step(taxes: Taxes, rate_bp: int, bearing: Iterable[Bearing]) -> tuple[int, str]:
    """The tax at that rate, and how it follows: rounded once, on the sum that bears it."""
    amount_minor = sum(
        each.amount_minor for each in bearing if taxes.rate_bp(each.category) == rate_bp
    )
    whole = BP + rate_bp if taxes.is_included else BP
    numerator, tax_minor = amount_minor * rate_bp, taxes.of(amount_minor, rate_bp)
    thousandths = numerator * 1_000 // whole
    exact = f"{thousandths // 1_000}.{thousandths % 1_000:03d}"
    formula = f"{amount_minor} x {rate_bp} / {whole} = {exact}"
    rounding = "exactly" if numerator % whole == 0 else "rounded once, half a unit up"
    return tax_minor, f"{taxes_say(taxes)}; {formula}, {rounding}: {tax_minor}"


def rate_named(taxes: Taxes, name: str) -> int | None:
    """The rate of those taxes that a detail's name tells, if they have it."""
    rates: Sequence[int] = (taxes.standard_bp, *taxes.by_category.values())
    return next((bp for bp in rates if name == f"{taxes.country} {percent(bp)}"), None)


def _covered(one: Promotion) -> str:
    parts = []
    if one.skus:
        parts.append(f"the SKUs {_named(one.skus)}")
    if one.categories:
        parts.append(f"the categories {_named(one.categories)}")
    return " and ".join(parts) or "everything"


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMES_MAX
    shown = ", ".join(names[:NAMES_MAX])
    return f"{shown} and {more} more" if more > 0 else shown

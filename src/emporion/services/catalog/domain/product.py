"""What a product is: a name, variants with distinct SKUs, and a price above zero for each."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import Money

PRICE_MINOR_MAX = 10**11
"""A billion units of a two-digit currency: ten thousand of it are still money."""
VARIANTS_MAX = 100
NAME_LENGTH_MAX = 200
CATEGORY_LENGTH_MAX = 100
DESCRIPTION_LENGTH_MAX = 4_000

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class DoubledSku(NamedTuple):
    """Two variants of a product have the same SKU."""

    sku: Sku
    what: str


class UnsoundPrice(NamedTuple):
    """A price is not above zero, or beyond what can be an honest price."""

    sku: Sku
    what: str


class UnsoundText(NamedTuple):
    """A name is blank, or a text contains control characters."""

    field: str
    what: str


Unsound: TypeAlias = DoubledSku | UnsoundPrice | UnsoundText
"""Why a product can never be sold, with a sentence for people in `what`."""


class Variant(NamedTuple):
    """What is sold: a SKU, what to call it, and what one unit costs."""

    sku: Sku
    name: str
    price: Money


class Product(NamedTuple):
    """A product and its variants, in the order in which they are shown."""

    product_id: ProductId
    name: str
    description: str
    category: str
    variants: tuple[Variant, ...]
    is_archived: bool = False
    updated_at_ms: int = 0

    def is_like(self, other: "Product | None") -> bool:
        """Whether both say the same, whenever they were written."""
        return other is not None and self == other._replace(updated_at_ms=self.updated_at_ms)


def unsound(product: Product) -> Iterator[Unsound]:
    """Everything for which the product can never be sold."""
    yield from _in_name(product.name, "name")
    yield from _in_text(product.category, "category")
    if has_control_characters(product.description, is_long=True):
        yield UnsoundText("description", "the description contains control characters")
    seen = set[Sku]()
    for variant in product.variants:
        if variant.sku in seen:
            yield DoubledSku(variant.sku, f"the SKU {variant.sku} appears twice")
        seen.add(variant.sku)
        yield from _in_name(variant.name, "variants.name")
        if fault := price_fault(variant.price):
            yield UnsoundPrice(variant.sku, f"the price of {variant.sku} {fault}")


def is_sku(text: str) -> bool:
    """Whether something could be sold under it."""
    return _SKU.fullmatch(text) is not None


def _in_name(name: str, field: str) -> Iterator[UnsoundText]:
    if not name.strip():
        yield UnsoundText(field, f"{field} is blank")
    yield from _in_text(name, field)


def _in_text(text: str, field: str) -> Iterator[UnsoundText]:
    if has_control_characters(text):
        yield UnsoundText(field, f"{field} contains control characters")


def has_control_characters(text: str, *, is_long: bool = False) -> bool:
    """Whether it contains control characters; a long text may have tabs and line ends."""
    return (_CONTROL_IN_TEXT if is_long else _CONTROL).search(text) is not None


def price_fault(price: Money) -> str:
    """Why this is no price, or nothing."""
    if price.amount_minor <= 0:
        return "must be more than 0"
    if price.amount_minor > PRICE_MINOR_MAX:
        return "is too high"
    return ""


def label(product_name: str, variant_name: str) -> str:
    """What a customer reads on an order: `Croissant`, or `Croissant, with almonds`."""
    return product_name if variant_name == product_name else f"{product_name}, {variant_name}"


def sort_name(name: str) -> str:
    """The name as it is sorted: upper and lower case alike."""
    return name.casefold()


def search_text(product: Product) -> str:
    """What a search looks through: name, category, SKUs and the variants' names."""
    words: Iterable[str] = (
        product.name,
        product.category,
        *(word for variant in product.variants for word in (variant.sku, variant.name)),
    )
    return "\n".join(dict.fromkeys(words)).casefold()


def search_key(search: str) -> str:
    """What must stand in a product's `search_text` for it to be found."""
    return search.casefold()

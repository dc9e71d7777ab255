"""How the lines of a catalogue file become products: every line is checked, every fault named."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import MINOR_DIGITS, Money, parse_amount_minor
from emporion.services.catalog.domain.product import (
    CATEGORY_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    VARIANTS_MAX,
    Product,
    Variant,
    has_control_characters,
    is_sku,
    price_fault,
)

_PRICE_LENGTH_MAX = 20
_SHOWN = 40


class Line(NamedTuple):
    """A line as it stands in the file; `number` is for the reader of the errors."""

    number: int
    sku: str
    product: str
    price: str
    currency: str
    variant: str = ""
    description: str = ""
    category: str = ""

    def stripped(self) -> "Line":
        """Without the blanks around its cells."""
        return Line(self.number, *(str(cell).strip() for cell in self[1:]))


class Fault(NamedTuple):
    """What is wrong with one cell."""

    line: int
    column: str
    message: str


class Item(NamedTuple):
    """A line that is right by itself."""

    line: int
    variant: Variant


@dataclass(slots=True)
class Group:
    """The lines of one product: its variants, and what they say about the product."""

    name: str
    description: str = ""
    category: str = ""
    items: list[Item] = field(default_factory=list)
    said_on: dict[str, int] = field(default_factory=dict)


class Sheet(NamedTuple):
    """A file read: its products by name, and the faults that need no look at the catalog."""

    groups: Mapping[str, Group]
    faults: Sequence[Fault]


class Tally(NamedTuple):
    """What becomes of the lines."""

    created: int
    updated: int
    unchanged: int


class Plan(NamedTuple):
    """The products to write, what that does to the lines, and the faults: then write nothing."""

    products: Sequence[Product]
    tally: Tally
    faults: Sequence[Fault]


def read(lines: Iterable[Line]) -> Sheet:
    """Check each line and put those of one product name together."""
    groups: dict[str, Group] = {}
    faults: list[Fault] = []
    first_line: dict[str, int] = {}
    for raw in lines:
        line = raw.stripped()
        found = list(_cell_faults(line))
        if line.sku in first_line:
            message = f"{_shown(line.sku)} stands on line {first_line[line.sku]} too"
            found.append(Fault(line.number, "sku", message))
        first_line.setdefault(line.sku, line.number)
        price, fault = _price(line)
        if fault:
            found.append(fault)
        if not found and price:
            group = groups.setdefault(line.product, Group(line.product))
            found += _join(group, line, price)
        faults += found
    return Sheet(groups, faults)


def plan(
    sheet: Sheet, stored: Sequence[Product], *, new_id: Callable[[str], ProductId], now_ms: int
) -> Plan:
    """What the sheet, read at `now_ms`, changes in the catalog.

    `stored` are the products that own any of its SKUs or bear any of its names; `new_id` gives
    the id for a new product of a name. A line never takes a variant away. A product that was
    archived is on sale again. Without a description or category in the file, a product keeps its
    own.
    """
    owners = {variant.sku: product for product in stored for variant in product.variants}
    faults = list(sheet.faults)
    products: list[Product] = []
    fates = Counter[str]()
    for group in sheet.groups.values():
        before = _target(group, owners, stored)
        faults += _taken(group, owners, before)
        after = _merged(group, before, before.product_id if before else new_id(group.name))
        if len(after.variants) > VARIANTS_MAX:
            message = f"a product has at most {VARIANTS_MAX} variants"
            faults.append(Fault(group.items[-1].line, "product", message))
        if not after.is_like(before):
            products.append(after._replace(updated_at_ms=now_ms))
        fates.update(_fates(group, before, after))
    if faults:
        return Plan([], Tally(0, 0, 0), sorted(faults, key=attrgetter("line")))
    tally = Tally(fates["created"], fates["updated"], fates["unchanged"])
    return Plan(products, tally, [])


def _fates(group: Group, before: Product | None, after: Product) -> Iterable[str]:
    """What becomes of each line: a word of the tally."""
    known = {variant.sku: variant for variant in before.variants} if before else {}
    is_same_product = before is not None and _own_words(before) == _own_words(after)
    for _, variant in group.items:
        if variant.sku not in known:
            yield "created"
        elif is_same_product and known[variant.sku] == variant:
            yield "unchanged"
        else:
            yield "updated"


def _target(
    group: Group, owners: Mapping[Sku, Product], stored: Sequence[Product]
) -> Product | None:
    """The product the group speaks of: of that name, and rather one that owns its SKUs."""
    owning = [owners[item.variant.sku] for item in group.items if item.variant.sku in owners]
    for candidates in (owning, stored):
        named = [product for product in candidates if product.name == group.name]
        if named:
            return min(named, key=_age)
    return None


def _age(product: Product) -> ProductId:
    return product.product_id  # ids sort in the order of creation


def _taken(group: Group, owners: Mapping[Sku, Product], target: Product | None) -> Iterable[Fault]:
    for line, variant in group.items:
        owner = owners.get(variant.sku)
        if owner is not None and (target is None or owner.product_id != target.product_id):
            message = f"{variant.sku} belongs to the product {_shown(owner.name)}"
            yield Fault(line, "sku", message)


def _merged(group: Group, before: Product | None, product_id: ProductId) -> Product:
    variants = {variant.sku: variant for variant in (before.variants if before else ())}
    variants |= {item.variant.sku: item.variant for item in group.items}
    return Product(
        product_id,
        group.name,
        group.description or (before.description if before else ""),
        group.category or (before.category if before else ""),
        tuple(variants.values()),
    )


def _own_words(product: Product) -> tuple[str, str, bool]:
    return product.description, product.category, product.is_archived


def _cell_faults(line: Line) -> Iterable[Fault]:
    if not is_sku(line.sku):
        yield Fault(
            line.number,
            "sku",
            f"{_shown(line.sku)} is not a SKU: 1..64 letters, digits, `.`, `_`, `-`",
        )
    if not line.product:
        yield Fault(line.number, "product", "the name of the product is missing")
    for column, text, length_max in (
        ("product", line.product, NAME_LENGTH_MAX),
        ("variant", line.variant, NAME_LENGTH_MAX),
        ("description", line.description, DESCRIPTION_LENGTH_MAX),
        ("category", line.category, CATEGORY_LENGTH_MAX),
    ):
        if len(text) > length_max:
            yield Fault(line.number, column, f"is longer than {length_max} characters")
        if has_control_characters(text, is_long=column == "description"):
            yield Fault(line.number, column, "contains control characters")


def _price(line: Line) -> tuple[Money | None, Fault | None]:
    if line.currency not in MINOR_DIGITS:
        message = f"{_shown(line.currency)} is not an ISO 4217 code such as EUR"
        return None, Fault(line.number, "currency", message)
    if len(line.price) > _PRICE_LENGTH_MAX:
        return None, Fault(line.number, "price", "is too long")
    try:
        price = Money(parse_amount_minor(line.price, line.currency), line.currency)
    except ValueError as error:
        return None, Fault(line.number, "price", str(error))
    fault = price_fault(price)
    return price, Fault(line.number, "price", fault) if fault else None


def _join(group: Group, line: Line, price: Money) -> Iterable[Fault]:
    """Add the line to its product; a product is described in one way only."""
    for column, text in (("description", line.description), ("category", line.category)):
        said = getattr(group, column)
        if text and said and text != said:
            where = group.said_on[column]
            yield Fault(line.number, column, f"differs from line {where}: a product has only one")
        elif text and not said:
            setattr(group, column, text)
            group.said_on[column] = line.number
    variant = Variant(Sku(line.sku), line.variant or line.product, price)
    group.items.append(Item(line.number, variant))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")

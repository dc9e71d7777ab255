"""What the catalog needs from its storage: whole operations, each atomic on its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from emporion.contracts.catalog import Quote
from emporion.kernel.ids import ProductId, Sku, UserId
from emporion.kernel.money import Money
from emporion.services.catalog.domain.basket import Delivery, Taxes
from emporion.services.catalog.domain.product import Product
from emporion.services.catalog.domain.promotion import Promotion

T = TypeVar("T")
Decide = Callable[[Sequence[Product]], tuple[Sequence[Product], T]]
"""Given what is stored, which products to write, and an answer. Pure: it may run again."""


class ProductStore(Protocol):
    """Products with their variants; a SKU belongs to one product.

    All methods raise Unavailable when the engine cannot answer.
    """

    async def change(
        self,
        decide: Decide[T],
        *,
        ids: Sequence[ProductId] = (),
        skus: Sequence[Sku] = (),
        names: Sequence[str] = (),
    ) -> T:
        """Load, decide, save, in one transaction; returns the answer of `decide`.

        `decide` gets the products of these ids, those that own these SKUs, and the oldest of each
        of these names. What it returns is written whole (variants left out are gone) and
        ProductChanged is published for each. What it raises is raised here, nothing is written.
        """
        ...

    async def find(self, product_id: ProductId) -> Product | None:
        """The product of that id, also when archived, or None."""
        ...

    async def page(
        self, *, search: str, category: str, after: str, limit: int
    ) -> list[Product] | None:
        """Products on sale by name and id, behind the product `after`; None if there is no such.

        `search` is looked for in names, SKUs and categories, whatever the case; empty texts do
        not narrow.
        """
        ...

    async def quotes(self, skus: Sequence[Sku]) -> list[Quote | None]:
        """Today's price of each SKU, in that order; None for one that is not on sale."""
        ...


class Rules(NamedTuple):
    """All that is taken off or comes on top: promotions that are not archived, by id."""

    promotions: tuple[Promotion, ...]
    taxes: Mapping[str, Taxes]
    deliveries: Mapping[str, Delivery]


class Uses(NamedTuple):
    """By how many orders a promotion is used, and by how many of one person."""

    all: int
    by_user: int


class RulesStore(Protocol):
    """What staff set up about prices; `at_ms`: since when a change of it holds.

    All methods raise Unavailable when the engine cannot.
    """

    async def rules(self) -> Rules:
        """Everything that may apply."""
        ...

    async def put_promotion(self, promotion: Promotion, *, open_max: int, at_ms: int) -> int:
        """Write it; its uses so far.

        Raises BadPromotion when another one that is not archived has its code, or when there
        would be more than `open_max` that are not.
        """
        ...

    async def archive_promotion(
        self, promotion_id: str, *, at_ms: int
    ) -> tuple[Promotion, int] | None:
        """End it; it and its uses, or None if there is none."""
        ...

    async def promotion(self, promotion_id: str) -> tuple[Promotion, int] | None:
        """It and its uses, or None."""
        ...

    async def promotions(
        self, *, is_archived: bool, after: str, limit: int
    ) -> list[tuple[Promotion, int]]:
        """By id, behind that id."""
        ...

    async def put_taxes(self, taxes: Taxes, *, at_ms: int) -> None:
        """Write the taxes of a country."""
        ...

    async def put_delivery(self, delivery: Delivery, *, at_ms: int) -> None:
        """Write a way of delivery."""
        ...


class UseStore(Protocol):
    """How often promotions were used. All methods raise Unavailable when the engine cannot."""

    async def uses(self, promotion_ids: Sequence[str], user_id: UserId | None) -> dict[str, Uses]:
        """Of each, all and those of a person (0 for nobody)."""
        ...

    async def use(self, order_id: str, user_id: UserId, promotion_ids: Sequence[str]) -> bool:
        """Count an order's use of all of them; whether it uses them: False once it was undone.

        Raises CodeUsedUp, and counts none, when one may not be used once more. Safe to repeat.
        """
        ...

    async def free(self, order_id: str, promotion_ids: Sequence[str]) -> None:
        """Undo `use`, or keep it from happening. Safe to repeat."""
        ...


Rule = Promotion | Taxes | Delivery
"""What staff set up about prices."""


class ListPrice(NamedTuple):
    """What a unit cost from that instant on, and whether it was on sale."""

    price: Money
    category: str
    is_on_sale: bool
    since_ms: int


class RuleThen(NamedTuple):
    """A rule as it was, and since when; None: before that was recorded."""

    rule: Rule
    since_ms: int | None


class PastPrices(Protocol):
    """What prices and rules were. All methods raise Unavailable when the engine cannot."""

    async def prices(self, skus: Sequence[Sku], at_ms: int) -> dict[Sku, list[ListPrice]]:
        """Of each, its price at an instant and those before, the newest first; at most 100."""
        ...

    async def rule(self, kind: type[Rule], ref: str, at_ms: int) -> RuleThen | None:
        """A rule as it was at an instant, or None: there was none, or it was not recorded."""
        ...

"""What the catalog needs from its storage: whole operations, each atomic on its own."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from emporion.contracts.catalog import Quote
from emporion.kernel.ids import ProductId, Sku
from emporion.services.catalog.domain.product import Product

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

"""What can be asked of the catalog: products page by page, and today's prices."""

from collections.abc import Sequence

from emporion.contracts.catalog import ListProducts, ProductPage, Quotes, UnknownSku, Variant
from emporion.contracts.catalog import Product as ProductReply
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ProductId, Sku
from emporion.services.catalog.domain.product import Product, is_sku
from emporion.services.catalog.ports import ProductStore


class ProductQueries:
    """Reads of committed state."""

    def __init__(self, store: ProductStore) -> None:
        self._store = store

    async def product(self, product_id: ProductId) -> ProductReply:
        """One product, also when archived. Raises NotFound."""
        product = await self._store.find(product_id)
        if product is None:
            raise NotFound(f"there is no product {product_id}")
        return product_of(product)

    async def products(self, request: ListProducts) -> ProductPage:
        """Products on sale by name. Raises UnknownCursor."""
        found = await self._store.page(
            search=request.search,
            category=request.category,
            after=request.cursor,
            limit=request.limit + 1,
        )
        if found is None:
            raise UnknownCursor
        page = found[: request.limit]
        return ProductPage(
            products=[product_of(product) for product in page],
            next_cursor=page[-1].product_id if len(found) > len(page) else "",
        )

    async def quote(self, skus: Sequence[Sku]) -> Quotes:
        """Today's prices, in that order. Raises UnknownSku naming every one not on sale.

        What cannot be a SKU at all is named `?`: it may be anything, and errors are passed on.
        """
        found = await self._store.quotes(skus)
        quotes = [quote for quote in found if quote is not None]
        if len(quotes) < len(found):
            pairs = zip(skus, found, strict=True)
            unknown = [str(sku) if is_sku(sku) else "?" for sku, quote in pairs if quote is None]
            unknown = list(dict.fromkeys(unknown))
            raise UnknownSku(f"not on sale: {', '.join(unknown)}", skus=unknown)
        return Quotes(quotes=quotes)


def product_of(product: Product) -> ProductReply:
    """A product in the words of the contract."""
    return ProductReply(
        product_id=product.product_id,
        name=product.name,
        description=product.description,
        category=product.category,
        variants=[
            Variant(sku=variant.sku, name=variant.name, price=variant.price)
            for variant in product.variants
        ],
        is_archived=product.is_archived,
        updated_at=to_datetime(product.updated_at_ms),
    )

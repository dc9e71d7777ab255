"""What can be done with the catalog: put, archive and import products."""

from collections.abc import Sequence

from emporion.contracts.catalog import (
    BadPrice,
    BadText,
    CreateProduct,
    DuplicateSku,
    ImportProducts,
    ImportReport,
    ImportRow,
    LineError,
    PutProduct,
    SkuTaken,
)
from emporion.contracts.catalog import Product as ProductReply
from emporion.kernel.clock import Clock
from emporion.kernel.errors import EmporionError, NotFound
from emporion.kernel.ids import PRODUCT, Ids, ProductId
from emporion.services.catalog.domain.catalogue_file import Line, Plan, plan, read
from emporion.services.catalog.domain.product import (
    DoubledSku,
    Product,
    Unsound,
    UnsoundPrice,
    UnsoundText,
    Variant,
    unsound,
)
from emporion.services.catalog.ports import ProductStore
from emporion.services.catalog.queries.products import product_of


class ProductCommands:
    """Changes of products: what does not change is not written and not announced."""

    def __init__(self, store: ProductStore, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock

    async def create(self, request: CreateProduct) -> ProductReply:
        """Create a product under a new id. Raises SkuTaken, DuplicateSku, BadPrice, BadText."""
        return await self._put(ProductId(self._ids.new(PRODUCT)), request)

    async def put(self, request: PutProduct) -> ProductReply:
        """Create or replace a product; an archived one is on sale again. Raises like `create`."""
        return await self._put(request.product_id, request)

    async def _put(
        self, product_id: ProductId, request: CreateProduct | PutProduct
    ) -> ProductReply:
        product = Product(
            product_id,
            request.name,
            request.description,
            request.category,
            tuple(Variant(each.sku, each.name, each.price) for each in request.variants),
            updated_at_ms=self._clock.now_ms(),
        )
        for found in unsound(product):
            raise _refusal(found)

        def decide(stored: Sequence[Product]) -> tuple[Sequence[Product], Product]:
            before = next((each for each in stored if each.product_id == product_id), None)
            _refuse_taken(product, stored)
            if before is not None and product.is_like(before):
                return [], before
            return [product], product

        skus = [variant.sku for variant in product.variants]
        return product_of(await self._store.change(decide, ids=[product_id], skus=skus))

    async def archive(self, product_id: ProductId) -> ProductReply:
        """Take a product off sale. Raises NotFound. Safe to repeat."""
        now_ms = self._clock.now_ms()

        def decide(stored: Sequence[Product]) -> tuple[Sequence[Product], Product]:
            if not stored:
                raise NotFound(f"there is no product {product_id}")
            (before,) = stored
            if before.is_archived:
                return [], before
            archived = before._replace(is_archived=True, updated_at_ms=now_ms)
            return [archived], archived

        return product_of(await self._store.change(decide, ids=[product_id]))

    async def import_lines(self, request: ImportProducts) -> ImportReport:
        """Create or update products from lines of a file; with any fault nothing is written."""
        sheet = read(_line(row) for row in request.rows)
        now_ms = self._clock.now_ms()
        new_ids = {name: ProductId(self._ids.new(PRODUCT)) for name in sheet.groups}

        def decide(stored: Sequence[Product]) -> tuple[Sequence[Product], Plan]:
            made = plan(sheet, stored, new_id=new_ids.__getitem__, now_ms=now_ms)
            return [] if request.is_dry_run else made.products, made

        made = await self._store.change(
            decide,
            skus=[item.variant.sku for group in sheet.groups.values() for item in group.items],
            names=list(sheet.groups),
        )
        return ImportReport(
            created=made.tally.created,
            updated=made.tally.updated,
            unchanged=made.tally.unchanged,
            errors=[
                LineError(line=fault.line, column=fault.column, message=fault.message)
                for fault in made.faults
            ],
        )


def _refusal(found: Unsound) -> EmporionError:
    """What is wrong with a product, as the contract's refusal."""
    match found:
        case DoubledSku(sku, what):
            return DuplicateSku(what, sku=sku)
        case UnsoundPrice(sku, what):
            return BadPrice(what, sku=sku)
        case UnsoundText(field, what):
            return BadText(what, field=field)


def _refuse_taken(product: Product, stored: Sequence[Product]) -> None:
    wanted = {variant.sku for variant in product.variants}
    for other in stored:
        if other.product_id == product.product_id:
            continue
        for variant in other.variants:
            if variant.sku in wanted:
                raise SkuTaken(
                    f"{variant.sku} belongs to the product {other.name!r}",
                    sku=variant.sku,
                    product_id=other.product_id,
                )


def _line(row: ImportRow) -> Line:
    return Line(
        row.line,
        row.sku,
        row.product,
        row.price,
        row.currency,
        row.variant,
        row.description,
        row.category,
    )

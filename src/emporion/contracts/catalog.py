"""Catalog: products, their variants, and the one true price of each."""

from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    BULK_BYTES_MAX,
    Event,
    EventSpec,
    Message,
    Part,
    Reply,
    Request,
    anyone,
    command,
    delete,
    get,
    internal,
    post,
    put,
    query,
    staff,
)
from emporion.contracts.pricing import (
    BadPromotion,
    BasketQuote,
    CodeNotApplicable,
    CodeUsedUp,
    Deliveries,
    ListDeliveries,
    ListPromotions,
    NoDelivery,
    PriceBasket,
    Promotion,
    PromotionOf,
    PromotionPage,
    PromotionsUsed,
    PutDelivery,
    PutPromotion,
    PutTaxes,
    QuoteBasket,
    TaxesOf,
    TaxTable,
    UnknownCode,
    UsePromotions,
)
from emporion.contracts.pricing_why import WhyOfPrices
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.words import Cursor, Instant, Name, PageSize, ProductId, Sku, SkuRef, Text
from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound
from emporion.kernel.money import CurrencyMismatch, Money


class UnknownSku(NotFound):
    """Nothing is sold under these SKUs (field `skus`)."""

    slug = "unknown-sku"
    title = "Nothing is sold under this SKU"


class SkuTaken(FailedPrecondition):
    """The SKU belongs to another product (fields `sku`, `product_id`)."""

    slug = "sku-taken"
    title = "The SKU belongs to another product"


class DuplicateSku(InvalidArgument):
    """Two variants of a product have the same SKU (field `sku`)."""

    slug = "duplicate-sku"
    title = "Two variants have the same SKU"


class BadPrice(InvalidArgument):
    """A price is not above zero, or beyond what can be an honest price (field `sku`)."""

    slug = "bad-price"
    title = "This cannot be a price"


class BadText(InvalidArgument):
    """A name is blank, or a text contains control characters (field `field`)."""

    slug = "bad-text"
    title = "A text is blank or contains control characters"


class Variant(Part, frozen=True, kw_only=True):
    """What is actually sold: a SKU with its price (> 0, minor units)."""

    sku: Sku
    name: Name
    price: Money


class PutProduct(Request, frozen=True, kw_only=True):
    """A whole product; 1..100 variants with distinct SKUs."""

    product_id: ProductId
    name: Name
    description: Text = ""
    category: Annotated[str, Meta(max_length=100)] = ""
    variants: Annotated[list[Variant], Meta(min_length=1, max_length=100)]


class CreateProduct(Request, frozen=True, kw_only=True):
    """A new product; its id is ours to choose."""

    name: Name
    description: Text = ""
    category: Annotated[str, Meta(max_length=100)] = ""
    variants: Annotated[list[Variant], Meta(min_length=1, max_length=100)]


class Product(Reply, frozen=True, kw_only=True):
    """A product with its variants."""

    product_id: ProductId
    name: Name
    description: Text
    category: str
    variants: list[Variant]
    is_archived: bool
    updated_at: Instant


class GetProduct(Request, frozen=True, kw_only=True):
    """Which product."""

    product_id: ProductId


class ListProducts(Request, frozen=True, kw_only=True):
    """Which products: all, or those whose name, SKU or category contains `search`."""

    search: Annotated[str, Meta(max_length=100)] = ""
    category: Annotated[str, Meta(max_length=100)] = ""
    limit: PageSize = 50
    cursor: Cursor = ""


class ProductPage(Reply, frozen=True, kw_only=True):
    """A page of products by name; `next_cursor` is empty on the last one."""

    products: list[Product]
    next_cursor: str


class ImportRow(Part, frozen=True, kw_only=True):
    """One line of a catalogue file. Lines with the same product name are its variants."""

    line: Annotated[
        int, Meta(ge=1, le=1_000_000_000, description="Where it stands in the file; for errors.")
    ]
    sku: str
    product: str
    price: Annotated[str, Meta(description="Decimal, e.g. 2.50", examples=["2.50"])]
    currency: Annotated[str, Meta(description="ISO 4217.", examples=["EUR"])]
    variant: str = ""
    description: str = ""
    category: str = ""


class ImportProducts(Request, frozen=True, kw_only=True):
    """1..1000 lines of a catalogue file. `is_dry_run` checks and writes nothing."""

    rows: Annotated[list[ImportRow], Meta(min_length=1, max_length=1_000)]
    is_dry_run: bool = False


class LineError(Message, frozen=True, kw_only=True):
    """What is wrong with one line."""

    line: int
    column: str
    message: str


class ImportReport(Reply, frozen=True, kw_only=True):
    """What became of the lines: with any error nothing of the request is written."""

    created: int
    updated: int
    unchanged: int
    errors: list[LineError]


class QuotePrices(Request, frozen=True, kw_only=True):
    """Prices of which SKUs, 1..200."""

    skus: Annotated[list[SkuRef], Meta(min_length=1, max_length=200)]


class Quote(Message, frozen=True, kw_only=True):
    """The price of one unit now, and what to call it."""

    sku: Sku
    name: str
    price: Money
    category: str = ""


class Quotes(Reply, frozen=True, kw_only=True):
    """One quote for each SKU asked for, in that order."""

    quotes: list[Quote]


class ProductChanged(Event, frozen=True, kw_only=True):
    """A product was created, changed or archived."""

    SPEC = EventSpec("products.changed", key="product_id")

    product_id: ProductId
    skus: list[Sku]
    is_archived: bool
    changed_at: Instant


_UNFIT = (SkuTaken, DuplicateSku, BadPrice, BadText)
_UNPRICED = (UnknownSku, UnknownCode, CodeNotApplicable, CodeUsedUp, NoDelivery, CurrencyMismatch)


class CatalogService(WhyOfPrices, Protocol):
    """Products, variants, prices, import."""

    NAME: ClassVar[str] = "catalog"
    SUMMARY: ClassVar[str] = "Products, their variants, and the one true price of each."
    MODULES: ClassVar[tuple[str, ...]] = (
        "emporion.contracts.pricing",
        "emporion.contracts.pricing_why",
    )

    @query(
        access=anyone("browsing needs no account"),
        rest=get("/api/products"),
        raises=(UnknownCursor,),
    )
    async def list_products(self, request: ListProducts) -> ProductPage:
        """Products on sale, by name, page by page. Raises UnknownCursor."""

    @query(
        access=anyone("browsing needs no account"),
        rest=get("/api/products/{product_id}"),
        raises=(NotFound,),
    )
    async def get_product(self, request: GetProduct) -> Product:
        """One product, also when archived. Raises NotFound."""

    @command(
        access=staff("catalog:write"),
        rest=post("/api/products", status=201),
        raises=_UNFIT,
    )
    async def create_product(self, request: CreateProduct) -> Product:
        """Create a product. Raises SkuTaken, DuplicateSku, BadPrice or BadText."""

    @command(
        access=staff("catalog:write"),
        key="product_id",
        rest=put("/api/products/{product_id}"),
        raises=_UNFIT,
    )
    async def put_product(self, request: PutProduct) -> Product:
        """Create or replace the product of that id; variants left out are no longer sold.

        Raises SkuTaken, DuplicateSku, BadPrice or BadText.
        """

    @command(
        access=staff("catalog:write"),
        key="product_id",
        rest=delete("/api/products/{product_id}"),
        raises=(NotFound,),
    )
    async def archive_product(self, request: GetProduct) -> Product:
        """Take a product off sale; orders that name it stay readable. Raises NotFound."""

    @command(
        access=staff("catalog:write"),
        rest=post("/api/products/import", body_bytes_max=BULK_BYTES_MAX),
        timeout_s=30.0,
    )
    async def import_products(self, request: ImportProducts) -> ImportReport:
        """Create or update products from lines of a file; all of the request or nothing."""

    @query(access=internal(), raises=(UnknownSku,))
    async def quote(self, request: QuotePrices) -> Quotes:
        """Today's prices. Raises UnknownSku naming every SKU that is not on sale."""

    @query(
        access=anyone("prices are public, and a basket names nobody"),
        rest=post("/api/prices"),
        raises=_UNPRICED,
    )
    async def price_basket(self, request: PriceBasket) -> BasketQuote:
        """What a basket costs, explained line by line: promotions, delivery, taxes.

        Raises UnknownSku, UnknownCode, CodeNotApplicable, CodeUsedUp, NoDelivery, or
        CurrencyMismatch when the prices are in several currencies.
        """

    @query(access=internal(), raises=_UNPRICED)
    async def quote_basket(self, request: QuoteBasket) -> BasketQuote:
        """The same for somebody who is about to order it: limits per person are looked at too.

        Raises UnknownSku, UnknownCode, CodeNotApplicable, CodeUsedUp, NoDelivery or
        CurrencyMismatch.
        """

    @command(access=internal(), key="order_id", raises=(CodeUsedUp,))
    async def use_promotions(self, request: UsePromotions) -> PromotionsUsed:
        """Count an order as a use of its promotions: all of them, or none and CodeUsedUp.

        Safe to repeat; once it was undone, it does nothing any more.
        """

    @command(access=internal(), key="order_id")
    async def free_promotions(self, request: UsePromotions) -> PromotionsUsed:
        """Undo `use_promotions`, also before it arrives: then it will do nothing."""

    @command(
        access=staff("catalog:write"),
        key="promotion_id",
        rest=put("/api/promotions/{promotion_id}"),
        raises=(BadPromotion,),
    )
    async def put_promotion(self, request: PutPromotion) -> Promotion:
        """Create or replace a promotion; its uses so far stay counted. Raises BadPromotion."""

    @command(
        access=staff("catalog:write"),
        key="promotion_id",
        rest=delete("/api/promotions/{promotion_id}"),
        raises=(NotFound,),
    )
    async def archive_promotion(self, request: PromotionOf) -> Promotion:
        """End a promotion. Safe to repeat. Raises NotFound."""

    @query(
        access=staff("catalog:write"),
        rest=get("/api/promotions/{promotion_id}"),
        raises=(NotFound,),
    )
    async def get_promotion(self, request: PromotionOf) -> Promotion:
        """One promotion. Raises NotFound."""

    @query(access=staff("catalog:write"), rest=get("/api/promotions"), raises=(UnknownCursor,))
    async def list_promotions(self, request: ListPromotions) -> PromotionPage:
        """Promotions by id, page by page. Raises UnknownCursor."""

    @command(access=staff("catalog:write"), key="country", rest=put("/api/taxes/{country}"))
    async def put_taxes(self, request: PutTaxes) -> TaxTable:
        """Set the taxes of a country; the whole table as it is then."""

    @query(access=anyone("taxes are public"), rest=get("/api/taxes"))
    async def list_taxes(self, request: TaxesOf) -> TaxTable:
        """The taxes of every country that has any."""

    @command(
        access=staff("catalog:write"), key="delivery_id", rest=put("/api/deliveries/{delivery_id}")
    )
    async def put_delivery(self, request: PutDelivery) -> Deliveries:
        """Set a way of delivery and its price; all of them as they are then."""

    @query(access=anyone("browsing needs no account"), rest=get("/api/deliveries"))
    async def list_deliveries(self, request: ListDeliveries) -> Deliveries:
        """Ways of delivery."""

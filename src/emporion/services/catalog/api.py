"""What the catalog answers: the contract, each method one line to a command or a query."""

from dataclasses import dataclass

from emporion.contracts.catalog import (
    CatalogService,
    CreateProduct,
    GetProduct,
    ImportProducts,
    ImportReport,
    ListProducts,
    Product,
    ProductPage,
    PutProduct,
    QuotePrices,
    Quotes,
)
from emporion.contracts.pricing import (
    BasketQuote,
    Deliveries,
    ListDeliveries,
    ListPromotions,
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
    UsePromotions,
)
from emporion.contracts.pricing_why import (
    ExplainPrices,
    ListPriceOf,
    PricesExplained,
    WhyListPrice,
)
from emporion.services.catalog.commands.products import ProductCommands
from emporion.services.catalog.commands.rules import RuleCommands
from emporion.services.catalog.queries.baskets import BasketQueries
from emporion.services.catalog.queries.products import ProductQueries
from emporion.services.catalog.queries.rules import RuleQueries
from emporion.services.catalog.queries.why import WhyQueries


@dataclass(frozen=True, slots=True)
class Queries:
    """What can be asked of products, rules and prices."""

    products: ProductQueries
    rules: RuleQueries
    baskets: BasketQueries
    why: WhyQueries


class CatalogApi(CatalogService):
    """CatalogService over this service's commands and queries."""

    def __init__(
        self,
        commands: ProductCommands,
        rule_commands: RuleCommands,
        queries: Queries,
    ) -> None:
        self._commands = commands
        self._rule_commands = rule_commands
        self._queries = queries.products
        self._rule_queries = queries.rules
        self._baskets = queries.baskets
        self._why = queries.why

    async def list_products(self, request: ListProducts) -> ProductPage:
        return await self._queries.products(request)

    async def get_product(self, request: GetProduct) -> Product:
        return await self._queries.product(request.product_id)

    async def create_product(self, request: CreateProduct) -> Product:
        return await self._commands.create(request)

    async def put_product(self, request: PutProduct) -> Product:
        return await self._commands.put(request)

    async def archive_product(self, request: GetProduct) -> Product:
        return await self._commands.archive(request.product_id)

    async def import_products(self, request: ImportProducts) -> ImportReport:
        return await self._commands.import_lines(request)

    async def quote(self, request: QuotePrices) -> Quotes:
        return await self._queries.quote(request.skus)

    async def price_basket(self, request: PriceBasket) -> BasketQuote:
        return await self._baskets.quote(request, None)

    async def quote_basket(self, request: QuoteBasket) -> BasketQuote:
        return await self._baskets.quote(request, request.user_id)

    async def why_price(self, request: ListPriceOf) -> WhyListPrice:
        return await self._why.list_price(request.sku)

    async def explain_prices(self, request: ExplainPrices) -> PricesExplained:
        return await self._why.explain(request)

    async def use_promotions(self, request: UsePromotions) -> PromotionsUsed:
        return await self._rule_commands.use(request)

    async def free_promotions(self, request: UsePromotions) -> PromotionsUsed:
        return await self._rule_commands.free(request)

    async def put_promotion(self, request: PutPromotion) -> Promotion:
        return await self._rule_commands.put_promotion(request)

    async def archive_promotion(self, request: PromotionOf) -> Promotion:
        return await self._rule_commands.archive_promotion(request.promotion_id)

    async def get_promotion(self, request: PromotionOf) -> Promotion:
        return await self._rule_queries.promotion(request.promotion_id)

    async def list_promotions(self, request: ListPromotions) -> PromotionPage:
        return await self._rule_queries.promotions(request)

    async def put_taxes(self, request: PutTaxes) -> TaxTable:
        return await self._rule_commands.put_taxes(request)

    async def list_taxes(self, request: TaxesOf) -> TaxTable:
        return await self._rule_queries.taxes()

    async def put_delivery(self, request: PutDelivery) -> Deliveries:
        return await self._rule_commands.put_delivery(request)

    async def list_deliveries(self, request: ListDeliveries) -> Deliveries:
        return await self._rule_queries.deliveries(request.country)

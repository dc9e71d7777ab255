"""What the catalog answers: the contract, each method one line to a command or a query."""

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
from emporion.services.catalog.commands import ProductCommands
from emporion.services.catalog.queries import ProductQueries


class CatalogApi(CatalogService):
    """CatalogService over this service's commands and queries."""

    def __init__(self, commands: ProductCommands, queries: ProductQueries) -> None:
        self._commands = commands
        self._queries = queries

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

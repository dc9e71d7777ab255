"""A shelf: the catalog as built for production, on a real file, in manual time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.database import Database
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.port import Sagas
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.catalog import (
    CatalogService,
    CreateProduct,
    ImportProducts,
    ImportReport,
    ImportRow,
    ListProducts,
    Product,
    QuotePrices,
    Variant,
)
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.services.catalog.service import build


class Shelf:
    """Short words for tests around the built service."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self.database = database
        self.runtime = runtime
        self.clock = cast("ManualClock", runtime.clock)
        needs = Needs(runtime, database, cast("Clients", None), cast("Sagas", None))
        self.assembly = build(needs)
        self.api = cast("CatalogService", self.assembly.implementation)

    def variants(self, *prices: tuple[str, int]) -> list[Variant]:
        return [
            Variant(sku=Sku(sku), name=sku.title(), price=Money(amount_minor, "EUR"))
            for sku, amount_minor in prices
        ]

    async def put(self, name: str, *prices: tuple[str, int], category: str = "") -> Product:
        request = CreateProduct(name=name, category=category, variants=self.variants(*prices))
        return await self.api.create_product(request)

    async def load(self, text: str, *, is_dry_run: bool = False) -> ImportReport:
        """Import a table: its first row names the columns."""
        header, *rows = [
            [cell.strip() for cell in row.split("|")] for row in text.strip().splitlines()
        ]
        lines = [
            ImportRow(line=number, **dict(zip(header, row, strict=True)))
            for number, row in enumerate(rows, start=2)
        ]
        return await self.api.import_products(ImportProducts(rows=lines, is_dry_run=is_dry_run))

    async def names(self, search: str = "", category: str = "") -> list[str]:
        page = await self.api.list_products(ListProducts(search=search, category=category))
        return [product.name for product in page.products]

    async def price(self, sku: str) -> str:
        quotes = await self.api.quote(QuotePrices(skus=[Sku(sku)]))
        return str(quotes.quotes[0].price)

    async def announced(self) -> list[dict[str, Any]]:
        """The data of every products.changed, in the order of publishing."""

        async def work(tx):
            return await tx.fetch("SELECT payload FROM outbox ORDER BY position")

        payloads = await self.database.read(work)
        return [msgspec.json.decode(payload)["data"] for (payload,) in payloads]


@pytest.fixture
async def shelf(engine: Engine, tmp_path: Path) -> AsyncIterator[Shelf]:
    """An empty catalog."""
    runtime = manual_runtime()
    async with sql_database(
        engine, tmp_path, [migrations_of("catalog", engine)], source="catalog", runtime=runtime
    ) as database:
        yield Shelf(database, runtime)

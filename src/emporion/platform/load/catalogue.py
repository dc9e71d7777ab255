"""What the shop sells, and creating what a till file needs and the shop lacks."""

from collections.abc import Mapping
from dataclasses import dataclass

from emporion.contracts.catalog import CatalogService, ImportProducts, ImportRow, ListProducts
from emporion.contracts.inventory import (
    AllWarehouses,
    InventoryService,
    MoveManyStock,
    MoveStock,
    PutWarehouse,
)
from emporion.kernel.errors import FailedPrecondition
from emporion.kernel.ids import Sku, WarehouseId
from emporion.kernel.money import MINOR_DIGITS
from emporion.platform.client.rest import RestClients
from emporion.platform.load.baskets_file import TillFile, price_minor
from emporion.platform.load.options import RunId

VARIANTS_MAX = 20_000
"""More of a catalogue is not looked at."""
CHUNK = 1_000
WAREHOUSE = "main"
CURRENCY = "EUR"
PLENTY = 1_000_000
"""Units of each SKU that are received when a run of random baskets shall not run out."""


class ImportRefused(FailedPrecondition):
    """The shop found mistakes in the products that were to be created."""

    slug = "import-refused"
    title = "The shop does not accept the products"


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one unit, in minor units."""

    amount_minor: int
    currency: str


async def prices_of(clients: RestClients) -> dict[str, Price]:
    """The price of every SKU on sale, at most VARIANTS_MAX of them."""
    prices: dict[str, Price] = {}
    cursor = ""
    while len(prices) < VARIANTS_MAX:
        request = ListProducts(limit=200, cursor=cursor)
        page = await clients.get(CatalogService).list_products(request)
        for product in page.products:
            for variant in product.variants:
                price = variant.price
                prices[variant.sku] = Price(price.amount_minor, price.currency)
        cursor = page.next_cursor
        if not cursor:
            break
    return prices


def in_one_currency(prices: Mapping[str, Price]) -> list[str]:
    """The SKUs priced in the currency that most are priced in: an order has one currency."""
    currencies = [price.currency for price in prices.values()]
    if not currencies:
        return []
    common = max(sorted(set(currencies)), key=currencies.count)
    return [sku for sku, price in prices.items() if price.currency == common]


async def create_missing(clients: RestClients, till: TillFile, prices: Mapping[str, Price]) -> int:
    """Create the products of the till file that are not on sale; how many those were.

    Raises ImportRefused.
    """
    rows = [
        ImportRow(line=number, sku=sku, product=name, price=_decimal(name), currency=CURRENCY)
        for number, (sku, name) in enumerate(sorted(till.names.items()), 1)
        if sku not in prices
    ]
    for start in range(0, len(rows), CHUNK):
        chunk = ImportProducts(rows=rows[start : start + CHUNK])
        report = await clients.get(CatalogService).import_products(chunk)
        if report.errors:
            first = report.errors[0]
            raise ImportRefused(f"{rows[first.line - 1].product}: {first.column} {first.message}")
    return len(rows)


async def receive_stock(clients: RestClients, units: Mapping[str, int], run_id: RunId) -> int:
    """Receive so many units of each SKU, once per run; the number of units.

    The warehouse is created when it is missing.
    """
    inventory = clients.get(InventoryService)
    known = await inventory.list_warehouses(AllWarehouses())
    if WAREHOUSE not in {warehouse.warehouse_id for warehouse in known.warehouses}:
        warehouse = PutWarehouse(warehouse_id=WarehouseId(WAREHOUSE), name="Main warehouse")
        await inventory.put_warehouse(warehouse)
    movements = [
        MoveStock(
            movement_key=f"load-{run_id}-{sku}",
            sku=Sku(sku),
            warehouse_id=WarehouseId(WAREHOUSE),
            quantity=needed,
            note=f"for run {run_id}",
        )
        for sku, needed in sorted(units.items())
    ]
    for start in range(0, len(movements), CHUNK):
        await inventory.move_many_stock(MoveManyStock(movements=movements[start : start + CHUNK]))
    return sum(units.values())


def _decimal(name: str) -> str:
    whole, part = divmod(price_minor(name), 10 ** MINOR_DIGITS[CURRENCY])
    return f"{whole}.{part:02d}"

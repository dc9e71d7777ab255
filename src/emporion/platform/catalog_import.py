"""Importing a catalogue file into a shop: all of it is checked before any of it is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emporion.chassis.calls.clients import Clients
from emporion.contracts.catalog import CatalogService, ImportProducts, ImportRow
from emporion.contracts.inventory import (
    AllWarehouses,
    InventoryService,
    MoveManyStock,
    PutWarehouse,
)
from emporion.kernel.ids import WarehouseId
from emporion.platform.catalog_file import CatalogFile
from emporion.platform.table_file import BadFile, Mistake

MOVEMENTS_MAX = 1_000
Watcher = Callable[[str, int, int], None]
"""Told what is going on, how many lines are through it, and out of how many."""


@dataclass(slots=True)
class ImportSummary:
    """What an import did, or in a dry run would do with the products."""

    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    warehouses_created: int = 0
    receipts: int = 0
    units: int = 0
    is_dry_run: bool = False


async def import_catalog(
    clients: Clients,
    catalog: CatalogFile,
    *,
    is_dry_run: bool = False,
    watch: Watcher = lambda _name, _done, _total: None,
) -> ImportSummary:
    """Check every line with the shop, then write warehouses, stock and products.

    Products come last: nothing is on sale before its stock is there, also when this is cut off.
    Raises BadFile with the lines the shop refuses; then nothing is written. Safe to repeat:
    products become what the file says, and each line's stock is received once per content.
    """
    chunks = list(catalog.chunks())
    summary = ImportSummary(lines=sum(map(len, chunks)), is_dry_run=is_dry_run)
    checked = ImportSummary() if not is_dry_run else summary
    await _send(clients, catalog, checked, is_dry_run=True, watch=watch)
    if is_dry_run:
        return summary
    summary.warehouses_created = await _create_warehouses(clients, catalog.warehouses)
    receipts = catalog.receipts
    for start in range(0, len(receipts), MOVEMENTS_MAX):
        movements = list(receipts[start : start + MOVEMENTS_MAX])
        await clients.get(InventoryService).move_many_stock(MoveManyStock(movements=movements))
        summary.receipts += len(movements)
        summary.units += sum(movement.quantity for movement in movements)
        watch("receiving stock", summary.receipts, len(receipts))
    await _send(clients, catalog, summary, is_dry_run=False, watch=watch)
    return summary


async def _send(
    clients: Clients,
    catalog: CatalogFile,
    summary: ImportSummary,
    *,
    is_dry_run: bool,
    watch: Watcher,
) -> None:
    chunks: Sequence[list[ImportRow]] = list(catalog.chunks())
    total, done = sum(map(len, chunks)), 0
    mistakes: list[Mistake] = []
    for chunk in chunks:
        request = ImportProducts(rows=chunk, is_dry_run=is_dry_run)
        report = await clients.get(CatalogService).import_products(request)
        mistakes += [Mistake(e.line, e.column, e.message) for e in report.errors]
        summary.created += report.created
        summary.updated += report.updated
        summary.unchanged += report.unchanged
        done += len(chunk)
        watch("checking" if is_dry_run else "writing products", done, total)
        if mistakes and not is_dry_run:
            break
    if mistakes:
        raise BadFile(catalog.file, mistakes)


async def _create_warehouses(clients: Clients, wanted: Sequence[str]) -> int:
    inventory = clients.get(InventoryService)
    known = await inventory.list_warehouses(AllWarehouses())
    missing = [
        name for name in wanted if name not in {place.warehouse_id for place in known.warehouses}
    ]
    for name in missing:
        title = f"{name.replace('-', ' ').capitalize()} warehouse"
        await inventory.put_warehouse(PutWarehouse(warehouse_id=WarehouseId(name), name=title))
    return len(missing)

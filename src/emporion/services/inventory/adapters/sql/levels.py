"""The reserved units of the levels: taken and given back by conditional updates."""

from collections.abc import Iterable, Mapping

from emporion.chassis.data.database import Tx
from emporion.kernel.errors import Internal
from emporion.kernel.ids import Sku, WarehouseId
from emporion.services.inventory.domain import Allocation, Shelf, Shortage, allocate

# The guard stands in the statement that takes: nothing is read before and trusted afterwards.
_TAKE = """
UPDATE level SET reserved = reserved + ?
WHERE sku = ? AND warehouse_id = ? AND on_hand - reserved >= ?"""
_TAKE_WHERE_ALONE = """
UPDATE level SET reserved = reserved + ?
WHERE sku = ? AND warehouse_id = ? AND on_hand - reserved >= ? AND NOT EXISTS (
SELECT 1 FROM level o WHERE o.sku = level.sku AND o.warehouse_id <> level.warehouse_id
AND o.on_hand > o.reserved)"""
_GIVE_BACK = "UPDATE level SET reserved = reserved - ? WHERE sku = ? AND warehouse_id = ?"
_TAKE_AWAY = """
UPDATE level SET on_hand = on_hand - ?, reserved = reserved - ?
WHERE sku = ? AND warehouse_id = ? AND reserved >= ?"""
_SHELVES = """
SELECT warehouse_id,
    (SELECT priority FROM warehouse WHERE warehouse.warehouse_id = level.warehouse_id),
    on_hand - reserved
FROM level WHERE sku = ? AND on_hand > reserved ORDER BY warehouse_id /* for update */"""


async def take_from_usual(
    tx: Tx, wanted: Mapping[Sku, int], *, usual: WarehouseId
) -> list[Allocation]:
    """Take each SKU whole from one warehouse: one statement a SKU, the common case.

    Stops at the first SKU that does not lie there in that number, or lies elsewhere too, so that
    priorities have to decide. Returns what was taken.
    """
    taken: list[Allocation] = []
    for sku, quantity in wanted.items():
        if not await tx.execute(_TAKE_WHERE_ALONE, quantity, sku, usual, quantity):
            break
        taken.append(Allocation(sku, usual, quantity))
    return taken


async def take(tx: Tx, wanted: Mapping[Sku, int]) -> tuple[list[Allocation], list[Shortage]]:
    """Take the units from as many warehouses as it needs, all or nothing, by priority."""
    shelves = {
        sku: [
            Shelf(WarehouseId(warehouse_id), priority, available)
            for warehouse_id, priority, available in await tx.fetch(_SHELVES, sku)
        ]
        for sku in wanted
    }
    allocations, shortages = allocate(wanted, shelves)
    for sku, warehouse_id, quantity, _ in allocations:
        if not await tx.execute(_TAKE, quantity, sku, warehouse_id, quantity):
            raise Internal(f"the locked stock of {sku} changed while it was being allocated")
    return allocations, shortages


async def give_back(tx: Tx, allocations: Iterable[Allocation]) -> None:
    """Return what has not left to its shelves.

    Raises Internal when a level is missing: books are broken.
    """
    for sku, warehouse_id, quantity, departed in allocations:
        back = quantity - departed
        if back and not await tx.execute(_GIVE_BACK, back, sku, warehouse_id):
            raise Internal(f"no level of {sku} in {warehouse_id} to give {back} back to")


async def take_away(tx: Tx, warehouse_id: WarehouseId, leaving: Mapping[Sku, int]) -> None:
    """Reserved units leave the warehouse. Raises Internal when books are broken."""
    for sku, quantity in leaving.items():
        if not await tx.execute(_TAKE_AWAY, quantity, quantity, sku, warehouse_id, quantity):
            raise Internal(f"fewer than {quantity} of {sku} are reserved in {warehouse_id}")

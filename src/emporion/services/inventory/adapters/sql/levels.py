"""The reserved units of the levels: taken and given back by conditional updates."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

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
SELECT sku, warehouse_id,
    (SELECT priority FROM warehouse WHERE warehouse.warehouse_id = level.warehouse_id),
    on_hand - reserved
FROM level WHERE sku IN (SELECT value FROM json_each(?)) AND on_hand > reserved
ORDER BY sku, warehouse_id /* for update */"""

SCATTERED_MAX = 10_000


class Usual:
    """The warehouse that stock was last taken from: tried first, which saves reading the levels."""

    def __init__(self) -> None:
        self.warehouse_id = WarehouseId("")
        self._scattered: set[Sku] = set()

    def has(self, wanted: Mapping[Sku, int]) -> bool:
        """Whether it is worth a try: nothing of it was found scattered before."""
        return self._scattered.isdisjoint(wanted)

    async def take(self, tx: Tx, wanted: Mapping[Sku, int]) -> list[Allocation]:
        """Take each SKU whole from here; what was taken.

        Leaves out, and remembers, a SKU that does not lie here in that number, or lies elsewhere
        too, so that priorities have to decide.
        """
        here = self.warehouse_id
        rows = [(quantity, sku, here, quantity) for sku, quantity in wanted.items()]
        changed = await tx.execute_each(_TAKE_WHERE_ALONE, rows)
        if not all(changed):
            if len(self._scattered) > SCATTERED_MAX:
                self._scattered.clear()
            self._scattered.update(row[1] for row, n in zip(rows, changed, strict=True) if not n)
        return [
            Allocation(sku, here, quantity)
            for (quantity, sku, *_), n in zip(rows, changed, strict=True)
            if n
        ]


async def take(tx: Tx, wanted: Mapping[Sku, int]) -> tuple[list[Allocation], list[Shortage]]:
    """Take the units from as many warehouses as it needs, all or nothing, by priority."""
    ((allocations, shortages),) = await take_for_each(tx, [wanted])
    return allocations, shortages


async def take_for_each(
    tx: Tx, wishes: Sequence[Mapping[Sku, int]]
) -> list[tuple[list[Allocation], list[Shortage]]]:
    """Take for one wish after the other what those before it left, with one update of a level."""
    shelves = await _shelves(tx, sorted({sku for wanted in wishes for sku in wanted}))
    answers = []
    total: dict[tuple[Sku, WarehouseId], int] = {}
    for wanted in wishes:
        answer = allocate(wanted, shelves)
        answers.append(answer)
        for sku, warehouse_id, quantity, _ in answer[0]:
            total[sku, warehouse_id] = total.get((sku, warehouse_id), 0) + quantity
            shelves[sku] = [_less(each, warehouse_id, quantity) for each in shelves[sku]]
    rows = [(n, sku, warehouse_id, n) for (sku, warehouse_id), n in sorted(total.items())]
    if not all(await tx.execute_each(_TAKE, rows)):
        raise Internal("locked stock changed while it was being allocated")
    return answers


async def _shelves(tx: Tx, skus: Sequence[Sku]) -> dict[Sku, list[Shelf]]:
    shelves: dict[Sku, list[Shelf]] = {}
    for sku, *shelf in await tx.fetch(_SHELVES, msgspec.json.encode(skus).decode()):
        shelves.setdefault(sku, []).append(Shelf(*shelf))
    return shelves


def _less(shelf: Shelf, warehouse_id: WarehouseId, quantity: int) -> Shelf:
    if shelf.warehouse_id != warehouse_id:
        return shelf
    return Shelf(warehouse_id, shelf.priority, shelf.available - quantity)


async def give_back(tx: Tx, allocations: Iterable[Allocation]) -> None:
    """Return what has not left to its shelves.

    Raises Internal when a level is missing: books are broken.
    """
    rows = [
        (quantity - departed, sku, warehouse_id)
        for sku, warehouse_id, quantity, departed in allocations
        if quantity > departed
    ]
    if not all(await tx.execute_each(_GIVE_BACK, rows)):
        raise Internal(f"a level is missing among {rows}: units cannot be given back")


async def take_away(tx: Tx, warehouse_id: WarehouseId, leaving: Mapping[Sku, int]) -> None:
    """Reserved units leave the warehouse. Raises Internal when books are broken."""
    for sku, quantity in leaving.items():
        if not await tx.execute(_TAKE_AWAY, quantity, quantity, sku, warehouse_id, quantity):
            raise Internal(f"fewer than {quantity} of {sku} are reserved in {warehouse_id}")

"""Levels as documents, one for each SKU and warehouse: taken from and given back to by guards.

`free` is `on_hand - reserved`, written in the same update as they are. It is stored so that the
guard is a plain comparison, which an index serves and every engine of this protocol has.
"""

from collections.abc import Iterable, Mapping

from emporion.chassis.data.documents import DocumentTx, Update
from emporion.kernel.ids import Sku, WarehouseId
from emporion.services.inventory.domain import Allocation, Shelf

LEVEL = "level"


def level_id(sku: str, warehouse_id: str) -> str:
    """The key of a level. No SKU contains a slash."""
    return f"{sku}/{warehouse_id}"


async def shelves(tx: DocumentTx, skus: Iterable[Sku]) -> dict[Sku, list[Shelf]]:
    """What is free of the SKUs, by warehouse with its priority; one round trip."""
    found = await tx.aggregate(
        LEVEL,
        [
            {"$match": {"sku": {"$in": list(skus)}, "free": {"$gt": 0}}},
            {
                "$lookup": {
                    "from": "warehouse",
                    "localField": "warehouse_id",
                    "foreignField": "_id",
                    "as": "warehouse",
                }
            },
        ],
    )
    by_sku: dict[Sku, list[Shelf]] = {}
    for level in found:
        place = WarehouseId(level["warehouse_id"])
        shelf = Shelf(place, level["warehouse"][0]["priority"], level["free"])
        by_sku.setdefault(Sku(level["sku"]), []).append(shelf)
    return by_sku


def taking(allocations: Iterable[Allocation]) -> list[Update]:
    """Reserve the units, each where that many are free."""
    return [
        Update(
            LEVEL,
            {"_id": level_id(sku, warehouse_id), "free": {"$gte": quantity}},
            {"$inc": {"reserved": quantity, "free": -quantity}},
        )
        for sku, warehouse_id, quantity, _ in allocations
    ]


def giving_back(allocations: Iterable[Allocation]) -> list[Update]:
    """Return what has not left to its shelves, each where that many are reserved."""
    return [
        Update(
            LEVEL,
            {"_id": level_id(each.sku, each.warehouse_id), "reserved": {"$gte": each.reserved}},
            {"$inc": {"reserved": -each.reserved, "free": each.reserved}},
        )
        for each in allocations
        if each.reserved
    ]


def taking_away(warehouse_id: WarehouseId, leaving: Mapping[Sku, int]) -> list[Update]:
    """Reserved units leave the warehouse, each where that many are reserved."""
    return [
        Update(
            LEVEL,
            {"_id": level_id(sku, warehouse_id), "reserved": {"$gte": quantity}},
            {"$inc": {"reserved": -quantity, "on_hand": -quantity}},
        )
        for sku, quantity in leaving.items()
    ]

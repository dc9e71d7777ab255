"""The stock's books as documents, as an auditor reads them: one pipeline a question.

Each pipeline sees one instant where reads are of a snapshot: MongoDB, not DocumentDB, where a
running shop must rest meanwhile. It needs `$unionWith` (MongoDB 4.4).
"""

from collections.abc import Sequence

from emporion.chassis.data.database import Database
from emporion.chassis.data.documents import Document, Find, documents
from emporion.kernel.ids import OrderId
from emporion.services.inventory.adapters.mongo.levels import LEVEL
from emporion.services.inventory.adapters.mongo.movements import MOVEMENT
from emporion.services.inventory.adapters.mongo.records import HOLD
from emporion.services.inventory.domain import OPEN, Status
from emporion.services.inventory.ports import Imbalance, Moved, OpenHold

_OPEN = [status.value for status in OPEN]
_MOVED: Sequence[Document] = [
    {"$project": {"sku": 1, "warehouse_id": 1, "figure": "$quantity"}},
]
_HELD: Sequence[Document] = [
    {"$match": {"status": {"$in": _OPEN}}},
    {"$unwind": "$allocations"},
    {
        "$project": {
            "sku": "$allocations.sku",
            "warehouse_id": "$allocations.warehouse_id",
            "figure": {
                "$subtract": [
                    "$allocations.quantity",
                    {"$ifNull": ["$allocations.departed", 0]},
                ]
            },
        }
    },
]


class MongoBooks:
    """Books (the port) over a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)

    async def unexplained(self, limit: int) -> list[Imbalance]:
        return await self._unequal("on_hand", MOVEMENT, _MOVED, limit=limit)

    async def unheld(self, limit: int) -> list[Imbalance]:
        return await self._unequal("reserved", HOLD, _HELD, limit=limit)

    async def impossible(self, limit: int) -> list[Imbalance]:
        stages: list[Document] = [
            {
                "$addFields": {
                    "difference": {"$subtract": [{"$add": ["$free", "$reserved"]}, "$on_hand"]}
                }
            },
            {
                "$match": {
                    "$or": [
                        {"on_hand": {"$lt": 0}},
                        {"reserved": {"$lt": 0}},
                        {"free": {"$lt": 0}},
                        {"difference": {"$ne": 0}},
                    ]
                }
            },
            {"$limit": limit},
        ]
        found = await self._database.read(lambda tx: tx.aggregate(LEVEL, stages))
        return [
            Imbalance(each["sku"], each["warehouse_id"], each["on_hand"], each["reserved"])
            for each in found
        ]

    async def open_holds(self, *, after: str, limit: int) -> list[OpenHold]:
        chosen = {"_id": {"$gt": after}, "status": {"$in": _OPEN}}
        found = await self._database.read(
            lambda tx: tx.find(Find(HOLD, chosen, [("_id", 1)], limit))
        )
        return [OpenHold(OrderId(each["_id"]), Status(each["status"])) for each in found]

    async def moved(self, *, after: str, below: str, limit: int) -> list[Moved]:
        chosen = {"_id": {"$gt": after, "$lt": below}}
        found = await self._database.read(
            lambda tx: tx.find(Find(MOVEMENT, chosen, [("_id", 1)], limit))
        )
        return [Moved(each["_id"], each["note"], each["quantity"]) for each in found]

    async def _unequal(
        self, told: str, collection: str, figures: Sequence[Document], *, limit: int
    ) -> list[Imbalance]:
        """Levels whose field `told` is not the sum of those figures, and figures of no level."""
        stages: list[Document] = [
            {"$project": {"sku": 1, "warehouse_id": 1, "told": f"${told}"}},
            {"$unionWith": {"coll": collection, "pipeline": list(figures)}},
            {
                "$group": {
                    "_id": {"sku": "$sku", "warehouse_id": "$warehouse_id"},
                    "told": {"$sum": "$told"},
                    "summed": {"$sum": "$figure"},
                }
            },
            {"$addFields": {"difference": {"$subtract": ["$told", "$summed"]}}},
            {"$match": {"difference": {"$ne": 0}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ]
        found = await self._database.read(lambda tx: tx.aggregate(LEVEL, stages))
        return [
            Imbalance(each["_id"]["sku"], each["_id"]["warehouse_id"], each["told"], each["summed"])
            for each in found
        ]

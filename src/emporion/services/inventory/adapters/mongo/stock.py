"""Warehouses, levels and movements as documents."""

from collections.abc import Sequence

from emporion.chassis.data.database import Database
from emporion.chassis.data.documents import (
    Change,
    Document,
    DocumentTx,
    Find,
    Insert,
    Update,
    documents,
)
from emporion.contracts.inventory import Movement, MoveStock, PutWarehouse, Warehouse
from emporion.contracts.inventory_levels import Level
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import Sku, WarehouseId
from emporion.services.inventory.adapters.mongo.levels import LEVEL, level_id
from emporion.services.inventory.adapters.mongo.movements import (
    COUNTER,
    MOVEMENT,
    count,
    movement_from,
    movement_record,
)
from emporion.services.inventory.adapters.mongo.plans import carry_out, settled
from emporion.services.inventory.adapters.refusals import (
    impossible_movement,
    same_movement,
    too_many_warehouses,
)
from emporion.services.inventory.domain import ON_HAND_MAX, WAREHOUSES_MAX

WAREHOUSE = "warehouse"


class MongoStockStore:
    """StockStore (the port) over a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)

    async def put_warehouse(self, warehouse: PutWarehouse) -> Warehouse:
        id_ = warehouse.warehouse_id
        columns = {"name": warehouse.name, "priority": warehouse.priority}

        async def plan() -> None:
            if await self._read(Find(WAREHOUSE, {"_id": id_}, limit=1)):
                changes: list[Change] = [Update(WAREHOUSE, {"_id": id_}, {"$set": columns})]
            else:
                (counted,) = await self._read(Find(COUNTER, {"_id": WAREHOUSE}))
                if counted["value"] >= WAREHOUSES_MAX:
                    raise too_many_warehouses()
                changes = [Insert(WAREHOUSE, {"_id": id_, **columns}), count(WAREHOUSE, counted)]
            await carry_out(self._database, changes, keys=(WAREHOUSE,))

        await settled(plan)
        return Warehouse(warehouse_id=id_, name=warehouse.name, priority=warehouse.priority)

    async def warehouses(self) -> list[Warehouse]:
        found = await self._read(Find(WAREHOUSE, sort=[("priority", 1), ("_id", 1)]))
        return [
            Warehouse(
                warehouse_id=WarehouseId(each["_id"]), name=each["name"], priority=each["priority"]
            )
            for each in found
        ]

    async def move(self, moves: Sequence[MoveStock], *, now_ms: int) -> list[Movement]:
        async def plan() -> list[Movement]:
            books = await self._database.read(lambda tx: _Books.read(tx, moves))
            done = [books.move(move, now_ms) for move in moves]
            if books.added:
                keys = {MOVEMENT, *(move.sku for move in moves)}
                await carry_out(self._database, books.changes(), keys=keys)
            return done

        return await settled(plan)

    async def movements(
        self, *, sku: Sku | None, warehouse_id: WarehouseId | None, before: int, limit: int
    ) -> list[tuple[int, Movement]]:
        chosen = _chosen(sku, warehouse_id)
        if before:
            chosen["seq"] = {"$lt": before}
        found = await self._read(Find(MOVEMENT, chosen, [("seq", -1)], limit))
        return [(each["seq"], movement_from(each)) for each in found]

    async def on_hand_at(
        self, sku: Sku, warehouse_id: WarehouseId, instant_ms: int
    ) -> tuple[int, int, int | None]:
        is_past = {"$lte": ["$moved_at_ms", instant_ms]}
        stages: list[Document] = [
            {"$match": {"sku": sku, "warehouse_id": warehouse_id}},
            {
                "$group": {
                    "_id": None,
                    "on_hand": {"$sum": {"$cond": [is_past, "$quantity", 0]}},
                    "count": {"$sum": {"$cond": [is_past, 1, 0]}},
                    "first_ms": {"$min": "$moved_at_ms"},
                }
            },
        ]
        found = await self._database.read(lambda tx: tx.aggregate(MOVEMENT, stages))
        if not found:
            return 0, 0, None
        return found[0]["on_hand"], found[0]["count"], found[0]["first_ms"]

    async def levels(
        self,
        *,
        sku: Sku | None,
        warehouse_id: WarehouseId | None,
        after: tuple[str, str],
        limit: int,
    ) -> list[Level]:
        last_sku, last_warehouse = after
        rest = [
            {"sku": {"$gt": last_sku}},
            {"sku": last_sku, "warehouse_id": {"$gt": last_warehouse}},
        ]
        chosen = {"$and": [_chosen(sku, warehouse_id), {"$or": rest}]}
        found = await self._read(Find(LEVEL, chosen, [("sku", 1), ("warehouse_id", 1)], limit))
        return [_level(each) for each in found]

    async def available(self, sku: Sku) -> int:
        return sum(level["free"] for level in await self._read(Find(LEVEL, {"sku": sku})))

    async def _read(self, what: Find) -> list[Document]:
        return await self._database.read(lambda tx: tx.find(what))


class _Shelf:
    """A level while movements are tried on it: how low and how high it went on the way."""

    def __init__(self, sku: str, warehouse_id: str, found: Document | None) -> None:
        self.sku = sku
        self.warehouse_id = warehouse_id
        self.is_new = found is None
        self.reserved: int = found["reserved"] if found else 0
        self.on_hand: int = found["on_hand"] if found else 0
        self.moved = self.lowest = self.highest = 0

    def move(self, quantity: int) -> bool:
        """Whether the movement is possible; then it is made."""
        if quantity > 0:
            is_possible = self.on_hand + quantity <= ON_HAND_MAX
        else:
            is_possible = self.on_hand - self.reserved + quantity >= 0
        if is_possible:
            self.on_hand += quantity
            self.moved += quantity
            self.lowest = min(self.lowest, self.moved)
            self.highest = max(self.highest, self.moved)
        return is_possible

    def change(self) -> Change:
        """Everything at once, where as much lies there as the movements need on their way."""
        id_ = level_id(self.sku, self.warehouse_id)
        if self.is_new:
            place = {"_id": id_, "sku": self.sku, "warehouse_id": self.warehouse_id}
            return Insert(
                LEVEL, {**place, "on_hand": self.moved, "reserved": 0, "free": self.moved}
            )
        guard = {
            "_id": id_,
            "free": {"$gte": -self.lowest},
            "on_hand": {"$lte": ON_HAND_MAX - self.highest},
        }
        return Update(LEVEL, guard, {"$inc": {"on_hand": self.moved, "free": self.moved}})


class _Books:
    """What movements are tried on before anything is written."""

    def __init__(
        self, levels: Sequence[Document], stored: Sequence[Document], counted: Document
    ) -> None:
        self.added: list[dict[str, object]] = []
        self._levels = {level["_id"]: level for level in levels}
        self._shelves: dict[str, _Shelf] = {}
        self._stored = {each["_id"]: movement_from(each) for each in stored}
        self._counted = counted

    @classmethod
    async def read(cls, tx: DocumentTx, moves: Sequence[MoveStock]) -> "_Books":
        """What stands there now. Raises NotFound for an unknown warehouse."""
        places = list(dict.fromkeys(move.warehouse_id for move in moves))
        known = {each["_id"] for each in await tx.find(Find(WAREHOUSE, {"_id": {"$in": places}}))}
        for warehouse_id in places:
            if warehouse_id not in known:
                raise NotFound(f"there is no warehouse {warehouse_id!r}")
        ids = list({level_id(move.sku, move.warehouse_id) for move in moves})
        keys = list({move.movement_key for move in moves})
        return cls(
            await tx.find(Find(LEVEL, {"_id": {"$in": ids}})),
            await tx.find(Find(MOVEMENT, {"_id": {"$in": keys}})),
            (await tx.find(Find(COUNTER, {"_id": MOVEMENT})))[0],
        )

    def move(self, move: MoveStock, now_ms: int) -> Movement:
        """Try a movement. Raises KeyReused, FailedPrecondition."""
        stored = self._stored.get(move.movement_key)
        if stored is not None:
            return same_movement(stored, move)
        id_ = level_id(move.sku, move.warehouse_id)
        shelf = self._shelves.get(id_)
        if shelf is None:
            shelf = _Shelf(move.sku, move.warehouse_id, self._levels.get(id_))
        if not shelf.move(move.quantity):
            raise impossible_movement(move, on_hand=shelf.on_hand, reserved=shelf.reserved)
        self._shelves[id_] = shelf
        seq = self._counted["value"] + len(self.added) + 1
        added = movement_record(move, seq=seq, now_ms=now_ms)
        self.added.append(added)
        moved = self._stored[move.movement_key] = movement_from(added)
        return moved

    def changes(self) -> list[Change]:
        """All of it, each change guarded by what was read."""
        return [
            count(MOVEMENT, self._counted, len(self.added)),
            *(shelf.change() for shelf in self._shelves.values()),
            *(Insert(MOVEMENT, added) for added in self.added),
        ]


def _chosen(sku: Sku | None, warehouse_id: WarehouseId | None) -> dict[str, object]:
    named = {"sku": sku, "warehouse_id": warehouse_id}
    return {field: value for field, value in named.items() if value is not None}


def _level(found: Document) -> Level:
    return Level(
        sku=found["sku"],
        warehouse_id=found["warehouse_id"],
        on_hand=found["on_hand"],
        reserved=found["reserved"],
        available=found["free"],
    )

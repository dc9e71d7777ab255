"""Warehouses, levels and movements in SQL."""

from collections.abc import Sequence

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.contracts.inventory import (
    Movement,
    MovementReason,
    MoveStock,
    PutWarehouse,
    Warehouse,
)
from emporion.contracts.inventory_levels import Level
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import FailedPrecondition, Internal, NotFound
from emporion.kernel.ids import Sku, WarehouseId
from emporion.services.inventory.adapters.refusals import (
    impossible_movement,
    same_movement,
    too_many_warehouses,
)
from emporion.services.inventory.adapters.trail import who
from emporion.services.inventory.domain import ON_HAND_MAX, WAREHOUSES_MAX

_PUT_WAREHOUSE = """
INSERT INTO warehouse (warehouse_id, name, priority) VALUES (?, ?, ?)
ON CONFLICT (warehouse_id) DO UPDATE SET name = excluded.name, priority = excluded.priority"""
_OTHER_WAREHOUSES = "SELECT COUNT(*) FROM warehouse WHERE warehouse_id <> ?"
_HAS_WAREHOUSE = "SELECT 1 FROM warehouse WHERE warehouse_id = ?"
_WAREHOUSES = "SELECT warehouse_id, name, priority FROM warehouse ORDER BY priority, warehouse_id"
_ADD_MOVEMENT = """
INSERT INTO movement
(movement_key, sku, warehouse_id, quantity, reason, note, moved_at_ms, actor, cause, trace_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (movement_key) DO NOTHING"""
_MOVEMENT = """
SELECT movement_key, sku, warehouse_id, quantity, reason, note, moved_at_ms, actor, cause, trace_id
FROM movement WHERE movement_key = ?"""
_ON_HAND_AT = """
SELECT CAST(coalesce(sum(CASE WHEN moved_at_ms <= ?3 THEN quantity ELSE 0 END), 0) AS BIGINT),
    count(CASE WHEN moved_at_ms <= ?3 THEN 1 END), min(moved_at_ms)
FROM movement WHERE sku = ?1 AND warehouse_id = ?2"""
_MOVEMENTS = """
SELECT seq, movement_key, sku, warehouse_id, quantity, reason, note, moved_at_ms,
    actor, cause, trace_id FROM movement
WHERE seq < ?"""
_ADD = """
INSERT INTO level (sku, warehouse_id, on_hand, reserved) VALUES (?, ?, ?, 0)
ON CONFLICT (sku, warehouse_id) DO UPDATE SET on_hand = level.on_hand + excluded.on_hand
WHERE level.on_hand + excluded.on_hand <= ?"""
_SUBTRACT = """
UPDATE level SET on_hand = on_hand - ?
WHERE sku = ? AND warehouse_id = ? AND on_hand - reserved >= ?"""
_LEVEL = "SELECT on_hand, reserved FROM level WHERE sku = ? AND warehouse_id = ?"
_LEVELS = """
SELECT sku, warehouse_id, on_hand, reserved FROM level WHERE (sku, warehouse_id) > (?, ?)"""
_AVAILABLE = "SELECT CAST(SUM(on_hand - reserved) AS BIGINT) FROM level WHERE sku = ?"
_NEWEST = 2**63 - 1


class SqlStockStore:
    """StockStore (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_warehouse(self, warehouse: PutWarehouse) -> Warehouse:
        id_ = warehouse.warehouse_id

        async def work(tx: Tx) -> None:
            await tx.lock("warehouses")
            others = await tx.fetch_one(_OTHER_WAREHOUSES, id_)
            if others and others[0] >= WAREHOUSES_MAX:
                raise too_many_warehouses()
            await tx.execute(_PUT_WAREHOUSE, id_, warehouse.name, warehouse.priority)

        await self._database.transaction(work)
        return Warehouse(warehouse_id=id_, name=warehouse.name, priority=warehouse.priority)

    async def warehouses(self) -> list[Warehouse]:
        async def work(tx: Tx) -> list[Warehouse]:
            return [
                Warehouse(warehouse_id=warehouse_id, name=name, priority=priority)
                for warehouse_id, name, priority in await tx.fetch(_WAREHOUSES)
            ]

        return await self._database.read(work)

    async def move(self, moves: Sequence[MoveStock], *, now_ms: int) -> list[Movement]:
        async def work(tx: Tx) -> list[Movement]:
            for warehouse_id in dict.fromkeys(move.warehouse_id for move in moves):
                if await tx.fetch_one(_HAS_WAREHOUSE, warehouse_id) is None:
                    raise NotFound(f"there is no warehouse {warehouse_id!r}")
            return [await _move(tx, move, now_ms) for move in moves]

        return await self._database.transaction(work)

    async def movements(
        self, *, sku: Sku | None, warehouse_id: WarehouseId | None, before: int, limit: int
    ) -> list[tuple[int, Movement]]:
        where, args = _filters(sku, warehouse_id)
        sql = f"{_MOVEMENTS}{where} ORDER BY seq DESC LIMIT ?"

        async def work(tx: Tx) -> list[tuple[int, Movement]]:
            rows = await tx.fetch(sql, before or _NEWEST, *args, limit)
            return [(row[0], _movement(row[1:])) for row in rows]

        return await self._database.read(work)

    async def on_hand_at(
        self, sku: Sku, warehouse_id: WarehouseId, instant_ms: int
    ) -> tuple[int, int, int | None]:
        async def work(tx: Tx) -> tuple[int, int, int | None]:
            row = await tx.fetch_one(_ON_HAND_AT, sku, warehouse_id, instant_ms)
            return (row[0], row[1], row[2]) if row else (0, 0, None)

        return await self._database.read(work)

    async def levels(
        self,
        *,
        sku: Sku | None,
        warehouse_id: WarehouseId | None,
        after: tuple[str, str],
        limit: int,
    ) -> list[Level]:
        where, args = _filters(sku, warehouse_id)
        sql = f"{_LEVELS}{where} ORDER BY sku, warehouse_id LIMIT ?"

        async def work(tx: Tx) -> list[Level]:
            return [_level(row) for row in await tx.fetch(sql, *after, *args, limit)]

        return await self._database.read(work)

    async def available(self, sku: Sku) -> int:
        async def work(tx: Tx) -> int:
            row = await tx.fetch_one(_AVAILABLE, sku)
            return row[0] or 0 if row else 0

        return await self._database.read(work)


async def _move(tx: Tx, move: MoveStock, now_ms: int) -> Movement:
    sku, warehouse_id = move.sku, move.warehouse_id
    movement, is_new = await record_movement(tx, move, now_ms)
    if not is_new:
        return movement
    if move.quantity > 0:
        is_moved = await tx.execute(_ADD, sku, warehouse_id, move.quantity, ON_HAND_MAX)
    else:
        is_moved = await tx.execute(_SUBTRACT, -move.quantity, sku, warehouse_id, -move.quantity)
    if not is_moved:
        raise await _impossible(tx, move)
    return movement


async def record_movement(tx: Tx, move: MoveStock, now_ms: int) -> tuple[Movement, bool]:
    """Write a movement down, or find it stored; whether it is new. Raises KeyReused.

    The level has still to follow.
    """
    key, sku, warehouse_id = move.movement_key, move.sku, move.warehouse_id
    what = (key, sku, warehouse_id, move.quantity, move.reason.value, move.note, now_ms)
    row = (*what, *who())
    if await tx.execute(_ADD_MOVEMENT, *row):
        return _movement(row), True
    return await _stored_movement(tx, move), False


async def _stored_movement(tx: Tx, move: MoveStock) -> Movement:
    row = await tx.fetch_one(_MOVEMENT, move.movement_key)
    if row is None:
        raise Internal("a movement vanished: they are never deleted")
    return same_movement(_movement(row), move)


async def _impossible(tx: Tx, move: MoveStock) -> FailedPrecondition:
    on_hand, reserved = await tx.fetch_one(_LEVEL, move.sku, move.warehouse_id) or (0, 0)
    return impossible_movement(move, on_hand=on_hand, reserved=reserved)


def _filters(sku: Sku | None, warehouse_id: WarehouseId | None) -> tuple[str, list[Value]]:
    where = " AND sku = ?" if sku is not None else ""
    where += " AND warehouse_id = ?" if warehouse_id is not None else ""
    return where, [value for value in (sku, warehouse_id) if value is not None]


def _movement(row: Row) -> Movement:
    key, sku, warehouse_id, quantity, reason, note, moved_at_ms, actor, cause, trace_id = row
    return Movement(
        movement_key=key,
        sku=sku,
        warehouse_id=warehouse_id,
        quantity=quantity,
        reason=MovementReason(reason),
        note=note,
        moved_at=to_datetime(moved_at_ms),
        actor=actor,
        command=cause.partition(":")[2],
        trace_id=trace_id,
    )


def _level(row: Row) -> Level:
    sku, warehouse_id, on_hand, reserved = row
    return Level(
        sku=sku,
        warehouse_id=warehouse_id,
        on_hand=on_hand,
        reserved=reserved,
        available=on_hand - reserved,
    )

"""The stock's books in SQL, as an auditor reads them: one statement a question."""

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import OrderId
from emporion.services.inventory.domain import Status
from emporion.services.inventory.ports import Imbalance, Moved, OpenHold

MOVEMENTS_AND_LEVELS = """
SELECT sku, warehouse_id, CAST(SUM(on_hand) AS BIGINT), CAST(SUM(moved) AS BIGINT) FROM (
    SELECT sku, warehouse_id, on_hand, 0 AS moved FROM level
    UNION ALL SELECT sku, warehouse_id, 0, quantity FROM movement
) AS both_books GROUP BY sku, warehouse_id HAVING SUM(on_hand) <> SUM(moved) LIMIT ?"""
HOLDS_AND_LEVELS = """
SELECT sku, warehouse_id, CAST(SUM(reserved) AS BIGINT), CAST(SUM(held) AS BIGINT) FROM (
    SELECT sku, warehouse_id, reserved, 0 AS held FROM level
    UNION ALL
    SELECT a.value ->> 0, a.value ->> 1, 0,
        CAST(a.value ->> 2 AS BIGINT) - COALESCE(CAST(a.value ->> 3 AS BIGINT), 0)
    FROM hold h, {members} WHERE h.status IN ('held', 'committed')
) AS both_books GROUP BY sku, warehouse_id HAVING SUM(reserved) <> SUM(held) LIMIT ?"""
MEMBERS = {
    "sqlite": "json_each(h.allocations) a",
    "postgres": "json_array_elements(CAST(h.allocations AS json)) AS a (value)",
}
"""The members of a JSON list as rows, which each engine has a word of its own for."""
IMPOSSIBLE_LEVELS = """
SELECT sku, warehouse_id, on_hand, reserved FROM level
WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand LIMIT ?"""
_MOVED = """
SELECT movement_key, note, quantity FROM movement
WHERE movement_key > ? AND movement_key < ? ORDER BY movement_key LIMIT ?"""
_OPEN_HOLDS = """
SELECT order_id, status FROM hold
WHERE order_id > ? AND status IN ('held', 'committed') ORDER BY order_id LIMIT ?"""


def holds_and_levels(engine: str) -> str:
    """The statement that compares open holds with the levels."""
    return HOLDS_AND_LEVELS.format(members=MEMBERS[engine])


class SqlBooks:
    """Books (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unexplained(self, limit: int) -> list[Imbalance]:
        return await self._imbalances(MOVEMENTS_AND_LEVELS, limit)

    async def unheld(self, limit: int) -> list[Imbalance]:
        return await self._imbalances(holds_and_levels(self._database.engine), limit)

    async def impossible(self, limit: int) -> list[Imbalance]:
        return await self._imbalances(IMPOSSIBLE_LEVELS, limit)

    async def open_holds(self, *, after: str, limit: int) -> list[OpenHold]:
        rows = await self._rows(_OPEN_HOLDS, after, limit)
        return [OpenHold(OrderId(order_id), Status(status)) for order_id, status in rows]

    async def moved(self, *, after: str, below: str, limit: int) -> list[Moved]:
        return [Moved(*row) for row in await self._rows(_MOVED, after, below, limit)]

    async def _imbalances(self, sql: str, limit: int) -> list[Imbalance]:
        return [Imbalance(*row) for row in await self._rows(sql, limit)]

    async def _rows(self, sql: str, *args: str | int) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql, *args)

        return await self._database.read(work)

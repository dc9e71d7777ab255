"""Proves inventory's own books, and gives the facts that others' books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import OrderId
from emporion.services.inventory.domain import Status

VIOLATIONS_MAX = 1_000
"""Told for each check; more of them say nothing new."""
PAGE_SIZE = 1_000

_MOVEMENTS_ARE_THE_LEVEL = """
SELECT sku, warehouse_id, SUM(on_hand), SUM(moved) FROM (
    SELECT sku, warehouse_id, on_hand, 0 AS moved FROM level
    UNION ALL SELECT sku, warehouse_id, 0, quantity FROM movement
) AS both_books GROUP BY sku, warehouse_id HAVING SUM(on_hand) <> SUM(moved) LIMIT ?"""
_OPEN_HOLDS_ARE_RESERVED = """
SELECT sku, warehouse_id, SUM(reserved), SUM(held) FROM (
    SELECT sku, warehouse_id, reserved, 0 AS held FROM level
    UNION ALL
    SELECT json_extract(a.value, '$[0]'), json_extract(a.value, '$[1]'), 0,
           json_extract(a.value, '$[2]')
    FROM hold h, json_each(h.allocations) a WHERE h.status IN ('held', 'committed')
) AS both_books GROUP BY sku, warehouse_id HAVING SUM(reserved) <> SUM(held) LIMIT ?"""
_IMPOSSIBLE_LEVELS = """
SELECT sku, warehouse_id, on_hand, reserved FROM level
WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand LIMIT ?"""
_OPEN_HOLDS = """
SELECT order_id, status FROM hold
WHERE order_id > ? AND status IN ('held', 'committed') ORDER BY order_id LIMIT ?"""

CHECKS = {
    "stock movements = level": (_MOVEMENTS_ARE_THE_LEVEL, "{} on hand, its movements sum to {}"),
    "reserved = open holds": (_OPEN_HOLDS_ARE_RESERVED, "{} reserved, its open holds sum to {}"),
    "0 <= reserved <= on hand": (_IMPOSSIBLE_LEVELS, "{} on hand, {} reserved"),
}


class Violation(NamedTuple):
    """A check that failed: `subject` is the offending level, `<sku>/<warehouse>`."""

    check: str
    subject: str
    detail: str


class OpenHold(NamedTuple):
    """An order for which units are reserved now; its status is HELD or COMMITTED."""

    order_id: OrderId
    status: Status


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over the whole of the books; nothing comes when they balance.

    Each check is one statement, so it sees one instant of a running shop. At most 1000 come for
    each. Raises ResourceExhausted when the database's limit for reads is too low for its size.
    """
    for check, (sql, text) in CHECKS.items():
        for sku, warehouse_id, *figures in await _rows(database, sql, VIOLATIONS_MAX):
            yield Violation(check, f"{sku}/{warehouse_id}", text.format(*figures))


async def open_holds(database: Database) -> AsyncIterator[OpenHold]:
    """Every open hold by rising order id, read in pages of 1000.

    Beside a running shop each page is of its own instant: a hold that is taken or ends meanwhile
    may or may not be among them.
    """
    last = ""
    while page := await _rows(database, _OPEN_HOLDS, last, PAGE_SIZE):
        for order_id, status in page:
            yield OpenHold(order_id, Status(status))
        last = page[-1][0]


async def _rows(database: Database, sql: str, *args: str | int) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, *args)

    return await database.read(work)

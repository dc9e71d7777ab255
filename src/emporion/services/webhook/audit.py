"""Proves webhook's own books: what is said to be delivered was answered with a yes."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import DELIVERY

VIOLATIONS_MAX = 1_000

MESSAGE = "deliveries have their message"
ANSWERED = "delivered means answered 2xx"
STANDING = "deliveries wait, arrived or failed"
_CHECKS = {
    MESSAGE: (
        "SELECT d.seq, d.event_id FROM hook_delivery AS d WHERE NOT EXISTS"
        " (SELECT 1 FROM hook_message AS m WHERE m.event_id = d.event_id) LIMIT ?"
    ),
    ANSWERED: (
        "SELECT d.seq, d.event_id FROM hook_delivery AS d WHERE d.status = 'delivered'"
        " AND NOT EXISTS (SELECT 1 FROM hook_attempt AS a WHERE a.delivery_seq = d.seq"
        " AND a.status BETWEEN 200 AND 299) LIMIT ?"
    ),
    STANDING: (
        "SELECT seq, status FROM hook_delivery"
        " WHERE status NOT IN ('waiting', 'delivered', 'failed') LIMIT ?"
    ),
}


class Violation(NamedTuple):
    """A check that failed: `subject` is the delivery's id."""

    check: str
    subject: str
    detail: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over all deliveries; nothing comes when they are in order."""
    for check, sql in _CHECKS.items():
        for seq, what in await _rows(database, sql):
            yield Violation(check, f"{DELIVERY}_{seq:032x}", f"it is of {what}")


async def _rows(database: Database, sql: str) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, VIOLATIONS_MAX)

    return await database.read(work)

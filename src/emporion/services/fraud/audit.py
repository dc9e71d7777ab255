"""Proves fraud's own books, and tells which orders were screened."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import OrderId

VIOLATIONS_MAX = 1_000
"""Told for each check; more of them say nothing new."""
PAGE_SIZE = 1_000

VERDICT = "the verdict follows from the score"
REVIEWED = "orders on hold have a review"
DECIDED = "decided reviews say by whom and when"
_CHECKS = {
    VERDICT: (
        "SELECT order_id, score FROM screening WHERE (is_held = 1) <> (score >= threshold) LIMIT ?"
    ),
    REVIEWED: (
        "SELECT s.order_id, s.score FROM screening AS s WHERE (s.is_held = 1) <> EXISTS"
        " (SELECT 1 FROM review AS r WHERE r.order_id = s.order_id) LIMIT ?"
    ),
    DECIDED: (
        "SELECT order_id, status FROM review WHERE (status IN ('released', 'rejected'))"
        " <> (decided_at_ms IS NOT NULL AND decided_by <> '') AND status <> 'withdrawn' LIMIT ?"
    ),
}
_SCREENED = "SELECT order_id FROM screening WHERE order_id > ? ORDER BY order_id LIMIT ?"


class Violation(NamedTuple):
    """A check that failed: `subject` is the order's id."""

    check: str
    subject: str
    detail: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over all screenings; nothing comes when they are in order."""
    for check, sql in _CHECKS.items():
        for order_id, what in await _rows(database, sql, VIOLATIONS_MAX):
            yield Violation(check, order_id, f"it is {what}")


async def screened(database: Database) -> AsyncIterator[OrderId]:
    """Every order that was screened, by rising id, read in pages of 1000."""
    last = ""
    while page := await _rows(database, _SCREENED, last, PAGE_SIZE):
        for (order_id,) in page:
            yield OrderId(order_id)
        last = page[-1][0]


async def _rows(database: Database, sql: str, *args: str | int) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, *args)

    return await database.read(work)

"""Proves the gift cards' books, and gives the facts that orders are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx, Value

VIOLATIONS_MAX = 1_000
PAGE_SIZE = 1_000
LEDGER = "gift card entries = balance"
RUNNING = "gift card entries follow each other"
SPENT = "gift card spendings = entries"
RETURNED = "gift card returns = spendings"
OWNED = "gift card entries have their spending"
_CHECKS = {
    LEDGER: (
        "SELECT c.card_id, c.balance_minor, CAST(coalesce(sum(e.amount_minor), 0) AS BIGINT)"
        " FROM gift_card AS c LEFT JOIN gift_card_entry AS e ON e.card_id = c.card_id"
        " GROUP BY c.card_id, c.balance_minor, c.version"
        " HAVING c.balance_minor <> coalesce(sum(e.amount_minor), 0)"
        " OR c.version <> count(e.version) LIMIT ?"
    ),
    RUNNING: (
        "SELECT e.card_id, e.version, e.balance_minor FROM gift_card_entry AS e"
        " LEFT JOIN gift_card_entry AS b ON b.card_id = e.card_id AND b.version = e.version - 1"
        " WHERE e.balance_minor <> coalesce(b.balance_minor, 0) + e.amount_minor LIMIT ?"
    ),
    SPENT: (
        "SELECT s.order_id, s.amount_minor - s.undone_minor - s.returned_minor,"
        " CAST(-coalesce(sum(e.amount_minor), 0) AS BIGINT)"
        " FROM gift_card_spending AS s LEFT JOIN gift_card_entry AS e"
        " ON e.order_id = s.order_id AND e.card_id = s.card_id AND e.order_id <> ''"
        " GROUP BY s.order_id, s.card_id, s.amount_minor, s.undone_minor, s.returned_minor"
        " HAVING s.amount_minor - s.undone_minor - s.returned_minor"
        " <> -coalesce(sum(e.amount_minor), 0) LIMIT ?"
    ),
    RETURNED: (
        "SELECT s.order_id, s.returned_minor, CAST(coalesce(sum(r.amount_minor), 0) AS BIGINT)"
        " FROM gift_card_spending AS s LEFT JOIN gift_card_return AS r"
        " ON r.order_id = s.order_id AND r.card_id = s.card_id"
        " GROUP BY s.order_id, s.card_id, s.returned_minor"
        " HAVING s.returned_minor <> coalesce(sum(r.amount_minor), 0) LIMIT ?"
    ),
    OWNED: (
        "SELECT e.order_id, 0, e.amount_minor FROM gift_card_entry AS e"
        " LEFT JOIN gift_card_spending AS s"
        " ON s.order_id = e.order_id AND s.card_id = e.card_id"
        " WHERE e.order_id <> '' AND s.card_id IS NULL LIMIT ?"
    ),
}
_SPENDINGS = (
    "SELECT s.order_id, CAST(sum(s.amount_minor) AS BIGINT), CAST(sum(s.undone_minor) AS BIGINT),"
    " CAST(sum(s.returned_minor) AS BIGINT), min(c.currency)"
    " FROM gift_card_spending AS s JOIN gift_card AS c ON c.card_id = s.card_id"
    " WHERE s.order_id > ? GROUP BY s.order_id ORDER BY s.order_id LIMIT ?"
)


class Violation(NamedTuple):
    """A check that failed: `subject` is the card's id, or the order's."""

    check: str
    subject: str
    detail: str


class Spent(NamedTuple):
    """What an order took from gift cards; what of it was undone, and what returns gave back."""

    order_id: str
    spent_minor: int
    undone_minor: int
    returned_minor: int
    currency: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over all cards, at most VIOLATIONS_MAX each."""
    for check, sql in _CHECKS.items():
        for subject, told, found in await _rows(database, sql, VIOLATIONS_MAX):
            yield Violation(check, subject, f"{told} by the one, {found} by the other")


async def spendings(database: Database) -> AsyncIterator[Spent]:
    """What each order took, by rising order id, in pages of 1000."""
    last = ""
    while rows := await _rows(database, _SPENDINGS, last, PAGE_SIZE):
        for row in rows:
            yield Spent(*row)
        last = rows[-1][0]


async def _rows(database: Database, sql: str, *args: Value) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, *args)

    return await database.read(work)

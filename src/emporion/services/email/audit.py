"""Proves email's own books, and gives the facts that others' books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import OrderId
from emporion.services.email.domain import Template, mail_id_of

VIOLATIONS_MAX = 1_000
"""Told for each check; more of them say nothing new."""
PAGE_SIZE = 1_000

SENT = "sent mails say when and to whom"
QUEUED = "queued mails are due some time"
_CHECKS = {
    SENT: (
        "SELECT seq, status FROM mail WHERE (status = 'sent')"
        " <> (sent_at_ms IS NOT NULL AND contact IS NOT NULL) LIMIT ?"
    ),
    QUEUED: (
        "SELECT seq, status FROM mail"
        " WHERE status NOT IN ('queued', 'sent', 'failed', 'dropped') LIMIT ?"
    ),
}
_CONFIRMATIONS = (
    "SELECT order_id, count(*) FROM mail WHERE order_id > ? AND template = ?"
    " GROUP BY order_id ORDER BY order_id LIMIT ?"
)


class Violation(NamedTuple):
    """A check that failed: `subject` is the mail's id."""

    check: str
    subject: str
    detail: str


class Confirmations(NamedTuple):
    """How many confirmations of an order were queued, sent or given up."""

    order_id: OrderId
    confirmations: int


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over all mails; nothing comes when they are in order."""
    for check, sql in _CHECKS.items():
        for seq, status in await _rows(database, sql, VIOLATIONS_MAX):
            yield Violation(check, mail_id_of(seq), f"it is {status}")


async def confirmations(database: Database) -> AsyncIterator[Confirmations]:
    """Every order with a confirmation by rising order id, read in pages of 1000."""
    last = ""
    while page := await _rows(
        database, _CONFIRMATIONS, last, Template.CONFIRMATION.value, PAGE_SIZE
    ):
        for order_id, number in page:
            yield Confirmations(OrderId(order_id), number)
        last = page[-1][0]


async def _rows(database: Database, sql: str, *args: str | int) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(sql, *args)

    return await database.read(work)

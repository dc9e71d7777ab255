"""Proves the orders' books, and gives the facts that other services' are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.eventstore.store import BrokenChain
from emporion.kernel.errors import EmporionError
from emporion.services.order.adapters.sqlite import SqliteOrderStore
from emporion.services.order.domain import Order, Status
from emporion.services.order.ports import OrderRow

PAGE_SIZE = 500
REPLAY = "order events replay to the row"
CHAIN = "order event chain unbroken"

_store = SqliteOrderStore()


class Violation(NamedTuple):
    """A check that failed: `subject` is the order's id."""

    check: str
    subject: str
    detail: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every order whose events do not replay to its row, or whose chain of hashes is broken.

    A row and its events change in one transaction and are read in one, so a difference is real
    also beside a running shop.
    """
    last = ""
    while rows := await _page(database, last):
        for found in await _violations_of(database, rows):
            yield found
        last = rows[-1].order_id


async def orders(database: Database) -> AsyncIterator[OrderRow]:
    """Every order's row by rising id, in pages of 500, each of its own instant."""
    last = ""
    while rows := await _page(database, last):
        for row in rows:
            yield row
        last = rows[-1].order_id


async def _page(database: Database, after: str) -> list[OrderRow]:
    async def work(tx: Tx) -> list[OrderRow]:
        return await _store.rows_after(tx, after, limit=PAGE_SIZE)

    return await database.read(work)


async def _violations_of(database: Database, rows: list[OrderRow]) -> list[Violation]:
    async def work(tx: Tx) -> list[Violation]:
        return await _examined(tx, rows)

    return await database.read(work)


async def _examined(tx: Tx, rows: list[OrderRow]) -> list[Violation]:
    """The violations of a page; its rows are read again, in the same instant as their events."""
    found: list[Violation] = []
    for stale in rows:
        row = await _store.row(tx, stale.order_id)
        if row is None:
            found.append(Violation(REPLAY, stale.order_id, "its row vanished"))
            continue
        try:
            order = Order.from_history(row.order_id, await _store.history(tx, row.order_id))
        except BrokenChain as error:
            found.append(Violation(CHAIN, row.order_id, error.detail))
        except EmporionError as error:
            found.append(Violation(REPLAY, row.order_id, error.detail))
        else:
            found += _compared(order, row)
    return found


def _compared(order: Order, row: OrderRow) -> list[Violation]:
    if not order.version:
        return [Violation(REPLAY, row.order_id, "it has a row but no events")]
    total = order.total
    folded = OrderRow(
        row.order_id,
        order.user_id,
        Status(order.status),
        order.version,
        total.amount_minor,
        total.currency,
        order.units,
        row.created_at_ms,
        row.updated_at_ms,
    )
    if folded == row:
        return []
    return [Violation(REPLAY, row.order_id, f"row {row}, events {folded}")]

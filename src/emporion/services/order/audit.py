"""Proves the orders' books, and gives the facts that other services' are compared with."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, Self

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.eventstore.store import Proved, Stored
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRejected
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId
from emporion.services.order.adapters.returns import return_of
from emporion.services.order.adapters.sql import SqlOrderStore
from emporion.services.order.domain import SOLD, Order, OrderEvent, Return, Status
from emporion.services.order.ports import OrderRow

PAGE_SIZE = 500
END = "~"
"""Sorts after every order id."""
REPLAY = "order events replay to the row"
RETURNS = "order events replay to the rows of returns"
CHAIN = "order event chain unbroken"
ANNOUNCED = "decided orders are announced"
_UNANNOUNCED = """
SELECT o.order_id, o.status FROM orders o
LEFT JOIN outbox e ON e.key = o.order_id AND e.name = ?1
WHERE o.status = ?2 AND e.position IS NULL AND o.{instant} >= coalesce(
    (SELECT occurred_at_ms FROM outbox ORDER BY position LIMIT 1), 0
) LIMIT ?3"""
"""An order is decided and announced in one transaction; what is older than the oldest event that
is kept was announced and pruned. A sold order goes on changing: it is no older than its start."""
_SINCE_CREATED = _UNANNOUNCED.format(instant="created_at_ms")
_SINCE_DECIDED = _UNANNOUNCED.format(instant="updated_at_ms")
_ANNOUNCEMENTS = {
    **dict.fromkeys(SOLD, (OrderCreated.SPEC.name, _SINCE_CREATED)),
    Status.REJECTED: (OrderRejected.SPEC.name, _SINCE_DECIDED),
    Status.CANCELLED: (OrderCancelled.SPEC.name, _SINCE_DECIDED),
}

_RESTOCKED = (
    "SELECT return_id, order_id, details FROM order_return WHERE return_id > ?"
    " AND status = 'refunded' ORDER BY return_id LIMIT ?"
)
_REFUNDS = (
    "SELECT order_id, CAST(SUM(refund_minor) AS BIGINT) FROM order_return WHERE order_id > ?"
    " AND status = 'refunded' GROUP BY order_id ORDER BY order_id LIMIT ?"
)

_RETURN_ROWS = (
    "SELECT return_id, order_id, user_id, status, currency, refund_minor, updated_at_ms, details"
    " FROM order_return WHERE order_id > ? AND order_id <= ? ORDER BY order_id, return_id"
)

_SHIPPED = frozenset(SOLD) - {Status.PAID}

_store = SqlOrderStore()


class Violation(NamedTuple):
    """A check that failed: `subject` is the id of the order, or of the return."""

    check: str
    subject: str
    detail: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every order whose events do not replay to its rows, or whose chain of hashes is broken.

    And every decided order that nobody is told of, at most PAGE_SIZE for each status. Rows, their
    events and what is published change in one transaction and are read in one, so a difference is
    real also beside a running shop.
    """
    last = ""
    while last != END:
        page = await database.read(_Page(last).read)
        for found in _examined(page):
            yield found
        last = page.until
    for status, (name, sql) in _ANNOUNCEMENTS.items():
        for order_id, _ in await database.read(_unannounced(sql, name, status)):
            yield Violation(ANNOUNCED, order_id, f"is {status}, and {name} was not published")


class Returned(NamedTuple):
    """Units of a SKU that were restocked from a return, and what was given back for all of it."""

    return_id: str
    order_id: str
    sku: str
    units: int


class Shipped(NamedTuple):
    """A shipment as its order's events tell it: its units by SKU, and whether it arrived."""

    order_id: str
    shipment_id: str
    units: list[tuple[str, int]]
    is_delivered: bool


async def shipments(database: Database) -> AsyncIterator[Shipped]:
    """What the events of orders tell of shipments, by rising order and shipment.

    Read in pages of 500 orders, whose events are looked at only where one of them was shipped.
    """
    last = ""
    while rows := await _page(database, last):
        if any(row.status in _SHIPPED for row in rows):
            histories = await database.read(_histories(last, rows[-1].order_id))
            for order_id in sorted(histories):
                for found in _shipments(OrderId(order_id), histories[order_id]):
                    yield found
        last = rows[-1].order_id


async def restocked(database: Database) -> AsyncIterator[Returned]:
    """What refunded returns put onto the shelf, by rising return and SKU, in pages of 500."""
    last = ""
    while rows := await database.read(_returns_after(last)):
        for return_id, order_id, details in rows:
            units: Counter[str] = Counter()
            for piece in return_of(details).counted:
                units[piece.sku] += piece.quantity * piece.is_restocked
            for sku in sorted(units):
                if units[sku]:
                    yield Returned(return_id, order_id, sku, units[sku])
        last = rows[-1][0]


async def refunds(database: Database) -> AsyncIterator[tuple[str, int]]:
    """What was given back for the returns of each order, by rising order id, in pages of 500."""
    last = ""
    while rows := await database.read(_refunds_after(last)):
        for order_id, refund_minor in rows:
            yield order_id, refund_minor
        last = rows[-1][0]


def _histories(after: str, until: str) -> Callable[[Tx], Awaitable[dict[str, Proved[OrderEvent]]]]:
    return lambda tx: _store.histories(tx, after=after, until=until)


def _shipments(order_id: OrderId, history: Proved[OrderEvent]) -> list[Shipped]:
    """By rising id; none of a history that is impossible, which is a finding of its own."""
    try:
        order = Order.from_history(order_id, [stored.event for stored in history.events])
    except EmporionError:
        return []
    return [
        Shipped(order_id, shipment_id, sorted(units), shipment_id in order.arrived)
        for shipment_id, units in sorted(order.shipments.items())
    ]


def _returns_after(last: str) -> Callable[[Tx], Awaitable[list[Row]]]:
    return lambda tx: tx.fetch(_RESTOCKED, last, PAGE_SIZE)


def _refunds_after(last: str) -> Callable[[Tx], Awaitable[list[Row]]]:
    return lambda tx: tx.fetch(_REFUNDS, last, PAGE_SIZE)


async def orders(database: Database) -> AsyncIterator[OrderRow]:
    """Every order's row by rising id, in pages of 500, each of its own instant."""
    last = ""
    while rows := await _page(database, last):
        for row in rows:
            yield row
        last = rows[-1].order_id


def _unannounced(sql: str, name: str, status: Status) -> Callable[[Tx], Awaitable[list[Row]]]:
    return lambda tx: tx.fetch(sql, name, status.value, PAGE_SIZE)


async def _page(database: Database, after: str) -> list[OrderRow]:
    async def work(tx: Tx) -> list[OrderRow]:
        return await _store.rows_after(tx, after, limit=PAGE_SIZE)

    return await database.read(work)


class _ReturnRow(NamedTuple):
    """A return as its row has it, or as it should."""

    return_id: str
    order_id: str
    user_id: str
    status: str
    currency: str
    refund_minor: int
    updated_at_ms: int
    told: Return


class _Page:
    """The rows after an order id, and the events of all orders in that range, of one instant."""

    def __init__(self, after: str) -> None:
        self._after = after
        self.until = END
        self.rows: list[OrderRow] = []
        self.histories: dict[str, Proved[OrderEvent]] = {}
        self.returns: dict[str, list[_ReturnRow]] = {}

    async def read(self, tx: Tx) -> Self:
        self.rows = await _store.rows_after(tx, self._after, limit=PAGE_SIZE)
        self.until = self.rows[-1].order_id if len(self.rows) == PAGE_SIZE else END
        self.histories = await _store.histories(tx, after=self._after, until=self.until)
        for columns in await tx.fetch(_RETURN_ROWS, self._after, self.until):
            row = _ReturnRow._make((*columns[:-1], return_of(columns[-1])))
            self.returns.setdefault(row.order_id, []).append(row)
        return self


def _examined(page: _Page) -> list[Violation]:
    found: list[Violation] = []
    for row in page.rows:
        history = page.histories.pop(row.order_id, None)
        returns = page.returns.pop(row.order_id, [])
        if history is None:
            found.append(Violation(REPLAY, row.order_id, "it has a row but no events"))
        elif history.broken_at:
            found.append(Violation(CHAIN, row.order_id, f"event {history.broken_at}"))
        else:
            found += _replayed(row, returns, history.events)
    found += [Violation(REPLAY, stream, "it has events but no row") for stream in page.histories]
    lost = [row for returns in page.returns.values() for row in returns]
    return found + [Violation(RETURNS, row.return_id, "it is of no order") for row in lost]


def _replayed(
    row: OrderRow, returns: list[_ReturnRow], history: list[Stored[OrderEvent]]
) -> list[Violation]:
    try:
        order = Order.from_history(row.order_id, [stored.event for stored in history])
        return _compared(order, row) + _compared_returns(order, returns, history)
    except EmporionError as error:
        return [Violation(REPLAY, row.order_id, error.detail)]


def _compared(order: Order, row: OrderRow) -> list[Violation]:
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


def _compared_returns(
    order: Order, rows: list[_ReturnRow], history: list[Stored[OrderEvent]]
) -> list[Violation]:
    """Each return that the events tell, with its row; and each row that no event tells of."""
    told = {row.return_id: row for row in _told_returns(order, history)}
    kept = {row.return_id: row for row in rows}
    return [
        Violation(RETURNS, id_, f"row {kept.get(id_)}, events {told.get(id_)}")
        for id_ in sorted(told.keys() | kept.keys())
        if told.get(id_) != kept.get(id_)
    ]


def _told_returns(order: Order, history: list[Stored[OrderEvent]]) -> list[_ReturnRow]:
    returns = list(order.returns)
    if not returns:
        return []
    changed = {getattr(stored.event, "return_id", ""): stored.at_ms for stored in history}
    return [
        _ReturnRow(
            told.return_id,
            order.order_id,
            order.user_id,
            told.status,
            order.total.currency,
            told.refund_minor,
            changed[told.return_id],
            told,
        )
        for told in returns
    ]

"""Orders and carts in SQL that SQLite and PostgreSQL share."""

from collections.abc import Mapping

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.eventstore.store import EventStore, Proved, Stored
from emporion.kernel.errors import Conflict, NotFound
from emporion.kernel.ids import OrderId, Sku, UserId
from emporion.services.order.domain import (
    AllRefunded,
    AllReturned,
    CallOffAsked,
    Cancelled,
    Cleared,
    Created,
    Delivered,
    Order,
    OrderEvent,
    Paid,
    PartlyDelivered,
    PartlyShipped,
    Rejected,
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnReopened,
    ReturnRequested,
    Shipped,
    Status,
)
from emporion.services.order.ports import LoadedOrder, OrderRow, PageOfOrders, Search

_COLUMNS = (
    "order_id, user_id, status, version, total_minor, currency, units, created_at_ms, updated_at_ms"
)
_INSERT = f"INSERT INTO orders ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant columns
_UPDATE = (
    "UPDATE orders SET status = ?, version = ?, updated_at_ms = ?"
    " WHERE order_id = ? AND version = ?"
)
_ROW = f"SELECT {_COLUMNS} FROM orders WHERE order_id = ?"  # noqa: S608 - constant columns
_PAGE = (
    f"SELECT {_COLUMNS} FROM orders WHERE user_id = ? AND order_id < ?"  # noqa: S608 - constant columns
    " AND (? = '' OR status = ?) ORDER BY order_id DESC LIMIT ?"
)
_SCANNED = (
    "FROM orders WHERE order_id >= ? AND order_id < ?{of_user} ORDER BY order_id DESC LIMIT ?"
)
_FOUND = (
    f"SELECT {_COLUMNS} FROM (SELECT {_COLUMNS} {_SCANNED}) AS scanned"  # noqa: S608 - constant columns
    " WHERE ? = '' OR status = ? ORDER BY order_id DESC LIMIT ?"
)
_SCANNED_TO = f"SELECT order_id {_SCANNED} OFFSET ?"
_OF_USER = " AND user_id = ?"
_ROWS_AFTER = f"SELECT {_COLUMNS} FROM orders WHERE order_id > ? ORDER BY order_id LIMIT ?"  # noqa: S608 - constant columns
_CART = "SELECT sku, quantity FROM cart_line WHERE user_id = ? ORDER BY added_at_ms, sku"
_CART_ADD = (
    "INSERT INTO cart_line VALUES (?, ?, ?, ?)"
    " ON CONFLICT (user_id, sku) DO UPDATE SET quantity = cart_line.quantity + excluded.quantity"
)
_CART_PUT = (
    "INSERT INTO cart_line VALUES (?, ?, ?, ?)"
    " ON CONFLICT (user_id, sku) DO UPDATE SET quantity = excluded.quantity"
)
_CART_REMOVE = "DELETE FROM cart_line WHERE user_id = ? AND sku = ?"
_CART_CLEAR = "DELETE FROM cart_line WHERE user_id = ?"
_AFTER_ALL_IDS = "~"


KINDS: Mapping[str, type[OrderEvent]] = {
    "created": Created,
    "paid": Paid,
    "rejected": Rejected,
    "cancelled": Cancelled,
    "call_off_asked": CallOffAsked,
    "cleared": Cleared,
    "partly_shipped": PartlyShipped,
    "shipped": Shipped,
    "partly_delivered": PartlyDelivered,
    "delivered": Delivered,
    "return_requested": ReturnRequested,
    "return_approved": ReturnApproved,
    "return_refused": ReturnRefused,
    "return_received": ReturnReceived,
    "all_returned": AllReturned,
    "return_reopened": ReturnReopened,
    "return_refunded": ReturnRefunded,
    "all_refunded": AllRefunded,
}
"""The stored names of the events: for ever."""


class SqlOrderStore:
    """OrderStore over the event store and the table `orders`.

    `is_sole_writer`: no other process appends events; saves a look for each order.
    """

    def __init__(self, *, is_sole_writer: bool = False) -> None:
        self._events: EventStore[OrderEvent] = EventStore(
            KINDS,
            is_guarded=is_sole_writer,
        )

    async def save(self, tx: Tx, order: Order, *, at_ms: int) -> None:
        before, version, status = order.stored_version, order.version, order.status
        await self._events.append(tx, order.id, order.pending, expected_version=before, at_ms=at_ms)
        if before:
            if not await tx.execute(_UPDATE, status, version, at_ms, order.id, before):
                raise Conflict(f"{order.id} is past version {before}")
            return
        await tx.execute(
            _INSERT,
            order.id,
            order.user_id,
            status,
            version,
            order.total.amount_minor,
            order.total.currency,
            order.units,
            at_ms,
            at_ms,
        )

    async def load(self, tx: Tx, order_id: OrderId) -> LoadedOrder:
        stored = await self.history(tx, order_id)
        order = Order.from_history(order_id, (each.event for each in stored))
        return LoadedOrder(order, stored[0].at_ms, stored[-1].at_ms)

    async def history(self, tx: Tx, order_id: OrderId) -> list[Stored[OrderEvent]]:
        stored = await self._events.load(tx, order_id)
        if not stored:
            raise NotFound
        return stored

    async def row(self, tx: Tx, order_id: OrderId) -> OrderRow | None:
        row = await tx.fetch_one(_ROW, order_id)
        return _order_row(row) if row else None

    async def page(self, tx: Tx, wanted: PageOfOrders) -> list[OrderRow]:
        status = wanted.status or ""
        before = wanted.before or _AFTER_ALL_IDS
        rows = await tx.fetch(_PAGE, wanted.user_id, before, status, status, wanted.limit)
        return [_order_row(row) for row in rows]

    async def found(self, tx: Tx, wanted: Search) -> tuple[list[OrderRow], str]:
        of_user = _OF_USER if wanted.user_id else ""
        where = (wanted.first, wanted.before or _AFTER_ALL_IDS, *filter(None, [wanted.user_id]))
        status, scanned_max = wanted.status, wanted.scanned_max
        sql = _FOUND.format(of_user=of_user)
        rows = await tx.fetch(sql, *where, scanned_max, status, status, wanted.limit + 1)
        found = [_order_row(row) for row in rows[: wanted.limit]]
        if len(rows) > wanted.limit:
            return found, found[-1].order_id
        last = await tx.fetch_one(_SCANNED_TO.format(of_user=of_user), *where, 1, scanned_max - 1)
        return found, last[0] if last else ""

    async def rows_after(self, tx: Tx, order_id: str, *, limit: int) -> list[OrderRow]:
        return [_order_row(row) for row in await tx.fetch(_ROWS_AFTER, order_id, limit)]

    async def histories(self, tx: Tx, *, after: str, until: str) -> dict[str, Proved[OrderEvent]]:
        return await self._events.prove(tx, after=after, until=until)


class SqlCartStore:
    """CartStore over the table `cart_line`."""

    async def lock(self, tx: Tx, user_id: UserId) -> None:
        await tx.lock(f"cart {user_id}")

    async def lines(self, tx: Tx, user_id: UserId) -> dict[Sku, int]:
        return {Sku(sku): quantity for sku, quantity in await tx.fetch(_CART, user_id)}

    async def add(
        self, tx: Tx, user_id: UserId, units_per_sku: dict[Sku, int], *, at_ms: int
    ) -> None:
        await self.lock(tx, user_id)
        await tx.execute_many(
            _CART_ADD, [(user_id, sku, units, at_ms) for sku, units in units_per_sku.items()]
        )

    async def put(self, tx: Tx, user_id: UserId, sku: Sku, *, quantity: int, at_ms: int) -> None:
        await self.lock(tx, user_id)
        if quantity:
            await tx.execute(_CART_PUT, user_id, sku, quantity, at_ms)
        else:
            await tx.execute(_CART_REMOVE, user_id, sku)

    async def clear(self, tx: Tx, user_id: UserId) -> None:
        await tx.execute(_CART_CLEAR, user_id)


def _order_row(row: Row) -> OrderRow:
    order_id, user_id, status, *figures = row
    return OrderRow(order_id, user_id, Status(status), *figures)

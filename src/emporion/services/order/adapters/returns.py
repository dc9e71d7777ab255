"""Returns in SQL that SQLite and PostgreSQL share: a row each, beside their order's events."""

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.kernel.ids import OrderId, ReturnId
from emporion.services.order.domain import Order, Return, ReturnStatus
from emporion.services.order.ports import StoredReturn

_LOCK = "SELECT 1 FROM orders WHERE order_id = ? /* for update */"
_SAVE = (
    "INSERT INTO order_return (return_id, order_id, user_id, status, currency, refund_minor,"
    " details, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (return_id) DO UPDATE"
    " SET status = excluded.status, refund_minor = excluded.refund_minor,"
    " details = excluded.details, updated_at_ms = excluded.updated_at_ms"
)
_COLUMNS = "SELECT order_id, user_id, currency, details, updated_at_ms FROM order_return"
_FIND = f"{_COLUMNS} WHERE return_id = ?"
_OF_ORDER = f"{_COLUMNS} WHERE order_id = ? ORDER BY return_id"
_PAGE_END = " return_id < ? ORDER BY return_id DESC LIMIT ?"
_PAGE = f"{_COLUMNS} WHERE{_PAGE_END}"
_PAGE_OF = f"{_COLUMNS} WHERE status = ? AND{_PAGE_END}"
_ABOVE_ALL = "~"
"""Sorts after every id."""

_encode = msgspec.json.Encoder().encode
return_of = msgspec.json.Decoder(Return).decode
"""A return, as stored."""


class SqlReturnStore:
    """ReturnStore (the port) over the table `order_return`."""

    async def lock(self, tx: Tx, order_id: OrderId) -> None:
        await tx.fetch_one(_LOCK, order_id)

    async def save(self, tx: Tx, order: Order, return_id: ReturnId, *, at_ms: int) -> None:
        told = order.returns[return_id]
        await tx.execute(
            _SAVE,
            return_id,
            order.order_id,
            order.user_id,
            told.status,
            order.total.currency,
            told.refund_minor,
            _stored_as(told),
            at_ms,
        )

    async def find(self, tx: Tx, return_id: ReturnId) -> StoredReturn | None:
        row = await tx.fetch_one(_FIND, return_id)
        return _stored(row) if row else None

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[StoredReturn]:
        return [_stored(row) for row in await tx.fetch(_OF_ORDER, order_id)]

    async def page(
        self, tx: Tx, *, status: ReturnStatus | None, before: str, limit: int
    ) -> list[StoredReturn]:
        below = before or _ABOVE_ALL
        if status is None:
            rows = await tx.fetch(_PAGE, below, limit)
        else:
            rows = await tx.fetch(_PAGE_OF, status, below, limit)
        return [_stored(row) for row in rows]


def _stored_as(told: Return) -> str:
    """As JSON; where no card is concerned, in the form that instances of before can read, too."""
    return _encode(told if told.to_cards else told[:-1]).decode()


def _stored(row: Row) -> StoredReturn:
    order_id, user_id, currency, details, updated_at_ms = row
    return StoredReturn(order_id, user_id, currency, return_of(details), updated_at_ms)

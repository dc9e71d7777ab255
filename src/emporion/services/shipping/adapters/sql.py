"""Fulfilments and shipments in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.kernel.ids import OrderId, ShipmentId
from emporion.services.shipping.domain import (
    Allocation,
    Fulfilment,
    Shipment,
    ShipmentState,
    Status,
    Units,
)
from emporion.services.shipping.ports import Planned, Screened

_COLUMNS = (
    "order_id, user_id, status, allocations, released_by, release_reason, created_at_ms,"
    " updated_at_ms"
)
_PLAN = (
    "INSERT INTO fulfilment (order_id, user_id, status, created_at_ms, updated_at_ms)"
    " VALUES (?, ?, 'screening', ?, ?)"
    " ON CONFLICT (order_id) DO UPDATE SET user_id = excluded.user_id"
)
_SCREEN = (
    "INSERT INTO fulfilment (order_id, user_id, status, created_at_ms, updated_at_ms)"
    " VALUES (?, '', ?, ?, ?) ON CONFLICT (order_id) DO UPDATE"
    " SET status = excluded.status, updated_at_ms = excluded.updated_at_ms"
    " WHERE fulfilment.status = 'screening'"
)
_RELEASE = (
    "UPDATE fulfilment SET status = 'ready', updated_at_ms = ? WHERE status = 'held'"
    " AND order_id IN (SELECT value FROM json_each(?))"
)
_CANCEL = (
    "UPDATE fulfilment SET status = 'cancelled', updated_at_ms = ?"
    " WHERE status IN ('screening', 'held', 'ready')"
    " AND order_id IN (SELECT value FROM json_each(?))"
)
_FIND = f"SELECT {_COLUMNS} FROM fulfilment WHERE order_id = ?"  # noqa: S608 - constant columns
_TO_CHANGE = f"{_FIND} /* for update */"
_SAVE = (
    "UPDATE fulfilment SET status = ?, allocations = ?, released_by = ?, release_reason = ?,"
    " updated_at_ms = ? WHERE order_id = ?"
)
_PAGE_END = " order_id > ? ORDER BY order_id LIMIT ?"
_PAGE = f"SELECT {_COLUMNS} FROM fulfilment WHERE{_PAGE_END}"  # noqa: S608 - constant columns
_PAGE_OF = f"SELECT {_COLUMNS} FROM fulfilment WHERE status = ? AND{_PAGE_END}"  # noqa: S608 - as above

_OF_SHIPMENT = (
    "shipment_id, order_id, user_id, warehouse_id, status, lines, carrier, tracking_number,"
    " created_at_ms, shipped_at_ms, delivered_at_ms"
)
_ADD = f"INSERT INTO shipment ({_OF_SHIPMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_CHANGE = (
    "UPDATE shipment SET status = ?, shipped_at_ms = ?, delivered_at_ms = ? WHERE shipment_id = ?"
)
_SHIPMENTS = f"SELECT {_OF_SHIPMENT} FROM shipment"  # noqa: S608 - as above
_SHIPMENT = f"{_SHIPMENTS} WHERE shipment_id = ?"
_OF_ORDER = f"{_SHIPMENTS} WHERE order_id = ? ORDER BY shipment_id"
_SHIPMENTS_END = " shipment_id < ? ORDER BY shipment_id DESC LIMIT ?"
_PAGE_OF_SHIPMENTS = f"{_SHIPMENTS} WHERE{_SHIPMENTS_END}"
_PAGE_OF_STATUS = f"{_SHIPMENTS} WHERE status = ? AND{_SHIPMENTS_END}"
_ABOVE_ALL = "~"
"""Sorts after every id."""

_encode = msgspec.json.Encoder().encode
_allocations = msgspec.json.Decoder(list[Allocation]).decode
lines_of = msgspec.json.Decoder(list[Units]).decode
"""The units of a shipment, as stored."""


class SqlFulfilmentStore:
    """FulfilmentStore (the port) over the table `fulfilment`."""

    async def plan(self, tx: Tx, planned: Sequence[Planned], *, at_ms: int) -> None:
        await tx.execute_many(_PLAN, [(*each, at_ms, at_ms) for each in planned])

    async def screen(self, tx: Tx, screened: Sequence[Screened], *, at_ms: int) -> None:
        await tx.execute_many(_SCREEN, [(*each, at_ms, at_ms) for each in screened])

    async def release_held(self, tx: Tx, order_ids: Sequence[OrderId], *, at_ms: int) -> None:
        await tx.execute(_RELEASE, at_ms, _encode(order_ids).decode())

    async def cancel(self, tx: Tx, order_ids: Sequence[OrderId], *, at_ms: int) -> None:
        await tx.execute(_CANCEL, at_ms, _encode(order_ids).decode())

    async def find(self, tx: Tx, order_id: OrderId) -> Fulfilment | None:
        row = await tx.fetch_one(_FIND, order_id)
        return _fulfilment(row) if row else None

    async def find_to_change(self, tx: Tx, order_id: OrderId) -> Fulfilment | None:
        row = await tx.fetch_one(_TO_CHANGE, order_id)
        return _fulfilment(row) if row else None

    async def save(self, tx: Tx, fulfilment: Fulfilment) -> None:
        held = fulfilment.allocations
        await tx.execute(
            _SAVE,
            fulfilment.status,
            None if held is None else _encode(held).decode(),
            fulfilment.released_by,
            fulfilment.release_reason,
            fulfilment.updated_at_ms,
            fulfilment.order_id,
        )

    async def page(
        self, tx: Tx, *, status: Status | None, after: str, limit: int
    ) -> list[Fulfilment]:
        if status is None:
            rows = await tx.fetch(_PAGE, after, limit)
        else:
            rows = await tx.fetch(_PAGE_OF, status, after, limit)
        return [_fulfilment(row) for row in rows]


class SqlShipmentStore:
    """ShipmentStore (the port) over the table `shipment`."""

    async def add(self, tx: Tx, shipment: Shipment) -> None:
        stored = shipment._replace(lines=_encode(shipment.lines).decode())  # type: ignore[arg-type]
        await tx.execute(_ADD, *stored)  # type: ignore[arg-type]

    async def save(self, tx: Tx, shipment: Shipment) -> None:
        await tx.execute(
            _CHANGE,
            shipment.status,
            shipment.shipped_at_ms,
            shipment.delivered_at_ms,
            shipment.shipment_id,
        )

    async def find(self, tx: Tx, shipment_id: ShipmentId) -> Shipment | None:
        row = await tx.fetch_one(_SHIPMENT, shipment_id)
        return _shipment(row) if row else None

    async def of_order(self, tx: Tx, order_id: OrderId) -> list[Shipment]:
        return [_shipment(row) for row in await tx.fetch(_OF_ORDER, order_id)]

    async def page(
        self, tx: Tx, *, status: ShipmentState | None, before: str, limit: int
    ) -> list[Shipment]:
        below = before or _ABOVE_ALL
        if status is None:
            rows = await tx.fetch(_PAGE_OF_SHIPMENTS, below, limit)
        else:
            rows = await tx.fetch(_PAGE_OF_STATUS, status, below, limit)
        return [_shipment(row) for row in rows]


def _fulfilment(row: Row) -> Fulfilment:
    order_id, user_id, status, held, *rest = row
    allocations = None if held is None else _allocations(held)
    return Fulfilment(order_id, user_id, Status(status), allocations, *rest)


def _shipment(row: Row) -> Shipment:
    shipment_id, order_id, user_id, place, status, lines, *rest = row
    state = ShipmentState(status)
    return Shipment(shipment_id, order_id, user_id, place, state, lines_of(lines), *rest)

"""What can be asked about fulfilments and shipments; every list comes in bounded pages."""

from collections.abc import Sequence

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts import shipping as contract
from emporion.contracts.inventory import Line
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.shipping import (
    FulfilmentPage,
    FulfilmentStatus,
    FulfilmentSummary,
    ListFulfilments,
    ListShipments,
    OrderShipments,
    ShipmentPage,
    ShipmentStatus,
    ToShip,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, SHIPMENT, OrderId, ShipmentId, has_prefix
from emporion.services.shipping.domain import (
    Fulfilment,
    Shipment,
    ShipmentState,
    Status,
    still_there,
)
from emporion.services.shipping.ports import FulfilmentStore, ShipmentStore

STAFF_SCOPE = "shipping:read"


class Queries:
    """Reads of committed state."""

    def __init__(
        self,
        database: Database,
        fulfilments: FulfilmentStore,
        shipments: ShipmentStore,
        *,
        notes: SealedNotes,
    ) -> None:
        self._database = database
        self._fulfilments = fulfilments
        self._shipments = shipments
        self._notes = notes

    async def fulfilment(self, order_id: OrderId) -> contract.Fulfilment:
        """The fulfilment of an order, for staff.

        Raises NotFound, and what asking for keys raises.
        """
        found, shipments = await self._whole(order_id)
        reason = await self._notes.opened(found.user_id, found.release_reason)
        return _fulfilment(found._replace(release_reason=reason), shipments)

    async def shipments_of(self, order_id: OrderId, caller: Identity) -> OrderShipments:
        """The shipments of an order that the caller may see. Raises NotFound."""
        found, shipments = await self._whole(order_id)
        caller.require_owner(found.user_id, staff_scope=STAFF_SCOPE)
        return OrderShipments(
            order_id=order_id,
            status=FulfilmentStatus(found.status),
            shipments=[view(each) for each in shipments],
        )

    async def shipment(self, shipment_id: ShipmentId) -> contract.Shipment:
        """A shipment. Raises NotFound."""
        found = await self._database.read(lambda tx: self._shipments.find(tx, shipment_id))
        if found is None:
            raise NotFound(f"there is no shipment {shipment_id}")
        return view(found)

    async def shipment_for(self, shipment_id: ShipmentId, caller: Identity) -> contract.Shipment:
        """A shipment that the caller may see. Raises NotFound, also for another customer's."""
        found = await self.shipment(shipment_id)
        caller.require_owner(found.user_id, staff_scope=STAFF_SCOPE)
        return found

    async def fulfilments(self, request: ListFulfilments) -> FulfilmentPage:
        """Fulfilments, the oldest orders first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        status = Status(request.status.value) if request.status else None
        found = await self._database.read(
            lambda tx: self._fulfilments.page(
                tx, status=status, after=request.cursor, limit=request.limit + 1
            )
        )
        page = found[: request.limit]
        return FulfilmentPage(
            fulfilments=[_summary(each) for each in page if each.user_id],
            next_cursor=page[-1].order_id if len(found) > request.limit else "",
        )

    async def shipments(self, request: ListShipments) -> ShipmentPage:
        """Shipments, newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, SHIPMENT):
            raise UnknownCursor
        status = ShipmentState(request.status.value) if request.status else None
        found = await self._database.read(
            lambda tx: self._shipments.page(
                tx, status=status, before=request.cursor, limit=request.limit + 1
            )
        )
        page = found[: request.limit]
        return ShipmentPage(
            shipments=[view(each) for each in page],
            next_cursor=page[-1].shipment_id if len(found) > request.limit else "",
        )

    async def _whole(self, order_id: OrderId) -> tuple[Fulfilment, list[Shipment]]:
        async def work(tx: Tx) -> tuple[Fulfilment | None, list[Shipment]]:
            found = await self._fulfilments.find(tx, order_id)
            return found, await self._shipments.of_order(tx, order_id)

        found, shipments = await self._database.read(work)
        if found is None or not found.user_id:
            raise NotFound(f"nothing is known of {order_id} here, or not yet")
        return found, shipments


def view(shipment: Shipment) -> contract.Shipment:
    """A shipment in the words of the contract."""
    shipped, delivered = shipment.shipped_at_ms, shipment.delivered_at_ms
    return contract.Shipment(
        shipment_id=shipment.shipment_id,
        order_id=shipment.order_id,
        user_id=shipment.user_id,
        warehouse_id=shipment.warehouse_id,
        status=ShipmentStatus(shipment.status),
        lines=[Line(sku=sku, quantity=quantity) for sku, quantity in shipment.lines],
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        created_at=to_datetime(shipment.created_at_ms),
        shipped_at=None if shipped is None else to_datetime(shipped),
        delivered_at=None if delivered is None else to_datetime(delivered),
    )


def _fulfilment(found: Fulfilment, shipments: Sequence[Shipment]) -> contract.Fulfilment:
    is_open = found.status is not Status.CANCELLED
    there = still_there(found.allocations or () if is_open else (), shipments if is_open else ())
    return contract.Fulfilment(
        order_id=found.order_id,
        user_id=found.user_id,
        status=FulfilmentStatus(found.status),
        to_ship=[
            ToShip(warehouse_id=place, sku=sku, quantity=quantity)
            for place, shelf in sorted(there.items())
            for sku, quantity in sorted(shelf.items())
        ],
        shipments=[view(each) for each in shipments],
        released_by=found.released_by,
        release_reason=found.release_reason,
        created_at=to_datetime(found.created_at_ms),
        updated_at=to_datetime(found.updated_at_ms),
    )


def _summary(found: Fulfilment) -> FulfilmentSummary:
    return FulfilmentSummary(
        order_id=found.order_id,
        user_id=found.user_id,
        status=FulfilmentStatus(found.status),
        created_at=to_datetime(found.created_at_ms),
        updated_at=to_datetime(found.updated_at_ms),
    )

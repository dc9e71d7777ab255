"""The steps of a shipment that happen in this service's own database, and their input."""

from collections.abc import Sequence

from emporion.chassis.data.database import Tx
from emporion.contracts.contract import Message
from emporion.contracts.inventory import Line
from emporion.contracts.shipping import (
    FulfilmentOver,
    NotCleared,
    NotThere,
    ShipmentShipped,
    TooManyShipments,
)
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import EmporionError, Internal, NotFound
from emporion.kernel.ids import OrderId, ShipmentId, UserId, WarehouseId
from emporion.services.shipping.domain import (
    SHIPMENTS_MAX,
    SHIPPABLE,
    UNCLEARED,
    Fulfilment,
    Shipment,
    ShipmentState,
    after,
    is_there,
    progress,
    still_there,
    summed,
)
from emporion.services.shipping.ports import FulfilmentStore, ShipmentStore


class SendShipment(Message, frozen=True, kw_only=True):
    """What sending a shipment needs, in every step and in their undoing."""

    shipment_id: ShipmentId
    order_id: OrderId
    user_id: UserId
    warehouse_id: WarehouseId
    lines: list[Line]
    carrier: str
    tracking_number: str
    created_at_ms: int


class ShipmentSteps:
    """Pack, stop, ship: each in one transaction with the saga's own progress."""

    def __init__(
        self, fulfilments: FulfilmentStore, shipments: ShipmentStore, clock: Clock
    ) -> None:
        self._fulfilments = fulfilments
        self._shipments = shipments
        self._clock = clock

    async def pack(self, tx: Tx, sending: SendShipment) -> None:
        """Set the units apart: no other shipment takes them from here on.

        Raises NotFound, NotCleared, FulfilmentOver, NotThere or TooManyShipments.
        """
        fulfilment = await self._fulfilments.find_to_change(tx, sending.order_id)
        if fulfilment is None:
            raise NotFound
        require_shippable(fulfilment)
        before = await self._shipments.of_order(tx, sending.order_id)
        if len(before) >= SHIPMENTS_MAX:
            raise TooManyShipments
        shipment = _shipment(sending)
        there = still_there(fulfilment.allocations or (), before)
        if not is_there(shipment.lines, there.get(sending.warehouse_id, {})):
            raise not_there(sending.warehouse_id)
        await self._shipments.add(tx, shipment)

    async def stop(self, tx: Tx, sending: SendShipment, refusal: EmporionError) -> None:
        """It does not leave: its units are to be shipped again, unless the order was called off."""
        shipment = await self._find(tx, sending.shipment_id)
        await self._shipments.save(tx, shipment._replace(status=ShipmentState.STOPPED))

    async def ship(self, tx: Tx, sending: SendShipment) -> None:
        """Stock and order know: it has left, and everybody may know."""
        now_ms = self._clock.now_ms()
        fulfilment = await self._fulfilments.find_to_change(tx, sending.order_id)
        if fulfilment is None:
            raise Internal(f"the fulfilment of {sending.order_id} vanished")
        shipment = await self._find(tx, sending.shipment_id)
        shipped = shipment._replace(status=ShipmentState.SHIPPED, shipped_at_ms=now_ms)
        await self._shipments.save(tx, shipped)
        all_ = await self._shipments.of_order(tx, sending.order_id)
        await self._fulfilments.save(tx, moved_on(fulfilment, all_, is_arrival=False, at_ms=now_ms))
        await tx.publish(
            ShipmentShipped(
                shipment_id=sending.shipment_id,
                order_id=sending.order_id,
                user_id=sending.user_id,
                warehouse_id=sending.warehouse_id,
                lines=sending.lines,
                carrier=sending.carrier,
                tracking_number=sending.tracking_number,
                shipped_at=to_datetime(now_ms),
            )
        )

    async def _find(self, tx: Tx, shipment_id: ShipmentId) -> Shipment:
        shipment = await self._shipments.find(tx, shipment_id)
        if shipment is None:
            raise Internal(f"{shipment_id} vanished: shipments are never deleted")
        return shipment


def require_shippable(fulfilment: Fulfilment) -> None:
    """Raises NotCleared or FulfilmentOver unless units may leave."""
    status = fulfilment.status
    if status in UNCLEARED:
        raise NotCleared(f"{fulfilment.order_id} is {status}", status=str(status))
    if status not in SHIPPABLE:
        raise FulfilmentOver(f"{fulfilment.order_id} is {status}", status=str(status))


def not_there(warehouse_id: WarehouseId) -> NotThere:
    """The refusal of units that are not to be shipped from there."""
    return NotThere(
        f"so many units are not to be shipped from {warehouse_id}, or no longer",
        warehouse_id=warehouse_id,
    )


def moved_on(
    fulfilment: Fulfilment, shipments: Sequence[Shipment], *, is_arrival: bool, at_ms: int
) -> Fulfilment:
    """The fulfilment after one of its shipments left or arrived."""
    action = progress(fulfilment.allocations or (), shipments, is_arrival=is_arrival)
    status = after(fulfilment.status, action)
    if status is None:
        raise Internal(f"{fulfilment.order_id} is {fulfilment.status}: it cannot {action}")
    return fulfilment._replace(status=status, updated_at_ms=at_ms)


def _shipment(sending: SendShipment) -> Shipment:
    return Shipment(
        shipment_id=sending.shipment_id,
        order_id=sending.order_id,
        user_id=sending.user_id,
        warehouse_id=sending.warehouse_id,
        status=ShipmentState.LEAVING,
        lines=summed((line.sku, line.quantity) for line in sending.lines),
        carrier=sending.carrier,
        tracking_number=sending.tracking_number,
        created_at_ms=sending.created_at_ms,
    )

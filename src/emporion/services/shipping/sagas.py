"""The transaction over several services that sends a shipment."""

from emporion.chassis.saga.definition import Saga, local, step
from emporion.contracts.inventory import Depart, InventoryService, UnitsNotHeld
from emporion.contracts.order import ClearShipment, OrderService
from emporion.kernel.aggregate import NotInThisState
from emporion.services.shipping.commands.steps import SendShipment, ShipmentSteps


def send_shipment(
    shipping: ShipmentSteps, order: OrderService, inventory: InventoryService
) -> Saga[SendShipment]:
    """Nothing leaves that the order did not let go, and from then on it cannot be called off.

    So the order decides between a shipment and a cancellation that meet, and once it has let a
    shipment go, the rest is repeated until it is done.
    """
    return Saga(
        "send-shipment",
        version=1,
        input=SendShipment,
        steps=(
            local("pack shipment", do=shipping.pack, undo=shipping.stop),
            step("clear with order", request=_clearance, do=order.clear_shipment),
            step("take from stock", request=_departure, do=inventory.depart),
            local("ship", do=shipping.ship),
        ),
        refusals=(NotInThisState, UnitsNotHeld),
    )


def _clearance(sending: SendShipment) -> ClearShipment:
    return ClearShipment(order_id=sending.order_id, shipment_id=sending.shipment_id)


def _departure(sending: SendShipment) -> Depart:
    return Depart(
        shipment_id=sending.shipment_id,
        order_id=sending.order_id,
        warehouse_id=sending.warehouse_id,
        lines=sending.lines,
    )

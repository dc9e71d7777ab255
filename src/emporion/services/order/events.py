"""How orders react to shipments and erasures. What they announce, they announce in their steps."""

from collections.abc import Callable
from typing import Any

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.contracts.user import UserErased
from emporion.kernel.clock import Clock
from emporion.kernel.ids import OrderId
from emporion.services.order.domain import Order, Units
from emporion.services.order.ports import CartStore, OrderStore


class Reactions:
    """Each runs in the transaction that marks its event as handled."""

    def __init__(self, orders: OrderStore, carts: CartStore, clock: Clock) -> None:
        self._orders = orders
        self._carts = carts
        self._clock = clock

    async def ship(self, tx: Tx, received: Received[ShipmentShipped]) -> None:
        """Units have left: the order is shipped, or partly."""
        event = received.event
        units = tuple([Units(line.sku, line.quantity) for line in event.lines])
        await self._change(tx, event.order_id, lambda order: order.ship(event.shipment_id, units))

    async def deliver(self, tx: Tx, received: Received[ShipmentDelivered]) -> None:
        """A shipment has arrived: with the last one, the order is delivered."""
        event = received.event
        await self._change(tx, event.order_id, lambda order: order.deliver(event.shipment_id))

    async def forget(self, tx: Tx, received: Received[UserErased]) -> None:
        """A person was erased: their orders stay, what they thought of buying does not."""
        await self._carts.clear(tx, received.event.user_id)

    async def _change(self, tx: Tx, order_id: OrderId, decide: Callable[[Order], None]) -> None:
        order = (await self._orders.load(tx, order_id)).order
        decide(order)
        if order.pending:
            await self._orders.save(tx, order, at_ms=self._clock.now_ms())


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on(ShipmentShipped, reactions.ship),
        on(ShipmentDelivered, reactions.deliver),
        on(UserErased, reactions.forget),
    )

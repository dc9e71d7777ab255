"""How email reacts to what happens to orders; it announces nothing itself."""

from collections.abc import Sequence
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRefunded, OrderRejected
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.kernel.clock import Clock
from emporion.kernel.ids import OrderId, UserId
from emporion.services.email.domain import Template
from emporion.services.email.ports import MailStore, Queued


class _Whose(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of an event to queue its mail; the writer reads the rest of it."""

    order_id: OrderId
    user_id: UserId
    shipment_id: str = ""
    return_id: str = ""


_whose = msgspec.json.Decoder(_Whose).decode


class Reactions:
    """Each queues mails in the transaction that marks their events as handled."""

    def __init__(self, store: MailStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def confirm(self, tx: Tx, received: Sequence[Received[OrderCreated]]) -> None:
        """The orders are taken: tell their owners."""
        await self._queue(tx, Template.CONFIRMATION, received)

    async def tell_cancelled(self, tx: Tx, received: Sequence[Received[OrderCancelled]]) -> None:
        """The orders are called off."""
        await self._queue(tx, Template.CANCELLATION, received)

    async def tell_rejected(self, tx: Tx, received: Sequence[Received[OrderRejected]]) -> None:
        """The orders could not be taken; their owners may have seen them as pending."""
        await self._queue(tx, Template.REJECTION, received)

    async def tell_shipped(self, tx: Tx, received: Sequence[Received[ShipmentShipped]]) -> None:
        """Shipments left: tell their carriers and numbers."""
        await self._queue(tx, Template.SHIPPED, received)

    async def tell_delivered(self, tx: Tx, received: Sequence[Received[ShipmentDelivered]]) -> None:
        """Shipments arrived."""
        await self._queue(tx, Template.DELIVERED, received)

    async def tell_refunded(self, tx: Tx, received: Sequence[Received[OrderRefunded]]) -> None:
        """The money of returns went back."""
        await self._queue(tx, Template.REFUNDED, received)

    async def _queue(self, tx: Tx, template: Template, received: Sequence[Received[Any]]) -> None:
        mails = []
        for each in received:
            data = each.data
            whose = _whose(data)
            about = whose.shipment_id or whose.return_id
            queued = Queued(template, whose.order_id, whose.user_id, data, about, each.traceparent)
            mails.append(queued)
        await self._store.queue(tx, mails, at_ms=self._clock.now_ms())


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on_many(OrderCreated, reactions.confirm),
        on_many(OrderCancelled, reactions.tell_cancelled),
        on_many(OrderRejected, reactions.tell_rejected),
        on_many(ShipmentShipped, reactions.tell_shipped),
        on_many(ShipmentDelivered, reactions.tell_delivered),
        on_many(OrderRefunded, reactions.tell_refunded),
    )

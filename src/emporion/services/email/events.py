"""How email reacts to what happens to orders; it announces nothing itself."""

from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRejected
from emporion.kernel.clock import Clock
from emporion.services.email.domain import Template
from emporion.services.email.ports import MailStore, Queued


class Reactions:
    """Each queues a mail in the transaction that marks the event as handled."""

    def __init__(self, store: MailStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode

    async def confirm(self, tx: Tx, received: Received[OrderCreated]) -> None:
        """The order is taken: tell its owner."""
        await self._queue(tx, Template.CONFIRMATION, received)

    async def tell_cancelled(self, tx: Tx, received: Received[OrderCancelled]) -> None:
        """The order is called off."""
        await self._queue(tx, Template.CANCELLATION, received)

    async def tell_rejected(self, tx: Tx, received: Received[OrderRejected]) -> None:
        """The order could not be taken; its owner may have seen it as pending."""
        await self._queue(tx, Template.REJECTION, received)

    async def _queue(
        self,
        tx: Tx,
        template: Template,
        received: Received[OrderCreated] | Received[OrderCancelled] | Received[OrderRejected],
    ) -> None:
        event = received.event
        mail = Queued(template, event.order_id, event.user_id, self._encode(event))
        await self._store.queue(tx, mail, at_ms=self._clock.now_ms())


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on(OrderCreated, reactions.confirm),
        on(OrderCancelled, reactions.tell_cancelled),
        on(OrderRejected, reactions.tell_rejected),
    )

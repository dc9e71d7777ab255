"""What inventory announces, and how it reacts to the events of others."""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.inventory import OutOfStock, StockReleased
from emporion.contracts.order import OrderCreated
from emporion.kernel.clock import Clock
from emporion.kernel.ids import OrderId
from emporion.services.inventory.domain import units_per_sku
from emporion.services.inventory.ports import HoldStore

_log = logging.getLogger(__name__)

ANNOUNCED = (StockReleased,)


def reactions(holds: HoldStore, clock: Clock) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (on_many(OrderCreated, KeepForGood(holds, clock).react),)


class _Which(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of an event as long as the order's hold is held."""

    order_id: OrderId


_which = msgspec.json.Decoder(_Which).decode


class KeepForGood:
    """A paid order keeps its stock: its hold does not expire any more."""

    def __init__(self, holds: HoldStore, clock: Clock) -> None:
        self._holds = holds
        self._clock = clock

    async def react(self, tx: Tx, received: Sequence[Received[OrderCreated]]) -> None:
        """Commit the orders' holds; one that expired meanwhile is taken again.

        Raises OutOfStock when that is impossible: the order was paid and its stock is gone. The
        event is then retried until stock comes in, and becomes a dead letter for an operator.
        """
        order_ids = [_which(each.data).order_id for each in received]
        if await self._holds.commit_held(tx, order_ids, now_ms=self._clock.now_ms()):
            return
        for each in received:
            await self._commit(tx, each.event)

    async def _commit(self, tx: Tx, order: OrderCreated) -> None:
        wanted = units_per_sku([(line.sku, line.quantity) for line in order.lines])
        try:
            await self._holds.commit(tx, order.order_id, wanted, now_ms=self._clock.now_ms())
        except OutOfStock as error:
            _log.error(
                "%s is paid, its hold is gone and its stock too: %s", order.order_id, error.detail
            )
            raise

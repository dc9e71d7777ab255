"""How recommendation reacts to what happens to orders; it announces nothing itself."""

from collections.abc import Sequence
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.order import OrderCancelled, OrderCreated
from emporion.kernel.ids import OrderId, Sku
from emporion.services.recommendation.domain import Basket, items_of
from emporion.services.recommendation.ports import CountStore


class _Line(msgspec.Struct, frozen=True, gc=False):
    sku: Sku


class _Bought(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of an order that was taken."""

    order_id: OrderId
    lines: list[_Line]


class _Which(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of one that was called off."""

    order_id: OrderId


_bought = msgspec.json.Decoder(_Bought).decode
_which = msgspec.json.Decoder(_Which).decode


class Reactions:
    """Each counts in the transaction that marks its events as handled."""

    def __init__(self, store: CountStore) -> None:
        self._store = store

    async def count(self, tx: Tx, received: Sequence[Received[OrderCreated]]) -> None:
        """What was bought together in these orders."""
        orders = [_bought(each.data) for each in received]
        baskets = [
            Basket(order.order_id, items_of([line.sku for line in order.lines])) for order in orders
        ]
        await self._store.add(tx, baskets)

    async def take_out(self, tx: Tx, received: Sequence[Received[OrderCancelled]]) -> None:
        """These orders were called off: nobody keeps what was in them."""
        await self._store.take_out(tx, [_which(each.data).order_id for each in received])


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on_many(OrderCreated, reactions.count),
        on_many(OrderCancelled, reactions.take_out),
    )

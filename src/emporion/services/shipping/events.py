"""How shipping reacts to paid orders and their screening. It announces what left and arrived."""

from collections.abc import Sequence
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.fraud import Decision, ReviewDecided, ScreeningCompleted, Verdict
from emporion.contracts.order import OrderCancelled, OrderCreated
from emporion.kernel.clock import Clock
from emporion.kernel.ids import OrderId, UserId
from emporion.services.shipping.domain import Status
from emporion.services.shipping.ports import FulfilmentStore, Planned, Screened


class _Screening(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of a verdict."""

    order_id: OrderId
    verdict: Verdict


class _Paid(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of a paid order: what lies where, inventory knows."""

    order_id: OrderId
    user_id: UserId


_paid = msgspec.json.Decoder(_Paid).decode
_screening = msgspec.json.Decoder(_Screening).decode
_AFTER = {Verdict.CLEAR: Status.READY, Verdict.HOLD: Status.HELD}


class Reactions:
    """Each runs in the transaction that marks its events as handled."""

    def __init__(self, fulfilments: FulfilmentStore, clock: Clock) -> None:
        self._fulfilments = fulfilments
        self._clock = clock

    async def plan(self, tx: Tx, received: Sequence[Received[OrderCreated]]) -> None:
        """Paid orders are to be sent, once they are screened."""
        paid = [_paid(each.data) for each in received]
        planned = [Planned(each.order_id, each.user_id) for each in paid]
        await self._fulfilments.plan(tx, planned, at_ms=self._clock.now_ms())

    async def take_verdicts(self, tx: Tx, received: Sequence[Received[ScreeningCompleted]]) -> None:
        """Screened orders may be sent, or are held."""
        told = [_screening(each.data) for each in received]
        screened = [Screened(each.order_id, _AFTER[each.verdict]) for each in told]
        await self._fulfilments.screen(tx, screened, at_ms=self._clock.now_ms())

    async def take_decisions(self, tx: Tx, received: Sequence[Received[ReviewDecided]]) -> None:
        """Held orders that were released may be sent; the others are called off by their review."""
        events = [each.event for each in received]
        released = [each.order_id for each in events if each.decision is Decision.RELEASE]
        await self._fulfilments.release_held(tx, released, at_ms=self._clock.now_ms())

    async def cancel(self, tx: Tx, received: Sequence[Received[OrderCancelled]]) -> None:
        """Nothing is sent of orders that were called off."""
        order_ids = [each.event.order_id for each in received]
        await self._fulfilments.cancel(tx, order_ids, at_ms=self._clock.now_ms())


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on_many(OrderCreated, reactions.plan),
        on_many(OrderCancelled, reactions.cancel),
        on_many(ScreeningCompleted, reactions.take_verdicts),
        on_many(ReviewDecided, reactions.take_decisions),
    )

"""Collects what subscriptions want, in the transaction that marks its events as handled."""

from collections.abc import Sequence
from typing import Any

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received
from emporion.kernel.clock import Clock, to_datetime
from emporion.services.webhook.ports import DeliveryStore, HookStore, Post


class Collector:
    """Makes a delivery for each subscription that wants an event, however often it comes.

    A paused subscription's deliveries are collected, a disabled one's are not. Where nobody wants
    an event, nothing of it is kept.
    """

    def __init__(self, hooks: HookStore, deliveries: DeliveryStore, clock: Clock) -> None:
        self._hooks = hooks
        self._deliveries = deliveries
        self._clock = clock

    async def collect(self, tx: Tx, received: Sequence[Received[Any]]) -> None:
        """React to events of one kind."""
        spec = received[0].kind.SPEC
        wishes = [each for each in await self._hooks.wishes(tx) if spec.name in each.events]
        if not wishes:
            return
        wanted = [
            (wish.hook_id, each.event_id)
            for each in received
            for wish in wishes
            if each.occurred_at_ms >= wish.since_ms
        ]
        if wanted:
            ids = {event_id for _, event_id in wanted}
            posts = [_post(each, spec.key) for each in received if each.event_id in ids]
            await self._deliveries.collect(tx, posts, wanted, at_ms=self._clock.now_ms())


def _post(received: Received[Any], key: str) -> Post:
    """The event as Standard Webhooks recommends: type, timestamp, data."""
    name = received.kind.SPEC.name
    at = to_datetime(received.occurred_at_ms).isoformat().replace("+00:00", "Z")
    head = f'{{"type":"{name}","timestamp":"{at}","data":'.encode()
    return Post(
        received.event_id,
        name,
        str(getattr(received.event, key)),
        received.occurred_at_ms,
        head + received.data + b"}",
        received.traceparent,
    )

"""How webhook reacts: to every public event in the same way. It announces nothing itself."""

from collections.abc import Sequence
from typing import Any

from emporion.chassis.events.subscription import Subscription, on_many
from emporion.contracts.contract import Event
from emporion.services.webhook.commands.collecting import Collector


def subscriptions(
    events: Sequence[type[Event]], collector: Collector
) -> tuple[Subscription[Any], ...]:
    """A row for each event that there is: the platform knows them, so a new one is never missed."""
    return tuple(on_many(event, collector.collect) for event in events)

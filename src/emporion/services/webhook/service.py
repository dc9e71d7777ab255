"""Puts the webhook service together."""

from collections.abc import Sequence
from dataclasses import dataclass

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.contract import Event
from emporion.contracts.webhook import WebhookService
from emporion.services.webhook.adapters.deliveries import SqlDeliveries
from emporion.services.webhook.adapters.hooks import SqlHooks
from emporion.services.webhook.api import WebhookApi
from emporion.services.webhook.commands.collecting import Collector
from emporion.services.webhook.commands.hooks import HookCommands, HookRules
from emporion.services.webhook.commands.sending import Sender
from emporion.services.webhook.events import subscriptions
from emporion.services.webhook.ports import Courier
from emporion.services.webhook.queries.hooks import Queries


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookNeeds(Needs):
    """What webhook needs beside the usual.

    Args:
        courier: who carries messages to endpoints.
        events: every event that there is.
        is_http_allowed: plain http to this machine: a rehearsal.
    """

    courier: Courier
    events: Sequence[type[Event]]
    is_http_allowed: bool


def build(needs: WebhookNeeds) -> Assembly:
    """The service, not started.

    Its alarms are to be poked after each committed batch of reactions: then messages leave at
    once.
    """
    database, runtime = needs.database, needs.runtime
    hooks, deliveries = SqlHooks(), SqlDeliveries(is_alone=database.engine == "sqlite")
    sender = Sender(database, hooks, deliveries, courier=needs.courier, runtime=runtime)
    rules = HookRules(
        [event.SPEC.name for event in needs.events], is_http_allowed=needs.is_http_allowed
    )
    commands = HookCommands(database, hooks, deliveries, runtime=runtime, rules=rules)
    queries = Queries(database, hooks, deliveries, clock=runtime.clock)
    collector = Collector(hooks, deliveries, runtime.clock)
    return Assembly(
        contract=WebhookService,
        implementation=WebhookApi(commands, queries, sender),
        subscriptions=subscriptions(needs.events, collector),
        alarms=(sender.alarm, sender.pruning),
        shed_first=True,
    )

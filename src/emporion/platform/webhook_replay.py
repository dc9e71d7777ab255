"""Gives a webhook subscription the history of all publishers."""

from datetime import datetime

from emporion.chassis.calls.clients import Clients
from emporion.chassis.events.outbox import owner_of
from emporion.contracts.operations import OperationsService, Replay
from emporion.contracts.refusals import HistoryPruned
from emporion.contracts.webhook import ChangeHook, HookOf, WebhookService
from emporion.kernel.ids import HookId
from emporion.platform.contracts import EVENTS


async def replay_to(clients: Clients, hook_id: str, since: datetime) -> list[str]:
    """Open a subscription for what happened since then, and replay it; a line for each publisher.

    What was delivered to anybody is known by its event and not sent to them again. Raises
    NotFound and what the operations raise.
    """
    webhooks, operations = clients.get(WebhookService), clients.get(OperationsService)
    hook = await webhooks.get_hook(HookOf(hook_id=HookId(hook_id)))
    await webhooks.change_hook(ChangeHook(hook_id=hook.hook_id, since=since))
    publishers = sorted({owner_of(e) for e in EVENTS if e.SPEC.name in hook.events})
    lines = []
    for publisher in publishers:
        request = Replay(
            subscriber=WebhookService.NAME,
            publisher=publisher,
            since=since,
            reason=f"history for {hook_id}",
        )
        try:
            await operations.replay(request)
            lines.append(f"{publisher}: its events since {since:%Y-%m-%d %H:%M} are sent")
        except HistoryPruned as error:
            lines.append(f"{publisher}: {error.detail}")
    return lines

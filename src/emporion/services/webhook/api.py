"""Answers the webhook contract."""

from emporion.chassis.calls.context import caller
from emporion.contracts.contract import Empty
from emporion.contracts.webhook import (
    ChangeHook,
    CreateHook,
    Delivery,
    DeliveryOf,
    DeliveryPage,
    Hook,
    HookOf,
    HookPage,
    HookSecret,
    ListDeliveries,
    ListHooks,
    Preview,
    RedriveHook,
    Redriven,
    WebhookService,
)
from emporion.services.webhook.commands.hooks import HookCommands
from emporion.services.webhook.commands.sending import Sender
from emporion.services.webhook.queries.hooks import Queries


class WebhookApi(WebhookService):
    """The contract, answered by commands and queries."""

    def __init__(self, commands: HookCommands, queries: Queries, sender: Sender) -> None:
        self._commands = commands
        self._queries = queries
        self._sender = sender

    async def create_hook(self, request: CreateHook) -> HookSecret:
        hook = await self._commands.create(request, caller().subject)
        return HookSecret(hook=await self._queries.hook(hook.hook_id), secret=hook.secret)

    async def list_hooks(self, request: ListHooks) -> HookPage:
        return await self._queries.hooks(request)

    async def get_hook(self, request: HookOf) -> Hook:
        return await self._queries.hook(request.hook_id)

    async def change_hook(self, request: ChangeHook) -> Hook:
        await self._commands.change(request)
        return await self._queries.hook(request.hook_id)

    async def pause_hook(self, request: HookOf) -> Hook:
        await self._commands.pause(request.hook_id)
        return await self._queries.hook(request.hook_id)

    async def resume_hook(self, request: HookOf) -> Hook:
        await self._commands.resume(request.hook_id)
        self._sender.alarm.poke()
        return await self._queries.hook(request.hook_id)

    async def rotate_secret(self, request: HookOf) -> HookSecret:
        hook = await self._commands.rotate(request.hook_id)
        return HookSecret(hook=await self._queries.hook(hook.hook_id), secret=hook.secret)

    async def delete_hook(self, request: HookOf) -> Empty:
        await self._commands.delete(request.hook_id)
        return Empty()

    async def list_deliveries(self, request: ListDeliveries) -> DeliveryPage:
        return await self._queries.deliveries(request)

    async def get_delivery(self, request: DeliveryOf) -> Delivery:
        return await self._queries.delivery(request)

    async def preview_delivery(self, request: DeliveryOf) -> Preview:
        return await self._queries.preview(request)

    async def redrive_deliveries(self, request: RedriveHook) -> Redriven:
        deliveries = await self._commands.redrive(request)
        self._sender.alarm.poke()
        return Redriven(deliveries=deliveries)

"""Webhooks: noted before anybody is told they arrived, and acted upon afterwards.

A webhook is a bell, not a letter: it says of which order something changed, and the provider is
asked what. So the order in which webhooks come, and how often, makes no difference.
"""

import logging

import msgspec

from emporion.chassis.data.database import Database
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.payment import TakeWebhook
from emporion.kernel.errors import EmporionError, NotFound
from emporion.services.payment.commands.strays import Strays
from emporion.services.payment.ports import KeptWebhook, PaymentProvider, WebhookStore

_log = logging.getLogger(__name__)
PER_RUN = 50
PAUSE_MS = 1_000
PAUSE_MS_MAX = 3_600_000
KEPT_MS = 30 * 86_400_000
"""How long a webhook is kept after it was dealt with."""
ERROR_LENGTH_MAX = 200
UNKNOWN = "no payment of its order is recorded yet"


class Webhooks:
    """Takes webhooks, and acts upon them."""

    def __init__(
        self, database: Database, store: WebhookStore, strays: Strays, *, runtime: Runtime
    ) -> None:
        self._database = database
        self._store = store
        self._strays = strays
        self._provider: PaymentProvider = strays.provider
        self._clock = runtime.clock
        self.alarm = Alarm("act upon webhooks", runtime, self.run_due)

    async def take(self, request: TakeWebhook) -> None:
        """See PaymentService.take_webhook: returns once it is durable."""
        if request.provider != self._provider.name:
            raise NotFound
        now_ms = self._clock.now_ms()
        notice = self._provider.read_webhook(request.body, request.signature, now_ms=now_ms)
        webhook = KeptWebhook(
            provider=request.provider,
            event_id=notice.event_id,
            order_id=notice.order_id,
            reference=notice.reference,
            received_at_ms=now_ms,
            due_at_ms=now_ms if notice.order_id else None,
        )
        if await self._database.transaction(lambda tx: self._store.keep(tx, webhook)):
            self.alarm.poke()

    async def run_due(self) -> int | None:
        """Act upon those that are due; when to go on. One that fails holds up no other."""
        now_ms = self._clock.now_ms()
        due = await self._database.read(lambda tx: self._store.due(tx, now_ms, limit=PER_RUN))
        for webhook in due:
            await self._settle(await self._act_upon(webhook))
        if not due:
            before_ms = now_ms - KEPT_MS
            await self._database.transaction(
                lambda tx: self._store.prune(tx, before_ms, limit=PER_RUN)
            )
        return await self._database.read(self._store.next_due_ms)

    async def _settle(self, webhook: KeptWebhook) -> None:
        await self._database.transaction(lambda tx: self._store.settle(tx, webhook))

    async def _act_upon(self, webhook: KeptWebhook) -> KeptWebhook:
        """The webhook as it stands afterwards: dealt with, or due again later."""
        try:
            if await self._strays.agree(webhook.order_id, webhook.reference):
                return msgspec.structs.replace(webhook, due_at_ms=None, last_error="")
            error = UNKNOWN
        except EmporionError as failure:
            error = failure.detail[:ERROR_LENGTH_MAX]
        _log.warning("webhook %s about %s waits: %s", webhook.event_id, webhook.order_id, error)
        pause_ms = min(PAUSE_MS << min(webhook.attempts, 20), PAUSE_MS_MAX)
        return msgspec.structs.replace(
            webhook,
            due_at_ms=self._clock.now_ms() + pause_ms,
            attempts=webhook.attempts + 1,
            last_error=error,
        )

"""What staff do with subscriptions and their deliveries."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts import webhook as contract
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import HOOK
from emporion.services.webhook.domain.hook import HookStatus
from emporion.services.webhook.domain.target import HOOKS_MAX, mistake_in
from emporion.services.webhook.ports import DeliveryStore, HookStore, StoredHook
from emporion.services.webhook.queries import signing
from emporion.services.webhook.queries.hooks import seq_of

REDRIVE_CHUNK = 1_000


class HookCommands:
    """Makes, changes and ends subscriptions, and sends deliveries again.

    `event_types` are the events that there are; `is_http_allowed`: to this machine, in a
    development shop.
    """

    def __init__(
        self,
        database: Database,
        hooks: HookStore,
        deliveries: DeliveryStore,
        *,
        runtime: Runtime,
        rules: "HookRules",
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._deliveries = deliveries
        self._runtime = runtime
        self._rules = rules

    async def create(self, request: contract.CreateHook, actor: str) -> StoredHook:
        """See WebhookService.create_hook."""
        self._rules.require_url(request.url)
        self._rules.require_events(request.events)
        now_ms = self._runtime.clock.now_ms()
        hook = StoredHook(
            hook_id=self._runtime.ids.new(HOOK),
            url=request.url,
            events=tuple(dict.fromkeys(request.events)),
            description=request.description,
            status=HookStatus.ACTIVE,
            reason="",
            secret=self._new_secret(),
            old_secret="",
            old_until_ms=0,
            since_ms=now_ms if request.since is None else _ms(request.since),
            created_at_ms=now_ms,
            created_by=actor,
        )

        async def work(tx: Tx) -> None:
            if await self._hooks.count(tx) >= HOOKS_MAX:
                raise contract.TooManyHooks(f"there are {HOOKS_MAX}")
            await self._hooks.add(tx, hook)

        await self._database.transaction(work)
        return hook

    async def change(self, request: contract.ChangeHook) -> None:
        """See WebhookService.change_hook."""
        changes: dict[str, object] = {}
        if request.url is not None:
            self._rules.require_url(request.url)
            changes["url"] = request.url
        if request.events:
            self._rules.require_events(request.events)
            changes["events"] = tuple(dict.fromkeys(request.events))
        if request.description is not None:
            changes["description"] = request.description
        if request.since is not None:
            changes["since_ms"] = _ms(request.since)
        await self._change(request.hook_id, changes)

    async def pause(self, hook_id: str) -> None:
        """Let deliveries wait. Raises NotFound."""

        async def work(tx: Tx) -> None:
            hook = await self._found(tx, hook_id)
            if hook.status is HookStatus.ACTIVE:
                await self._hooks.save(tx, _with(hook, status=HookStatus.PAUSED, reason="paused"))

        await self._database.transaction(work)

    async def resume(self, hook_id: str) -> None:
        """Send again. What happened while it was disabled was not collected. Raises NotFound."""

        async def work(tx: Tx) -> None:
            hook = await self._found(tx, hook_id)
            if hook.status is not HookStatus.ACTIVE:
                await self._hooks.save(tx, _with(hook, status=HookStatus.ACTIVE, reason=""))

        await self._database.transaction(work)

    async def rotate(self, hook_id: str) -> StoredHook:
        """A new secret; the old one signs, too, for a day. Raises NotFound."""
        secret, now_ms = self._new_secret(), self._runtime.clock.now_ms()

        async def work(tx: Tx) -> StoredHook:
            hook = await self._found(tx, hook_id)
            rotated = _with(
                hook,
                secret=secret,
                old_secret=hook.secret,
                old_until_ms=now_ms + signing.OVERLAP_MS,
            )
            await self._hooks.save(tx, rotated)
            return rotated

        return await self._database.transaction(work)

    async def delete(self, hook_id: str) -> None:
        """End a subscription; its deliveries are pruned."""
        await self._database.transaction(lambda tx: self._hooks.remove(tx, hook_id))

    async def redrive(self, request: contract.RedriveHook) -> int:
        """Send one delivery again, or all that failed since an instant; how many.

        Raises NotFound.
        """
        if request.delivery_id is None:
            return await self._redrive_failed(request)
        hook_id, seq = request.hook_id, seq_of(request.delivery_id)

        async def work(tx: Tx) -> int:
            await self._found(tx, hook_id)
            if await self._deliveries.find(tx, hook_id, seq) is None:
                raise NotFound
            return await self._deliveries.redrive(
                tx, hook_id, seq, now_ms=self._runtime.clock.now_ms()
            )

        return await self._database.transaction(work)

    async def _redrive_failed(self, request: contract.RedriveHook) -> int:
        since_ms = 0 if request.failed_since is None else _ms(request.failed_since)

        async def work(tx: Tx) -> int:
            await self._found(tx, request.hook_id)
            return await self._deliveries.redrive_failed(
                tx,
                request.hook_id,
                since_ms=since_ms,
                now_ms=self._runtime.clock.now_ms(),
                limit=REDRIVE_CHUNK,
            )

        total = 0
        while redriven := await self._database.transaction(work):
            total += redriven
        return total

    async def _change(self, hook_id: str, changes: dict[str, object]) -> None:
        async def work(tx: Tx) -> None:
            await self._hooks.save(tx, _with(await self._found(tx, hook_id), **changes))

        await self._database.transaction(work)

    async def _found(self, tx: Tx, hook_id: str) -> StoredHook:
        hook = await self._hooks.find_to_change(tx, hook_id)
        if hook is None:
            raise NotFound
        return hook

    def _new_secret(self) -> str:
        token = self._runtime.random.token(signing.SECRET_BYTES)
        return signing.secret_of(token.encode())


class HookRules:
    """Which URLs and events there may be subscriptions for."""

    def __init__(self, event_types: Collection[str], *, is_http_allowed: bool) -> None:
        self._event_types = frozenset(event_types)
        self._is_http_allowed = is_http_allowed

    def require_url(self, url: str) -> None:
        """Raises UnusableUrl."""
        mistake = mistake_in(url, is_http_allowed=self._is_http_allowed)
        if mistake:
            raise contract.UnusableUrl(mistake, field="url")

    def require_events(self, event_types: Collection[str]) -> None:
        """Raises UnknownEventType."""
        for name in event_types:
            if name not in self._event_types:
                known = ", ".join(sorted(self._event_types))
                raise contract.UnknownEventType(
                    f"there is no event {name}; there are {known}", event_type=name
                )


def _with(hook: StoredHook, **changes: object) -> StoredHook:
    return msgspec.structs.replace(hook, **changes)


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000)

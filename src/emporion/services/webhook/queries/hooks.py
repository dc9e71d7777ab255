"""Subscriptions, their deliveries and attempts, and what would be sent."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts import webhook as contract
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import DELIVERY, HOOK, DeliveryId, HookId, has_prefix
from emporion.services.webhook.domain.hook import HookStatus
from emporion.services.webhook.domain.schedule import Status
from emporion.services.webhook.ports import (
    DeliveryStore,
    HookStore,
    StoredAttempt,
    StoredDelivery,
    StoredHook,
)
from emporion.services.webhook.queries.signed import headers_of

COUNTED_MAX = 10_000
ATTEMPTS_MAX = 100
_AFTER_ALL_IDS = "~"
_NEWEST = 2**63 - 1
_DIGITS_MAX = 18


class Queries:
    """Reads of what is committed."""

    def __init__(
        self, database: Database, hooks: HookStore, deliveries: DeliveryStore, *, clock: Clock
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._deliveries = deliveries
        self._clock = clock

    async def hook(self, hook_id: str) -> contract.Hook:
        """One subscription. Raises NotFound."""

        async def work(tx: Tx) -> contract.Hook:
            return await self._view(tx, await self._found(tx, hook_id))

        return await self._database.read(work)

    async def hooks(self, request: contract.ListHooks) -> contract.HookPage:
        """A page, the newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, HOOK):
            raise UnknownCursor
        status = HookStatus(request.status.value) if request.status else None

        async def work(tx: Tx) -> tuple[list[contract.Hook], str]:
            found = await self._hooks.page(
                tx,
                status=status,
                before=request.cursor or _AFTER_ALL_IDS,
                limit=request.limit + 1,
            )
            page = found[: request.limit]
            cursor = page[-1].hook_id if len(found) > request.limit else ""
            return [await self._view(tx, hook) for hook in page], cursor

        hooks, next_cursor = await self._database.read(work)
        return contract.HookPage(hooks=hooks, next_cursor=next_cursor)

    async def deliveries(self, request: contract.ListDeliveries) -> contract.DeliveryPage:
        """A page, the newest first. Raises NotFound or UnknownCursor."""
        before = _below(request.cursor)
        status = Status(request.status.value) if request.status else None

        async def work(tx: Tx) -> list[StoredDelivery]:
            await self._found(tx, request.hook_id)
            return await self._deliveries.page(
                tx, request.hook_id, status=status, before=before, limit=request.limit + 1
            )

        found = await self._database.read(work)
        page = found[: request.limit]
        return contract.DeliveryPage(
            deliveries=[_summary(each) for each in page],
            next_cursor=str(page[-1].seq) if len(found) > request.limit else "",
        )

    async def delivery(self, request: contract.DeliveryOf) -> contract.Delivery:
        """A delivery and its attempts. Raises NotFound."""

        async def work(tx: Tx) -> tuple[StoredDelivery, list[StoredAttempt]]:
            _, stored = await self._found_delivery(tx, request)
            return stored, await self._deliveries.attempts(tx, stored.seq, limit=ATTEMPTS_MAX)

        stored, attempts = await self._database.read(work)
        return contract.Delivery(
            delivery=_summary(stored), attempts=[_attempt(each) for each in attempts]
        )

    async def preview(self, request: contract.DeliveryOf) -> contract.Preview:
        """What would be sent now. Raises NotFound."""

        async def work(tx: Tx) -> tuple[StoredHook, str, bytes]:
            hook, stored = await self._found_delivery(tx, request)
            return hook, stored.event_id, await self._deliveries.body(tx, stored.event_id)

        hook, event_id, body = await self._database.read(work)
        headers = headers_of(hook, event_id, body, now_ms=self._clock.now_ms())
        return contract.Preview(
            url=hook.url,
            headers=[contract.Header(name=name, value=value) for name, value in headers.items()],
            body=body.decode(),
        )

    async def _found(self, tx: Tx, hook_id: str) -> StoredHook:
        hook = await self._hooks.find(tx, hook_id)
        if hook is None:
            raise NotFound
        return hook

    async def _found_delivery(
        self, tx: Tx, request: contract.DeliveryOf
    ) -> tuple[StoredHook, StoredDelivery]:
        hook = await self._found(tx, request.hook_id)
        stored = await self._deliveries.find(tx, request.hook_id, seq_of(request.delivery_id))
        if stored is None:
            raise NotFound
        return hook, stored

    async def _view(self, tx: Tx, hook: StoredHook) -> contract.Hook:
        waiting, failed = await self._deliveries.counts(tx, hook.hook_id, limit=COUNTED_MAX)
        return contract.Hook(
            hook_id=HookId(hook.hook_id),
            url=hook.url,
            events=list(hook.events),
            description=hook.description,
            status=contract.HookStatus(hook.status.value),
            reason=hook.reason,
            since=to_datetime(hook.since_ms),
            created_at=to_datetime(hook.created_at_ms),
            created_by=hook.created_by,
            waiting=waiting,
            failed=failed,
        )


def seq_of(delivery_id: str) -> int:
    """The number in a delivery's id; beyond every number there is when it cannot be one."""
    return min(int(delivery_id[len(DELIVERY) + 1 :], 16), _NEWEST)


def _below(cursor: str) -> int:
    """The number below which a page begins. Raises UnknownCursor."""
    if not cursor:
        return _NEWEST
    if len(cursor) > _DIGITS_MAX or not (cursor.isascii() and cursor.isdecimal()):
        raise UnknownCursor
    return int(cursor)


def _summary(stored: StoredDelivery) -> contract.DeliverySummary:
    is_waiting = stored.status is Status.WAITING
    return contract.DeliverySummary(
        delivery_id=DeliveryId(f"{DELIVERY}_{stored.seq:032x}"),
        webhook_id=stored.event_id,
        event_type=stored.name,
        key=stored.key,
        status=contract.DeliveryStatus(stored.status.value),
        attempts=stored.attempts,
        last_status=stored.last_status,
        last_error=stored.last_error,
        created_at=to_datetime(stored.created_at_ms),
        next_at=to_datetime(stored.next_at_ms) if is_waiting else None,
    )


def _attempt(stored: StoredAttempt) -> contract.Attempt:
    return contract.Attempt(
        at=to_datetime(stored.at_ms),
        status=stored.status,
        duration_ms=stored.duration_ms,
        error=stored.error,
    )

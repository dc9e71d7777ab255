"""Sends what waits: each subscription on a few connections of its own, until it is taken."""

from msgspec.structs import replace

from emporion.chassis.calls.context import NO_TRACE, Call, Trace, current_call, enter
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.services.webhook.domain import schedule
from emporion.services.webhook.domain.hook import HookStatus
from emporion.services.webhook.domain.schedule import GONE, Status
from emporion.services.webhook.ports import (
    Courier,
    DeliveryStore,
    Due,
    HookStore,
    Reply,
    StoredAttempt,
    StoredHook,
    Tried,
)
from emporion.services.webhook.queries.signed import headers_of

SLOTS = 4
"""Messages under way to one subscription: a slow endpoint holds up its own, nobody else's."""
TAKEN_MS = 90_000
"""How long what an instance has taken is left to it: longer than a try may last."""
LOOK_AGAIN_MS = 60_000
KEEP_MS = 30 * 86_400_000
PRUNE_PAUSE_MS = 3_600_000
PRUNE_CHUNK = 1_000
GONE_REASON = "the endpoint said 410 Gone"


class Sender:
    """Takes due deliveries, sends them, writes down each try.

    A message arrives at least once. It arrives twice when the process dies between the endpoint's
    answer and the commit, or when the answer is lost; it then has the same `webhook-id`.
    Messages to one endpoint may overtake each other.
    """

    def __init__(
        self,
        database: Database,
        hooks: HookStore,
        deliveries: DeliveryStore,
        *,
        courier: Courier,
        runtime: Runtime,
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._deliveries = deliveries
        self._courier = courier
        self._runtime = runtime
        self._under_way: dict[str, set[int]] = {}
        self._is_first_run = database.engine == "sqlite"
        self.alarm = Alarm("send webhooks", runtime, self.run_due)
        self.pruning = Alarm("prune webhooks", runtime, self.prune)

    async def run_due(self) -> int | None:
        """Start to send what is due; when to look again (see Alarm). The end of a try pokes it."""
        now_ms = self._runtime.clock.now_ms()
        if self._is_first_run:
            await self._database.transaction(
                lambda tx: self._deliveries.give_back_all(tx, now_ms=now_ms)
            )
            self._is_first_run = False
        hooks = await self._database.read(self._hooks.active)
        nexts = [await self._start(hook, now_ms) for hook in hooks]
        return min([now_ms + LOOK_AGAIN_MS, *(next_ms for next_ms in nexts if next_ms)])

    async def prune(self) -> int | None:
        """Forget what is over for 30 days; when to run again."""
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> int:
            return await self._deliveries.prune(tx, before_ms=now_ms - KEEP_MS, limit=PRUNE_CHUNK)

        pruned = await self._database.transaction(work)
        return now_ms if pruned >= PRUNE_CHUNK else now_ms + PRUNE_PAUSE_MS

    async def _start(self, hook: StoredHook, now_ms: int) -> int | None:
        """Start what a subscription has due and room for; when there is more to do for it."""
        under_way = self._under_way.setdefault(hook.hook_id, set())
        room = SLOTS - len(under_way)
        if room <= 0:
            return None

        async def look(tx: Tx) -> int | None:
            return await self._deliveries.next_due_ms(tx, hook.hook_id)

        next_ms = await self._database.read(look)
        if next_ms is None or next_ms > now_ms:
            return next_ms

        async def work(tx: Tx) -> tuple[list[Due], int | None]:
            due = await self._deliveries.take(
                tx, hook.hook_id, now_ms=now_ms, until_ms=now_ms + TAKEN_MS, limit=room
            )
            return due, await self._deliveries.next_due_ms(tx, hook.hook_id)

        due, next_ms = await self._database.transaction(work)
        for each in due:
            under_way.add(each.seq)
            _ = self._runtime.tasks.spawn(f"webhook {each.event_id}", self._send(hook, each))
        return None if len(due) >= room else next_ms

    async def _send(self, hook: StoredHook, due: Due) -> None:
        """A task of its own, in the trace of the event, however long ago that was."""
        clock = self._runtime.clock
        call = current_call()
        trace = Trace.parse(due.traceparent) or NO_TRACE
        enter(Call(call.identity, trace, call.deadline_s, call.command))
        try:
            at_ms, started_s = clock.now_ms(), clock.monotonic_s()
            headers = headers_of(hook, due.event_id, due.body, now_ms=at_ms)
            reply = await self._courier.carry(hook.url, headers, due.body)
            duration_ms = round((clock.monotonic_s() - started_s) * 1_000)
            attempt = StoredAttempt(at_ms, reply.status, duration_ms, reply.error)
            await self._settle(hook, due, reply, attempt=attempt)
        finally:
            self._under_way[hook.hook_id].discard(due.seq)
            self.alarm.poke()

    async def _settle(
        self, hook: StoredHook, due: Due, reply: Reply, *, attempt: StoredAttempt
    ) -> None:
        chance = self._runtime.random.uniform(0, 1)
        tried = _tried(due, reply, attempt, now_ms=self._runtime.clock.now_ms(), chance=chance)

        async def work(tx: Tx) -> None:
            await self._deliveries.settle(tx, tried)
            if reply.status == GONE:
                await self._disable(tx, hook.hook_id, at_ms=attempt.at_ms)

        await self._database.transaction(work)

    async def _disable(self, tx: Tx, hook_id: str, *, at_ms: int) -> None:
        """Nobody is there any more: collect nothing for it, and give up what waits."""
        hook = await self._hooks.find_to_change(tx, hook_id)
        if hook is not None:
            gone = replace(hook, status=HookStatus.DISABLED, reason=GONE_REASON)
            await self._hooks.save(tx, gone)
            await self._deliveries.fail_waiting(tx, hook_id, GONE_REASON, at_ms=at_ms)


def _tried(due: Due, reply: Reply, attempt: StoredAttempt, *, now_ms: int, chance: float) -> Tried:
    """What a try makes of a delivery."""
    attempts = due.attempts + 1
    if schedule.is_taken(reply.status):
        return Tried(due.seq, Status.DELIVERED, attempts, now_ms, attempt)
    is_over = reply.status == GONE or schedule.is_hopeless(due.tried_since_ms, now_ms)
    status = Status.FAILED if is_over else Status.WAITING
    tried_for_ms = max(0, attempt.at_ms - due.tried_since_ms)
    pause_ms = schedule.pause_ms(tried_for_ms, chance, reply.retry_after_s)
    return Tried(due.seq, status, attempts, now_ms + pause_ms, attempt)

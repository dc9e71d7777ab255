"""Carries one publisher's events to one subscriber: batches, isolation of failures, retries.

A pump is the only one to move its cursor, and moves it in the transaction of the reactions. It
shares nothing with other pumps but the publisher's feed, so that a subscriber that is slow,
broken or paused holds up nobody else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Aside, Database, Tx
from emporion.chassis.events.bus import Counters, Delivery, Observer
from emporion.chassis.events.inbox import CursorMoved, Failure, Inbox, State, error_text
from emporion.chassis.events.isolation import Streak, all_after, other_keys_after, parted, settle
from emporion.chassis.events.log import Log, LogUnreachable
from emporion.chassis.events.reactions import Item, Reactions
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.events.subscription import Received
from emporion.chassis.events.tables import EventInbox
from emporion.chassis.events.turns import Turns
from emporion.chassis.resilience.faults import Fault
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime

T = TypeVar("T")
NO_KEYS: frozenset[str] = frozenset()
UNREACHABLE_PAUSE_MS = 5_000
"""After so long a log that could not be reached is tried again, unless it rings before."""

_log = logging.getLogger(__name__)


class Pump:
    """Carries the events of `feed` to one subscriber.

    Args:
        feed: the publisher's log.
        subscriber, database, reactions: who reacts, where, and how.
        inbox: where that database keeps what was handled; by default in tables.
        runtime, config: time and bounds.
        observe: told of each committed batch.
        turns: shared by the pumps of a process whose reactions hold up its requests.
    """

    def __init__(  # noqa: PLR0913 - one place builds pumps, by keyword
        self,
        feed: Log,
        *,
        subscriber: str,
        database: Database,
        reactions: Reactions,
        runtime: Runtime,
        config: BusConfig,
        observe: Observer | None,
        inbox: EventInbox | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.feed = feed
        self.subscriber = subscriber
        self.database = database
        self.inbox: EventInbox = inbox or Inbox(feed.source, subscriber)
        self.alarm = Alarm(f"{feed.source} -> {subscriber}", runtime, self.run_due)
        self.counters = Counters()
        self.position = 0
        self.is_paused = False
        self.is_open = True
        self._lock = asyncio.Lock()
        self._reactions = reactions
        self._runtime = runtime
        self._config = config
        self._observe = observe
        self._turns = turns
        self._identity = service_identity(subscriber)
        self._is_loaded = False
        self._is_agreed = False
        self._log = ""
        self._unreachable_until_ms: int | None = None
        self._stored = 0
        self._generation = 1
        self._retry_at_ms: int | None = None
        self._streak = Streak(runtime, config)
        self._is_news_first = False

    async def run_due(self) -> int | None:
        """Deliver a batch of what is due: retries, then news; when to run again (see Alarm).

        Raises what the databases raise: the cursor then stands where it stood, and everything
        is delivered again.
        """
        async with self._lock:
            try:
                return await self._run()
            except CursorMoved:
                self._is_loaded = False
                return self._now_ms()
            except Exception:
                self._is_loaded = False
                raise

    async def exclusively(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` while no reaction runs, then load the cursor again."""
        async with self._lock:
            try:
                return await work()
            finally:
                self._is_loaded = False
                self._streak.end()
                self.alarm.poke()

    def look_again(self) -> None:
        """The fallback: forget what is in memory and look at the tables."""
        self._is_loaded = False
        self.feed.ring()
        self.alarm.poke()

    async def set_paused(self, *, is_paused: bool) -> None:
        """Stop or go on delivering, also after a restart."""

        async def mark(tx: Tx) -> None:
            await self.inbox.join(tx, now_ms=self._now_ms())
            await self.inbox.pause(tx, is_paused=is_paused, now_ms=self._now_ms())

        await self.exclusively(lambda: self._transact(mark))

    async def rewind(self, position: int, *, sequence: int | None = None) -> None:
        """Deliver again what follows `position`, whatever was handled before.

        `sequence` is the publisher's own number of the event there, where that differs.
        """
        number = position if sequence is None else sequence

        async def back(tx: Tx) -> None:
            await self.inbox.rewind(tx, position=position, sequence=number, now_ms=self._now_ms())

        async def go() -> None:
            await self.load()
            await self._transact(back)
            self.feed.forget()

        await self.exclusively(go)

    def suffer(self, fault: Fault | None) -> None:
        """Deliver through a fault from now on; None: through none."""
        self.alarm.interpose(None if fault is None else fault.reaction)
        self._reactions.failure = None if fault is None else fault.failure

    async def close(self) -> None:
        """Finish the batch in flight, store the cursor, deliver no more."""
        self.is_open = False
        async with self._lock:
            await self.store()

    @property
    def wanted(self) -> Sequence[str]:
        """The names of the events that there is a reaction to."""
        return self._reactions.names

    @property
    def failures(self) -> int:
        """How many reactions raised since the process started."""
        return self._streak.failures

    @property
    def stored_position(self) -> int:
        """How far a restart would find it."""
        return self._stored

    async def load(self) -> None:
        """Know where it stands. Raises LogUnreachable, or what the databases raise."""
        await self._load_state()
        await self._agree()

    async def _load_state(self) -> None:
        """Read the cursor, and make it when this is a new subscriber."""
        if self._is_loaded:
            return
        state = await self.database.read(self.inbox.state)
        if state is None:
            await self._transact(lambda tx: self.inbox.join(tx, now_ms=self._now_ms()))
            state = State(0, 1, is_paused=False, next_due_ms=None)
        self.position = self._stored = state.position
        self._generation = state.generation
        self.is_paused = state.is_paused
        self._retry_at_ms = state.next_due_ms
        self._log = state.log
        self._is_agreed = False
        self._is_loaded = True

    async def _agree(self) -> None:
        """See that the cursor counts in the log that is there.

        In another log (the shop moved to a broker, or the broker lost its store) it begins at
        the beginning: what is in the inbox is recognised.
        """
        if self._is_agreed:
            return
        log = await self.feed.identity()
        if log != self._log:
            level = logging.WARNING if self.position else logging.INFO
            _log.log(level, "%s: begins to read the log %r", self.alarm.name, log)
            await self._move_to(0, log=log)
        elif self.position > await self.feed.head():
            await self._go_back()
        self._is_agreed = True

    async def store(self) -> None:
        """Store the cursor behind events that were skipped because nobody wanted them."""
        if not self._is_loaded or self.position == self._stored or self.is_paused:
            return
        await self._move_to(self.position)

    async def _go_back(self) -> None:
        """The publisher's log is shorter than it was: restored from a backup.

        What is in the inbox is recognised, so that going back is safe; going on from here would
        miss what is published until the log is as long as it was.
        """
        retention_s = self._config.retention_s
        kept_since_ms = 0 if retention_s is None else self._now_ms() - round(retention_s * 1000)
        self.feed.forget()
        start = await self.feed.before(kept_since_ms)
        _log.warning("%s: the log ends before %d; from %d", self.alarm.name, self._stored, start)
        await self._move_to(start)

    async def _move_to(self, position: int, *, log: str | None = None) -> None:
        goal = self._log if log is None else log
        state = State(self._stored, self._generation, self.is_paused, None, self._log)
        await self._transact(
            lambda tx: self.inbox.move(
                tx, state, position=position, log=goal, now_ms=self._now_ms()
            )
        )
        self.position = self._stored = position
        self._log = goal

    async def _run(self) -> int | None:
        await self._load_state()
        if self.is_paused or not self.is_open:
            return None
        work = [self._retry, self._deliver]
        if self._streak.is_broken:
            # What failed before and what is new take turns, so that neither hides a recovery.
            self._is_news_first = not self._is_news_first
            if self._is_news_first:
                work.reverse()
        has_more = False
        for part in work:
            if self._streak.resume_at_ms > self._now_ms():
                return self._streak.resume_at_ms
            has_more |= await part()
        if self._streak.resume_at_ms > self._now_ms():
            return self._streak.resume_at_ms
        if has_more:
            return self._now_ms()
        dues = [due for due in (self._retry_at_ms, self._unreachable_until_ms) if due is not None]
        return min(dues, default=None)

    def _batch_max(self) -> int:
        return 1 if self._streak.is_broken else self._config.batch_max

    async def _deliver(self) -> bool:
        """Deliver a batch from the log; whether there is more."""
        limit = self._batch_max()
        self._unreachable_until_ms = None
        try:
            await self._agree()
            seen = await self.feed.after(self.position, limit)
        except LogUnreachable:
            self._unreachable_until_ms = self._now_ms() + UNREACHABLE_PAUSE_MS
            return False
        if not seen:
            return False
        items = self._reactions.wanted(seen)
        if await settle(items, self._commit_news, after=all_after, streak=self._streak):
            self.position = seen[-1].position
            if self.position - self._stored >= self._config.skip_max:
                await self.store()
        self.feed.passed(self.position)
        return len(seen) == limit or self.feed.has_more

    async def _retry(self) -> bool:
        """Deliver a batch of parked events that are due; whether there is more."""
        now_ms = self._now_ms()
        if self._retry_at_ms is None or self._retry_at_ms > now_ms:
            return False
        limit = self._batch_max()
        due = await self.database.read(lambda tx: self.inbox.due(tx, now_ms=now_ms, limit=limit))
        if due:
            await settle(due, self._commit_retries, after=other_keys_after, streak=self._streak)
        else:
            self._retry_at_ms = await self.database.read(self.inbox.next_due)
        return self._retry_at_ms is not None and self._retry_at_ms <= now_ms

    async def _commit_news(self, batch: Sequence[Item], error: Exception | None) -> int:
        """One transaction: react to a batch of the log, set aside what must wait, move on."""
        now_ms = self._now_ms()
        failed = batch[-1] if error else None
        failure = self._judged(failed, error, now_ms) if failed and error else None

        async def work(tx: Tx) -> tuple[list[Received[Any]], int]:
            has_parked = self._retry_at_ms is not None
            blocked = await self.inbox.blocked(tx, batch) if has_parked else NO_KEYS
            ready, queued = parted(batch, failed, blocked)
            received, duplicates = await self._react(tx, batch, ready)
            is_first = failed is not None and failed.key not in blocked
            await self.inbox.park(tx, queued, failure if is_first else None, now_ms=now_ms)
            await self._advance(tx, batch[-1].position)
            return received, duplicates

        handled = await self._commit(work)
        self.position = self._stored = batch[-1].position
        if failure is not None and failure.next_at_ms is not None:
            due_ms = failure.next_at_ms
            self._retry_at_ms = min(self._retry_at_ms or due_ms, due_ms)
        return handled

    async def _commit_retries(self, batch: Sequence[Item], error: Exception | None) -> int:
        """One transaction: react to parked events; they leave, or wait longer, or are dead."""
        now_ms = self._now_ms()
        done = batch[:-1] if error else batch
        failure = self._judged(batch[-1], error, now_ms) if error else None

        async def work(tx: Tx) -> tuple[list[Received[Any]], int]:
            received, duplicates = await self._react(tx, batch, done)
            await self.inbox.settle(tx, done, failure, now_ms=now_ms)
            return received, duplicates

        handled = await self._commit(work)
        self._retry_at_ms = await self.database.read(self.inbox.next_due)
        return handled

    async def _react(
        self, tx: Tx, batch: Sequence[Item], ready: Sequence[Item]
    ) -> tuple[list[Received[Any]], int]:
        """Claim `ready`, react to what is new; and how many were there already."""
        if not ready:
            return [], 0
        fresh = await self.inbox.claim(
            tx, ready, generation=self._generation, now_ms=self._now_ms()
        )
        duplicates = len(ready) - len(fresh)
        now_s = self._runtime.clock.monotonic_s()
        return await self._reactions.run(tx, batch, fresh, now_s=now_s), duplicates

    async def _advance(self, tx: Tx, position: int) -> None:
        await self.inbox.advance(
            tx,
            generation=self._generation,
            before=self._stored,
            after=position,
            now_ms=self._now_ms(),
        )

    async def _commit(
        self, work: Callable[[Tx], Awaitable[tuple[list[Received[Any]], int]]]
    ) -> int:
        async with self._turns.turn() if self._turns else nullcontext():
            started_s = self._runtime.clock.monotonic_s()
            received, duplicates = await self._transact(work)
        self.counters.handled += len(received)
        self.counters.duplicates += duplicates
        self._reactions.committed(received)
        if self._observe is not None and received:
            elapsed_s = self._runtime.clock.monotonic_s() - started_s
            self._observe(Delivery(self.feed.source, self.subscriber, received, elapsed_s))
        return len(received)

    async def _transact(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """A transaction with the batch's time limit. Raises TimeoutError; it may yet commit."""
        limit_s = self._config.reaction_timeout_s
        deadline_s = self._runtime.clock.monotonic_s() + limit_s
        token = enter(Call(identity=self._identity, deadline_s=deadline_s))
        try:
            async with asyncio.timeout(limit_s):
                return await self.database.transaction(Aside(work))
        finally:
            leave(token)

    def _judged(self, item: Item, error: Exception, now_ms: int) -> Failure:
        """When a failed event is tried again, or that it is dead."""
        policy = self._config.retry
        attempts = item.attempts + 1
        if self._observe is not None and item.received is not None:
            self._observe(Delivery(self.feed.source, self.subscriber, [item.received], 0.0, error))
        first_ms = item.first_failed_at_ms
        what = (self.alarm.name, item.name, item.event_id, attempts)
        if first_ms is not None and policy.is_over(first_failed_at_ms=first_ms, now_ms=now_ms):
            _log.error("%s: %s %s is dead after %d attempts", *what, exc_info=error)
            return Failure(item, error_text(error), None)
        pause_ms = policy.pause_ms(attempts, self._runtime.random)
        _log.warning("%s: %s %s failed at attempt %d", *what, exc_info=error)
        return Failure(item, error_text(error), now_ms + pause_ms)

    def _now_ms(self) -> int:
        return self._runtime.clock.now_ms()

"""The bus of one process: the publishers' outbox tables are the log, one pump a pair carries it.

Nothing is copied to a broker: an event is one row in its publisher's file and, once handled, one
short row in each subscriber's. Nothing polls: the publisher's database rings after a commit that
published; a rare jittered sweep is only a net under that.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emporion.chassis.data.database import Database
from emporion.chassis.events import desk
from emporion.chassis.events.bus import (
    Features,
    Lag,
    Observer,
    ParkedPage,
    ParkedStatus,
)
from emporion.chassis.events.desk import Desk
from emporion.chassis.events.feed import Feed, waiting_about
from emporion.chassis.events.outbox import owner_of
from emporion.chassis.events.pump import Pump
from emporion.chassis.events.reactions import Reactions
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.events.subscription import Subscription
from emporion.chassis.events.turns import Turns
from emporion.chassis.resilience.faults import Fault
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import Event
from emporion.contracts.refusals import HistoryPruned, UnknownSubscriber

STOP_TIMEOUT_S = 10.0
PRUNE_EVERY_S = 3_600.0
FEATURES = Features(has_replay=True, has_pause=True, is_outbox_log=True)


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    database: Database
    subscriptions: tuple[Subscription[Any], ...]


class InProcessBus:
    """Bus between the services of one process, on their SQLite databases.

    Args:
        runtime: time, chance and tasks.
        config: bounds.
        owner_of: the service that publishes an event; by default the one whose contract
            declares it.
        observe: told of each committed batch, on the event loop.

    Join all services, ring `doorbell(name)` after commits that published, then `start`.
    """

    def __init__(
        self,
        runtime: Runtime,
        config: BusConfig | None = None,
        *,
        owner_of: Callable[[type[Event]], str] = owner_of,
        observe: Observer | None = None,
    ) -> None:
        self._runtime = runtime
        self._config = config or BusConfig()
        self._owner_of = owner_of
        self._observe = observe
        self._turns = Turns(runtime)
        self._services: dict[str, _Service] = {}
        self._pumps: list[Pump] = []
        self._by_source: dict[str, list[Pump]] = {}
        self._feeds: dict[str, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._rung_at_s: dict[str, float] = {}
        self._lingering: dict[str, asyncio.Task[None]] = {}

    @property
    def features(self) -> Features:
        """Everything: the log is a table."""
        return FEATURES

    def join(
        self, name: str, database: Database, subscriptions: Sequence[Subscription[Any]] = ()
    ) -> None:
        """See Bus.join."""
        if name in self._services:
            raise ValueError(f"there is already a service {name!r} on the bus")
        Reactions(name, subscriptions, timeout_s=0)
        self._services[name] = _Service(name, database, tuple(subscriptions))

    def doorbell(self, source: str) -> Callable[[], None]:
        """What to call on the loop after a commit that published: `db.on_published = ...`."""

        def ring() -> None:
            self.poke(source)

        return ring

    def poke(self, source: str) -> None:
        """That service published something. Cheap; does no I/O.

        The first ring after a quiet time is passed on at once, further ones at most every
        `linger_s`, together: a batch costs a commit, whatever its size.
        """
        feed = self._feeds.get(source)
        if feed is None:
            return  # nobody subscribes, or not started: the start looks by itself
        feed.ring()
        if source in self._lingering:
            return
        quiet_until_s = self._rung_at_s.get(source, -math.inf) + self._config.linger_s
        wait_s = quiet_until_s - self._runtime.clock.monotonic_s()
        if wait_s <= 0:
            self._wake(source)
        else:
            self._lingering[source] = self._runtime.tasks.spawn(
                f"bus linger {source}", self._wake_later(source, wait_s)
            )

    async def _wake_later(self, source: str, wait_s: float) -> None:
        try:
            await self._runtime.tasks.sleep(wait_s)
        finally:
            self._lingering.pop(source, None)
        self._wake(source)

    def _wake(self, source: str) -> None:
        self._rung_at_s[source] = self._runtime.clock.monotonic_s()
        for pump in self._by_source[source]:
            pump.alarm.poke()

    def prepare(self) -> None:
        """Make the pumps, without starting them. Raises LookupError on an unknown publisher."""
        if self._pumps:
            return
        for service in self._services.values():
            by_source: dict[str, list[Subscription[Any]]] = {}
            for subscription in service.subscriptions:
                by_source.setdefault(self._owner_of(subscription.event), []).append(subscription)
            for source, subscriptions in by_source.items():
                self._add_pump(source, service, subscriptions)

    def _add_pump(
        self, source: str, service: _Service, subscriptions: list[Subscription[Any]]
    ) -> None:
        publisher = self._services.get(source)
        if publisher is None:
            name = subscriptions[0].event.SPEC.name
            raise LookupError(f"{service.name} subscribes to {name}, but there is no {source!r}")
        feed = self._feeds.get(source)
        if feed is None:
            feed = Feed(source, publisher.database, buffer_max=self._config.buffer_max)
            self._feeds[source] = feed
        pump = Pump(
            feed,
            subscriber=service.name,
            database=service.database,
            reactions=Reactions(
                service.name, subscriptions, timeout_s=self._config.reaction_timeout_s
            ),
            runtime=self._runtime,
            config=self._config,
            observe=self._observe,
            turns=self._turns,
        )
        self._pumps.append(pump)
        self._by_source.setdefault(source, []).append(pump)

    async def start(self) -> None:
        """See Bus.start. A database that does not answer delays its own subscribers only."""
        self.prepare()
        for pump in self._pumps:
            pump.is_open = True
        spawn = self._runtime.tasks.spawn
        self._tasks = [spawn(f"bus {pump.alarm.name}", pump.alarm.serve()) for pump in self._pumps]
        self._tasks.append(spawn("bus sweep", self._sweep()))

    async def stop(self) -> None:
        """See Bus.stop. Waits at most STOP_TIMEOUT_S; what was cut off is delivered again."""
        tasks, self._tasks = [*self._tasks, *self._lingering.values()], []
        self._lingering = {}
        closing = [asyncio.ensure_future(pump.close()) for pump in self._pumps]
        if closing:
            _, late = await asyncio.wait(closing, timeout=STOP_TIMEOUT_S)
            for each in late:
                each.cancel()
        for task in tasks:
            task.cancel("the bus stops")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)

    async def deliver_due(self) -> int | None:
        """Run every pump until nothing is due; the instant of the next retry, or None.

        For draining, and for tests that hold time in their hands; may be called instead of
        `start` or beside it. Raises what the databases raise.
        """
        self.prepare()
        for feed in self._feeds.values():
            feed.ring()
        while True:
            dues = [await pump.run_due() for pump in self._pumps]
            later = [due for due in dues if due is not None]
            if not later or min(later) > self._runtime.clock.now_ms():
                return min(later, default=None)

    async def pause(self, subscriber: str) -> None:
        """See Bus.pause."""
        await self._set_paused(subscriber, is_paused=True)

    async def resume(self, subscriber: str) -> None:
        """See Bus.resume."""
        await self._set_paused(subscriber, is_paused=False)

    async def _set_paused(self, subscriber: str, *, is_paused: bool) -> None:
        for pump in self._pumps_of(subscriber):
            await pump.set_paused(is_paused=is_paused)

    def suffer(self, subscriber: str, fault: Fault | None) -> None:
        """See Bus.suffer."""
        self.prepare()
        for pump in self._pumps:
            if pump.subscriber == subscriber:
                pump.suffer(fault)

    async def lag(self) -> list[Lag]:
        """See Bus.lag."""
        self.prepare()
        return [await self._lag_of(pump) for pump in self._pumps]

    async def _lag_of(self, pump: Pump) -> Lag:
        await pump.load()
        publisher = self._services[pump.feed.source].database
        found = await waiting_about(publisher, pump.position, pump.wanted, rest=self._rest)
        oldest_at_ms = found.oldest_at_ms
        parked, dead = await Desk(pump.subscriber, pump.database).count(pump.feed.source)
        return Lag(
            source=pump.feed.source,
            subscriber=pump.subscriber,
            is_paused=pump.is_paused,
            waiting=found.number,
            is_more=found.is_more,
            oldest_ms=max(0, self._runtime.clock.now_ms() - oldest_at_ms) if oldest_at_ms else 0,
            parked=parked,
            dead=dead,
            handled=pump.counters.handled,
            failures=pump.failures,
            duplicates=pump.counters.duplicates,
        )

    async def _rest(self) -> None:
        await self._runtime.tasks.sleep(0)

    async def parked(
        self,
        subscriber: str,
        *,
        status: ParkedStatus = ParkedStatus.DEAD,
        limit: int = 50,
        cursor: str = "",
    ) -> ParkedPage:
        """See Bus.parked."""
        pump = self._pumps_of(subscriber)[0]
        return await Desk(subscriber, pump.database).page(status=status, limit=limit, cursor=cursor)

    async def redrive(
        self, subscriber: str, *, event_ids: Sequence[str] | None = None, name: str | None = None
    ) -> int:
        """See Bus.redrive."""
        pumps = self._pumps_of(subscriber)
        now_ms = self._runtime.clock.now_ms()
        redriven = await Desk(subscriber, pumps[0].database).redrive(
            now_ms=now_ms, event_ids=event_ids, name=name
        )
        for pump in pumps:
            pump.look_again()
        return redriven

    async def replay(
        self,
        subscriber: str,
        source: str,
        *,
        after_position: int = 0,
        since_ms: int | None = None,
    ) -> int:
        """See Bus.replay.

        The subscriber enters a new generation: its inbox rows of the old one stay where they are
        and no longer count, so that going back costs one row whatever the history's length.
        Events set aside after that position leave: the log delivers them again.
        """
        pump = next((p for p in self._pumps_of(subscriber) if p.feed.source == source), None)
        if pump is None:
            raise UnknownSubscriber(f"{subscriber} does not subscribe to {source}")
        feed = self._feeds[source]
        position = after_position if since_ms is None else await feed.before(since_ms)
        first = await feed.first_after(0)
        if first is not None and first[0] > position + 1:
            raise HistoryPruned(f"the log of {source} begins at {first[0]}", first=first[0])
        await pump.rewind(position)
        return position

    async def prune(self) -> int:
        """Delete what is older than the retention and was passed by all; how many rows.

        Does nothing when `retention_s` is None. "All" are the subscribers joined in this
        process: join one that is stopped for long, or it misses what was pruned.
        """
        self.prepare()
        if self._config.retention_s is None:
            return 0
        before_ms = self._runtime.clock.now_ms() - round(self._config.retention_s * 1000)
        deleted = 0
        for service in self._services.values():
            deleted += await desk.prune_inbox(service.database, before_ms=before_ms)
            deleted += await self._prune_log(service, before_ms)
        return deleted

    async def _prune_log(self, service: _Service, before_ms: int) -> int:
        feed = self._feeds.get(service.name) or Feed(service.name, service.database, buffer_max=0)
        pumps = self._by_source.get(service.name, [])
        for pump in pumps:
            await pump.load()
        passed = [pump.stored_position for pump in pumps]
        below = min([await feed.before(before_ms), await feed.head() - 1, *passed]) + 1
        return await desk.prune_outbox(service.database, below=below)

    async def _sweep(self) -> None:
        clock, random = self._runtime.clock, self._runtime.random
        prune_at_s = clock.monotonic_s() + PRUNE_EVERY_S
        while True:
            pause_s = random.uniform(self._config.sweep_s, 2 * self._config.sweep_s)
            await self._runtime.tasks.sleep(pause_s)
            for pump in self._pumps:
                pump.look_again()
            if clock.monotonic_s() >= prune_at_s:
                prune_at_s = clock.monotonic_s() + PRUNE_EVERY_S
                await self.prune()

    def _pumps_of(self, subscriber: str) -> list[Pump]:
        self.prepare()
        pumps = [pump for pump in self._pumps if pump.subscriber == subscriber]
        if not pumps:
            raise UnknownSubscriber(f"no service {subscriber!r} subscribes to anything")
        return pumps

"""The bus over a broker: publishers and subscribers may live in different processes.

    bus = BrokerBus(runtime, broker, BrokerConfig(), observe=...)
    bus.join("order", database, subscriptions)        # each service of this process
    database.on_published = bus.doorbell("order")
    await bus.start()                                  # connects in the background
    await bus.stop()

It stands beside InProcessBus behind the same port. What a broker does differently it says in
`features`; that several instances of a service share the work by a lease is Member's matter.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from emporion.chassis.data.database import Database
from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.member import INSTANCE, Carrier, Member
from emporion.chassis.events.broker.port import (
    Broker,
    Link,
    PublisherElsewhere,
    Refillable,
    Rewindable,
    Subscribed,
)
from emporion.chassis.events.broker.relay import Relay
from emporion.chassis.events.bus import Features, Lag, Observer, ParkedPage, ParkedStatus
from emporion.chassis.events.outbox import owner_of
from emporion.chassis.events.pump import Pump
from emporion.chassis.events.reactions import Reactions
from emporion.chassis.events.sql_tables import event_tables
from emporion.chassis.events.subscription import Subscription
from emporion.chassis.resilience.faults import Fault
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.contract import Event
from emporion.contracts.refusals import HistoryPruned, UnknownSubscriber

_log = logging.getLogger(__name__)
STOP_TIMEOUT_S = 10.0
PRUNE_EVERY_S = 3_600.0
REFILL_CHUNK = 500


class BrokerBus:
    """Bus between the services of many processes.

    Args:
        runtime: time, chance and tasks.
        broker: the connection of this process.
        config: bounds.
        owner_of: the service that publishes an event; by default the one whose contract
            declares it. It need not be in this process.
        observe: told of each committed batch, on the event loop.
        instance: the name of this process among those of the shop, the same after a restart: so
            it goes on at once where it was killed. Empty: a new one, which waits for the leases.
    """

    def __init__(  # noqa: PLR0913 - one place builds buses, by keyword
        self,
        runtime: Runtime,
        broker: Broker,
        config: BrokerConfig | None = None,
        *,
        owner_of: Callable[[type[Event]], str] = owner_of,
        observe: Observer | None = None,
        instance: str = "",
    ) -> None:
        self._runtime = runtime
        self._broker = broker
        self._config = config or BrokerConfig()
        self._owner_of = owner_of
        self._observe = observe
        self._instance = instance or runtime.ids.new(INSTANCE)
        self._members: dict[str, Member] = {}
        self._tasks: list[asyncio.Task[None]] = []
        broker.on_up(self._look_again)

    @property
    def features(self) -> Features:
        """What the broker can do."""
        return self._broker.features

    def join(
        self, name: str, database: Database, subscriptions: Sequence[Subscription[Any]] = ()
    ) -> None:
        """See Bus.join."""
        if name in self._members:
            raise ValueError(f"there is already a service {name!r} on the bus")
        Reactions(name, subscriptions, timeout_s=0)
        tables = event_tables(database)
        relay = Relay(
            name, tables.outbox(), self._broker, runtime=self._runtime, config=self._config
        )
        member = Member(
            name,
            database,
            tables,
            relay=relay,
            runtime=self._runtime,
            config=self._config,
            instance=self._instance,
        )
        by_source: dict[str, list[Subscription[Any]]] = {}
        for subscription in subscriptions:
            by_source.setdefault(self._owner_of(subscription.event), []).append(subscription)
        for source, wanted in by_source.items():
            member.carriers.append(self._carrier(source, member, wanted))
        self._members[name] = member

    def _carrier(
        self, source: str, member: Member, subscriptions: list[Subscription[Any]]
    ) -> Carrier:
        bounds = self._config.bus
        reactions = Reactions(member.name, subscriptions, timeout_s=bounds.reaction_timeout_s)
        log = self._broker.subscribed(Link(source, member.name, reactions.names))
        pump = Pump(
            log,
            subscriber=member.name,
            database=member.database,
            reactions=reactions,
            runtime=self._runtime,
            config=bounds,
            observe=self._observe,
            inbox=member.tables.inbox(source, member.name),
        )
        pump.is_open = False
        return Carrier(pump, log, runtime=self._runtime, linger_s=bounds.linger_s)

    def doorbell(self, source: str) -> Callable[[], None]:
        """What to call on the loop after a commit that published: `db.on_published = ...`."""

        def ring() -> None:
            self.poke(source)

        return ring

    def poke(self, source: str) -> None:
        """That service published something. Cheap; does no I/O."""
        member = self._members.get(source)
        if member is not None and member.relay.is_open:
            member.published.ring()

    async def start(self) -> None:
        """See Bus.start. A broker that is away delays the events and nothing else."""
        await self._broker.open()
        spawn = self._runtime.tasks.spawn
        for member in self._members.values():
            alarms = [member.alarm, member.relay.alarm, *(pump.alarm for pump in member.pumps)]
            self._tasks += [spawn(f"bus {alarm.name}", alarm.serve()) for alarm in alarms]
        self._tasks.append(spawn("bus sweep", self._sweep()))

    async def stop(self) -> None:
        """See Bus.stop. Waits at most STOP_TIMEOUT_S; what was cut off is delivered again."""
        tasks, self._tasks = self._tasks, []
        closing = [asyncio.ensure_future(self._leave(each)) for each in self._members.values()]
        if closing:
            done, late = await asyncio.wait(closing, timeout=STOP_TIMEOUT_S)
            for each in late:
                each.cancel()
            for error in [each.exception() for each in done]:
                if error is not None:
                    _log.warning("a service left the bus: %r", error)
        for task in tasks:
            task.cancel("the bus stops")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
        await self._broker.close()

    async def _leave(self, member: Member) -> None:
        member.alarm.close()
        member.published.end()
        await member.rest()
        await member.give_up()

    async def deliver_due(self) -> int | None:
        """Relay and deliver until nothing is due; the instant of the next retry, or None.

        For draining, and for tests that hold time in their hands; instead of `start` it takes
        the services' leases meanwhile. Raises what the databases raise.
        """
        is_started = bool(self._tasks)
        await self._broker.open()
        held = await self.take_leases()
        ours = [self._members[name] for name in held]
        try:
            for member in ours:
                member.open()
                for pump in member.pumps if not is_started else ():
                    pump.feed.forget()
            return await self._run_until_nothing_is_due(ours)
        finally:
            for member in ours if not is_started else ():
                await member.give_up()

    async def take_leases(self) -> list[str]:
        """Have the leases of all services here that no other instance has; their names."""
        return [name for name, member in self._members.items() if await member.take()]

    async def _run_until_nothing_is_due(self, members: Sequence[Member]) -> int | None:
        while True:
            dues = [await member.relay.run_due() for member in members]
            dues += [await pump.run_due() for member in members for pump in member.pumps]
            later = [due for due in dues if due is not None]
            if not later or min(later) > self._runtime.clock.now_ms():
                return min(later, default=None)

    async def pause(self, subscriber: str) -> None:
        """See Bus.pause. Other instances notice with the batch that they are at."""
        for carrier in self._carriers_of(subscriber):
            await carrier.pump.set_paused(is_paused=True)

    async def resume(self, subscriber: str) -> None:
        """See Bus.resume. Other instances notice with their next sweep."""
        for carrier in self._carriers_of(subscriber):
            await carrier.pump.set_paused(is_paused=False)

    def suffer(self, subscriber: str, fault: Fault | None) -> None:
        """See Bus.suffer."""
        member = self._members.get(subscriber)
        for pump in member.pumps if member is not None else ():
            pump.suffer(fault)

    async def lag(self) -> list[Lag]:
        """See Bus.lag: of the subscribers of this process. Raises LogUnreachable."""
        return [
            await self._lag_of(member, carrier)
            for member in self._members.values()
            for carrier in member.carriers
        ]

    async def _lag_of(self, member: Member, carrier: Carrier) -> Lag:
        pump = carrier.pump
        await pump.load()
        number, oldest_at_ms = await carrier.log.waiting(pump.position)
        parked, dead = await member.tables.desk(member.name).count(pump.feed.source)
        now_ms = self._runtime.clock.now_ms()
        return Lag(
            source=pump.feed.source,
            subscriber=member.name,
            is_paused=pump.is_paused,
            waiting=number,
            oldest_ms=max(0, now_ms - oldest_at_ms) if oldest_at_ms else 0,
            parked=parked,
            dead=dead,
            handled=pump.counters.handled,
            failures=pump.failures,
            duplicates=pump.counters.duplicates,
        )

    async def unsent(self) -> dict[str, tuple[int, int | None]]:
        """For each service here: how many events wait for the broker, and since when (ms)."""
        return {name: await member.relay.outbox.waiting() for name, member in self._members.items()}

    async def parked(
        self,
        subscriber: str,
        *,
        status: ParkedStatus = ParkedStatus.DEAD,
        limit: int = 50,
        cursor: str = "",
    ) -> ParkedPage:
        """See Bus.parked."""
        desk = self._member(subscriber).tables.desk(subscriber)
        return await desk.page(status=status, limit=limit, cursor=cursor)

    async def redrive(
        self, subscriber: str, *, event_ids: Sequence[str] | None = None, name: str | None = None
    ) -> int:
        """See Bus.redrive. Another instance that carries its events notices with its sweep."""
        member = self._member(subscriber)
        redriven = await member.tables.desk(subscriber).redrive(
            now_ms=self._runtime.clock.now_ms(), event_ids=event_ids, name=name
        )
        for pump in member.pumps:
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
        """See Bus.replay. Positions are those of the broker's log; without one, the outbox's.

        Raises LogUnreachable, or PublisherElsewhere when the broker keeps no log and the
        publisher is not in this process.
        """
        carriers = self._carriers_of(subscriber)
        carrier = next((each for each in carriers if each.log.source == source), None)
        if carrier is None:
            raise UnknownSubscriber(f"{subscriber} does not subscribe to {source}")
        log: Subscribed | Rewindable = carrier.log
        if isinstance(log, Refillable):
            return await self._refill(carrier, log, after=after_position, since_ms=since_ms or 0)
        assert isinstance(log, Rewindable)  # noqa: S101 - a log is one or the other
        position = after_position if since_ms is None else await log.before(since_ms)
        first = await log.first()
        if first is not None and first > position + 1:
            raise HistoryPruned(f"the log of {source} begins at {first}", first=first)
        await carrier.pump.rewind(position, sequence=await log.sequence_at(position))
        return position

    async def _refill(self, carrier: Carrier, log: Refillable, *, after: int, since_ms: int) -> int:
        """Send again to one subscriber; positions are those of the publisher's outbox."""
        source, pump = carrier.log.source, carrier.pump
        publisher = self._members.get(source)
        if publisher is None:
            raise PublisherElsewhere(f"replay it in the process of {source}")
        outbox = publisher.relay.outbox
        rows = await outbox.sent_since(since_ms, after=after, limit=REFILL_CHUNK)
        start = rows[0].position - 1 if rows else after
        await pump.load()
        await pump.rewind(pump.position, sequence=start)
        occasion = self._runtime.ids.new("replay")
        while rows:
            wanted = [row for row in rows if row.name in pump.wanted]
            await log.send(wanted, occasion=occasion)
            after = rows[-1].position
            rows = await outbox.sent_since(since_ms, after=after, limit=REFILL_CHUNK)
        return start

    async def resend(self, source: str, *, since_ms: int) -> int:
        """Send again what a service here published since an instant; how many events.

        For a broker that lost what it had acknowledged. Subscribers recognise what they handled.
        Raises UnknownSubscriber when that service is not here.
        """
        member = self._member(source)
        count = await member.relay.outbox.resend(since_ms=since_ms)
        member.relay.look_again()
        return count

    async def prune(self) -> int:
        """Delete what is older than the retention, was sent, and is past `resend_window_s`."""
        bounds = self._config
        if bounds.bus.retention_s is None:
            return 0
        now_ms = self._runtime.clock.now_ms()
        before_ms = now_ms - round(bounds.bus.retention_s * 1000)
        sent_before_ms = now_ms - round(bounds.resend_window_s * 1000)
        deleted = 0
        for member in self._members.values():
            deleted += await member.tables.prune_inbox(before_ms=before_ms)
            deleted += await member.relay.outbox.prune(
                before_ms=before_ms, sent_before_ms=sent_before_ms
            )
        return deleted

    async def _sweep(self) -> None:
        clock, random, sweep_s = self._runtime.clock, self._runtime.random, self._config.bus.sweep_s
        prune_at_s = clock.monotonic_s() + PRUNE_EVERY_S
        while True:
            await self._runtime.tasks.sleep(random.uniform(sweep_s, 2 * sweep_s))
            self._look_again()
            if clock.monotonic_s() >= prune_at_s:
                prune_at_s = clock.monotonic_s() + PRUNE_EVERY_S
                await self.prune()

    def _look_again(self) -> None:
        for member in self._members.values():
            member.look_again()

    def _member(self, name: str) -> Member:
        member = self._members.get(name)
        if member is None:
            raise UnknownSubscriber(f"no service {name!r} is on this bus")
        return member

    def _carriers_of(self, subscriber: str) -> list[Carrier]:
        member = self._members.get(subscriber)
        if member is None or not member.carriers:
            raise UnknownSubscriber(f"no service {subscriber!r} subscribes to anything")
        return member.carriers

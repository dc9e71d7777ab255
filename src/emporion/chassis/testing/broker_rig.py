"""The rig of a bus over a broker: the same services, each bus with a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from emporion.chassis.data.database import Database
from emporion.chassis.events.broker.bus import BrokerBus
from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.port import Broker
from emporion.chassis.events.bus import Delivery
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.events.tables import Row
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.bus_rig import CONFIG, PUBLISHER, BusRig, StepDone, Subscriber
from emporion.chassis.testing.databases import Engine

Wrap = Callable[[Broker], Broker]


@dataclass
class Running:
    """A bus that was started, and what it delivered."""

    bus: BrokerBus
    deliveries: "asyncio.Queue[Delivery]"

    async def steps(self, count: int) -> list[int]:
        """The steps of the next `count` events, as soon as their reactions are committed."""
        found: list[int] = []
        while len(found) < count:
            delivery = await self.deliveries.get()
            for received in delivery.received:
                assert isinstance(received.event, StepDone)  # noqa: S101 - all that is wanted
                found.append(received.event.step)
        return found


class BrokerRig(BusRig):
    """BusRig on a broker.

    Args:
        connect: makes the connection of one more process.
        runtime: the time that the services live in; by default the test's own.
        engine: of all databases.
    """

    def __init__(
        self,
        folder: Path,
        connect: Callable[[], Broker],
        config: BusConfig = CONFIG,
        *,
        runtime: Runtime | None = None,
        engine: Engine = "sqlite",
    ) -> None:
        super().__init__(folder, config, publisher_on=engine, subscribers_on=engine)
        self.runtime = runtime or self.runtime
        self.stories = 3
        """How many stories of random losses are told; fewer where the broker is slow."""
        self._connect = connect
        self._brokers: list[Broker] = []
        self.broker_config = replace(BrokerConfig(), bus=config, relay_linger_s=0.0)

    async def __aexit__(self, *exit_: object) -> None:
        for broker in self._brokers:
            await broker.close()
        await super().__aexit__(*exit_)

    def _make_bus(self) -> BrokerBus:
        return self.empty_bus()

    def empty_bus(
        self,
        *,
        wrap: Wrap = lambda broker: broker,
        observe: Callable[[Delivery], None] | None = None,
        instance: str = "",
    ) -> BrokerBus:
        """A further bus with nobody on it: another process, perhaps with faults in `wrap`."""
        broker = self._connect()
        self._brokers.append(broker)
        return BrokerBus(
            self.runtime,
            wrap(broker),
            self.broker_config,
            owner_of=lambda _: PUBLISHER,
            observe=observe,
            instance=instance,
        )

    def publishing_bus(self, *, wrap: Wrap = lambda broker: broker) -> BrokerBus:
        """A process that holds the publisher alone."""
        bus = self.empty_bus(wrap=wrap)
        bus.join(PUBLISHER, self.publisher)
        return bus

    def subscribing_bus(
        self,
        *subscribers: Subscriber,
        wrap: Wrap = lambda broker: broker,
        instance: str = "",
    ) -> BrokerBus:
        """A process that holds subscribers alone."""
        bus = self.empty_bus(wrap=wrap, instance=instance)
        for each in subscribers:
            bus.join(each.name, each.database, each.subscriptions)
        return bus

    @asynccontextmanager
    async def running(
        self, *subscribers: Subscriber, publisher: Database | None = None
    ) -> AsyncIterator[Running]:
        """A process with these services on a bus that is started, and stopped at the end."""
        deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        bus = self.empty_bus(observe=deliveries.put_nowait)
        if publisher is not None:
            bus.join(PUBLISHER, publisher)
            self.publisher.on_published = bus.doorbell(PUBLISHER)
        for each in subscribers:
            bus.join(each.name, each.database, each.subscriptions)
        await bus.start()
        try:
            yield Running(bus, deliveries)
        finally:
            await bus.stop()

    async def redeliver(self) -> None:
        """Make the broker deliver again what was not acknowledged, if it does so by time."""

    async def send_rubbish(self, name: str, body: bytes) -> None:
        """Send something that is no event under the name of one, past every outbox."""
        broker = self._connect()
        self._brokers.append(broker)
        await broker.open()
        rubbish = Row(1, "rubbish", name, "rubbish", 0, body)
        (result,) = await broker.send(PUBLISHER, [rubbish])
        if result is not None:
            raise result

    def retain(self, duration_s: float) -> None:
        """Buses made from now on keep events for so long."""
        bus = replace(self.config, retention_s=duration_s)
        self.broker_config = replace(self.broker_config, bus=bus)

    async def run_in_turn(self, *buses: BrokerBus) -> None:
        """Let each of several processes do what is due, until nothing is."""
        for _ in range(2):
            for bus in buses:
                await bus.deliver_due()

    async def open_subscriber(self, name: str) -> Subscriber:
        """A new subscriber that is not on the rig's own bus."""
        subscriber = await self.subscribe(name)
        del self.subscribers[name]
        self.restart()
        return subscriber

    async def publish_each(self, key: str, steps: Sequence[int]) -> None:
        """Publish steps of one key, each in a transaction of its own."""
        for step in steps:
            await self.publish_steps(key, [step])

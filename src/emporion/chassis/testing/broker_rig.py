"""The rig of a bus over a broker: the same services, each bus with a connection of its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from emporion.chassis.events.broker.bus import BrokerBus
from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.port import Broker
from emporion.chassis.events.retry import BusConfig
from emporion.chassis.testing.bus_rig import CONFIG, PUBLISHER, BusRig


class BrokerRig(BusRig):
    """BusRig on a broker. `connect` makes a connection of one more process."""

    def __init__(
        self, folder: Path, connect: Callable[[], Broker], config: BusConfig = CONFIG
    ) -> None:
        super().__init__(folder, config)
        self._connect = connect
        self._brokers: list[Broker] = []
        self.broker_config = replace(BrokerConfig(), bus=config, relay_linger_s=0.0)

    async def __aexit__(self, *exit_: object) -> None:
        for broker in self._brokers:
            await broker.close()
        await super().__aexit__(*exit_)

    def _make_bus(self) -> BrokerBus:
        return self.broker_bus()

    def broker_bus(self) -> BrokerBus:
        """A further bus with nobody on it: another process."""
        broker = self._connect()
        self._brokers.append(broker)
        return BrokerBus(self.runtime, broker, self.broker_config, owner_of=lambda _: PUBLISHER)

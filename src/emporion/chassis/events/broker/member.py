"""A service on the bus: its relay, its pumps, and the lease by which one instance runs them."""

import logging
from collections.abc import Sequence

from emporion.chassis.data.database import Database
from emporion.chassis.events.broker.config import BrokerConfig
from emporion.chassis.events.broker.port import Subscribed
from emporion.chassis.events.broker.relay import Relay
from emporion.chassis.events.linger import Linger
from emporion.chassis.events.pump import Pump
from emporion.chassis.events.tables import EventTables
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime

INSTANCE = "instance"
RENEWALS = 3
"""How often a lease is renewed while it lasts."""
_log = logging.getLogger(__name__)


class Carrier:
    """A pump, and the log at the broker that it reads."""

    def __init__(self, pump: Pump, log: Subscribed, *, runtime: Runtime, linger_s: float) -> None:
        self.pump = pump
        self.log = log
        self.news = Linger(pump.alarm.name, runtime, pump.alarm.poke, duration_s=linger_s)


class Member:
    """One service of this process.

    While it has the lease, its relay and pumps are open; without it they rest, and the instance
    that has it carries its events. Losing it unnoticed is harmless: cursors and inboxes are
    guarded by the database.
    """

    def __init__(  # noqa: PLR0913 - one place builds members, by keyword
        self,
        name: str,
        database: Database,
        tables: EventTables,
        *,
        relay: Relay,
        runtime: Runtime,
        config: BrokerConfig,
        instance: str,
    ) -> None:
        self.name = name
        self.database = database
        self.tables = tables
        self.relay = relay
        self.carriers: list[Carrier] = []
        self.published = Linger(
            relay.alarm.name, runtime, relay.alarm.poke, duration_s=config.relay_linger_s
        )
        self.alarm = Alarm(f"lease of {name}", runtime, self.run_due)
        self._lease = tables.lease()
        self._owner = instance
        self._runtime = runtime
        self._lease_ms = round(config.lease_s * 1000)
        self._is_held = False

    @property
    def pumps(self) -> Sequence[Pump]:
        """Its pumps, one for each publisher that it subscribes to."""
        return [carrier.pump for carrier in self.carriers]

    async def run_due(self) -> int | None:
        """Take or renew the lease; when to do so again. Raises what the database raises."""
        now_ms = self._runtime.clock.now_ms()
        is_ours = await self.take()
        if is_ours and not self._is_held:
            await self._begin()
        elif not is_ours and self._is_held:
            _log.warning("%s: another instance carries its events now", self.name)
            await self.rest()
        self._is_held = is_ours
        return now_ms + self._lease_ms // RENEWALS

    async def take(self) -> bool:
        """Try to have the lease from now on."""
        now_ms = self._runtime.clock.now_ms()
        until_ms = now_ms + self._lease_ms
        return await self._lease.take(self._owner, now_ms=now_ms, until_ms=until_ms)

    async def give_up(self) -> None:
        """Let another instance carry its events at once."""
        self._is_held = False
        await self._lease.give_up(self._owner)

    def open(self) -> None:
        """Let relay and pumps run."""
        self.relay.is_open = True
        for pump in self.pumps:
            pump.is_open = True

    async def _begin(self) -> None:
        self.open()
        for carrier in self.carriers:
            await carrier.log.listen(carrier.news.ring)
            carrier.pump.look_again()
        self.relay.look_again()

    async def rest(self) -> None:
        """Finish the batches in flight and run no more."""
        self.relay.is_open = False
        for carrier in self.carriers:
            carrier.news.end()
            await carrier.pump.close()
            await carrier.log.close()

    def look_again(self) -> None:
        """The broker came back, or a while has passed: look at everything."""
        self.relay.look_again()
        for pump in self.pumps:
            pump.look_again()

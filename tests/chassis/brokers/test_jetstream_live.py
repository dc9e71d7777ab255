"""The bus over NATS as processes run it: woken by doorbells, over a server that comes and goes."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emporion.chassis.brokers.jetstream.broker import JetStreamBroker
from emporion.chassis.brokers.jetstream.connection import JetStreamConfig
from emporion.chassis.runtime.system import SystemClock, system_runtime
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.bus_rig import CONFIG
from tests.chassis.brokers.servers import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of the test's own, to be killed."""
    own = NatsServer(tmp_path / "nats")
    own.start()
    yield own
    own.stop()


@pytest.fixture
async def rig(tmp_path: Path, server: NatsServer) -> AsyncIterator[BrokerRig]:
    config = JetStreamConfig(servers=(server.url,), request_timeout_s=1.0)
    async with BrokerRig(
        tmp_path,
        lambda: JetStreamBroker(config, SystemClock()),
        replace(CONFIG, linger_s=0.01),
        runtime=system_runtime(),
    ) as opened:
        yield opened


async def test_an_event_crosses_processes_without_being_polled_for(rig: BrokerRig):
    mail = await rig.open_subscriber("mail")
    async with rig.running(publisher=rig.publisher), rig.running(mail) as process:
        for step in range(5):
            await rig.publish_steps("a", [step])

            assert await process.steps(1) == [step]


async def test_what_is_published_while_the_broker_is_away_arrives_when_it_is_back(
    rig: BrokerRig, server: NatsServer
):
    mail = await rig.open_subscriber("mail")
    async with rig.running(publisher=rig.publisher), rig.running(mail) as process:
        await rig.publish_each("a", range(3))
        await process.steps(3)
        server.kill()
        await rig.publish_each("a", range(3, 6))
        server.start()

        assert await process.steps(3) == [3, 4, 5]
        await rig.publish_each("a", range(6, 9))
        assert await process.steps(3) == [6, 7, 8]
    assert await mail.steps("a") == [*range(9)]

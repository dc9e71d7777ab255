"""The bus over NATS JetStream keeps every promise with services on PostgreSQL, too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.brokers.jetstream.broker import JetStreamBroker
from emporion.chassis.brokers.jetstream.connection import JetStreamConfig
from emporion.chassis.runtime.system import SystemClock
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.conformance_broker import BrokerConformance
from tests.chassis.brokers.servers import NatsServer


@pytest.fixture
async def rig(tmp_path: Path, nats: NatsServer, prefix: str) -> AsyncIterator[BrokerRig]:
    config = JetStreamConfig(servers=(nats.url,), prefix=prefix)
    async with BrokerRig(
        tmp_path, lambda: JetStreamBroker(config, SystemClock()), engine="postgres"
    ) as opened:
        yield opened


class TestJetStreamOnPostgres(BrokerConformance):
    """Inherits every property of the suite."""

"""The bus over SNS and SQS keeps every promise of the port, against an emulator of AWS."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from aiobotocore.session import AioSession, get_session

from emporion.chassis.brokers.aws.broker import AwsBroker
from emporion.chassis.brokers.aws.connection import AwsConfig, Connection
from emporion.chassis.brokers.aws.queue import Queue
from emporion.chassis.events.broker.port import Link
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.bus_rig import PUBLISHER, StepDone, Subscriber
from emporion.chassis.testing.conformance_broker import BrokerConformance
from tests.chassis.brokers.servers import MotoServer

VISIBILITY_S = 2
pytestmark = pytest.mark.timeout(180)  # the emulator is slow, and slower on a busy machine


class AwsRig(BrokerRig):
    """BrokerRig that waits until messages of readers that died are given out again."""

    def __init__(self, folder: Path, config: AwsConfig, session: AioSession) -> None:
        super().__init__(folder, lambda: AwsBroker(config, system_runtime(), session=session))
        self.many = 200
        self.stories = 1
        self._connecting = Connection(config, session=session)

    async def subscribe(self, name: str) -> Subscriber:
        """Its queue is made before anything is published, as a shop's are."""
        await self._queue(name).declare()
        return await super().subscribe(name)

    async def redeliver(self) -> None:
        queue = self._queue("mail")
        while await queue.hidden():
            await asyncio.sleep(0.05)

    def _queue(self, name: str) -> Queue:
        return Queue(Link(PUBLISHER, name, (StepDone.SPEC.name,)), self._connecting)

    async def __aenter__(self) -> Self:
        await self._connecting.open()
        return await super().__aenter__()

    async def __aexit__(self, *exit_: object) -> None:
        await self._connecting.close()
        await super().__aexit__(*exit_)


@pytest.fixture(scope="session")
def session() -> AioSession:
    """What botocore has read of AWS's interfaces, once for all tests."""
    return get_session()


@pytest.fixture
async def rig(
    tmp_path: Path,
    moto: MotoServer,
    prefix: str,
    session: AioSession,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[AwsRig]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    config = AwsConfig(
        region=moto.region, endpoint_url=moto.url, prefix=prefix, visibility_s=VISIBILITY_S
    )
    async with AwsRig(tmp_path, config, session) as opened:
        yield opened


class TestAws(BrokerConformance):
    """Inherits every property of the suite."""

"""The bus over NATS as processes run it: woken by doorbells, over a server that comes and goes."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emporion.chassis.brokers.jetstream.broker import JetStreamBroker
from emporion.chassis.brokers.jetstream.connection import JetStreamConfig
from emporion.chassis.events.broker.port import Link, MessageRefused
from emporion.chassis.events.tables import Row
from emporion.chassis.runtime.system import SystemClock, system_runtime
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.bus_rig import CONFIG, PUBLISHER, StepDone
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


async def test_a_server_that_lost_its_store_is_sent_everything_again(
    rig: BrokerRig, server: NatsServer
):
    mail = await rig.open_subscriber("mail")
    stock = await rig.open_subscriber("stock")
    async with rig.running(publisher=rig.publisher) as relay, rig.running(mail) as process:
        await rig.publish_each("a", range(3))
        await process.steps(3)
        server.kill()
        shutil.rmtree(server.folder / "jetstream")
        server.start()
        await rig.publish_each("a", range(3, 5))

        assert await process.steps(2) == [3, 4]
        async with rig.running(stock) as late:
            assert await late.steps(5) == [*range(5)]
        assert (await relay.bus.unsent())[PUBLISHER][0] == 0
    assert await mail.steps("a") == [*range(5)]


async def test_a_server_that_is_killed_loses_nothing_of_what_it_acknowledged(
    rig: BrokerRig, server: NatsServer
):
    mail = await rig.open_subscriber("mail")
    async with rig.running(publisher=rig.publisher):
        await rig.publish_each("a", range(20))
        async with rig.running(mail) as process:
            await process.steps(20)
    server.kill()
    server.start()
    stock = await rig.open_subscriber("stock")
    async with rig.running(stock) as process:
        assert await process.steps(20) == [*range(20)]


async def test_an_instance_that_dies_is_followed_by_another(rig: BrokerRig):
    rig.broker_config = replace(rig.broker_config, lease_s=0.5)
    mail = await rig.open_subscriber("mail")
    dead = rig.subscribing_bus(mail)
    assert await dead.take_leases() == ["mail"]
    async with rig.running(publisher=rig.publisher), rig.running(mail) as process:
        await rig.publish_steps("a", [1])

        assert await process.steps(1) == [1]


async def test_two_instances_share_a_service_without_repeating_anything(rig: BrokerRig):
    mail = await rig.open_subscriber("mail")
    async with (
        rig.running(publisher=rig.publisher),
        rig.running(mail) as first,
        rig.running(mail) as second,
    ):
        await rig.publish_each("a", range(10))
        assert await first.steps(10) == [*range(10)]

        assert second.deliveries.empty()
    assert await mail.steps("a") == [*range(10)]


async def test_a_process_starts_while_the_broker_is_away(rig: BrokerRig, server: NatsServer):
    server.kill()
    mail = await rig.open_subscriber("mail")
    async with rig.running(mail, publisher=rig.publisher) as process:
        await rig.publish_each("a", range(3))
        server.start()

        assert await process.steps(3) == [0, 1, 2]


async def test_a_reader_notices_that_another_one_took_what_it_should_get(
    rig: BrokerRig, server: NatsServer
):
    await rig.publish_each("a", range(6))
    await rig.publishing_bus().deliver_due()
    broker = JetStreamBroker(JetStreamConfig(servers=(server.url,)), SystemClock())
    await broker.open()
    link = Link(PUBLISHER, "mail", (StepDone.SPEC.name,))
    one, other = broker.subscribed(link), broker.subscribed(link)

    assert [item.position for item in await one.after(0, 3)] == [1, 2, 3]
    one.passed(3)
    assert [item.position for item in await other.after(3, 1)] == [4]
    assert [item.position for item in await one.after(3, 10)] == [4, 5, 6]
    await broker.close()


async def test_a_reader_goes_on_reading_where_it_is(rig: BrokerRig, server: NatsServer):
    broker = JetStreamBroker(JetStreamConfig(servers=(server.url,)), SystemClock())
    await broker.open()
    log = broker.subscribed(Link(PUBLISHER, "mail", (StepDone.SPEC.name,)))
    relay = rig.publishing_bus()
    inboxes = set()
    for position in range(5):
        await rig.publish_steps("a", [position])
        await relay.deliver_due()
        assert [item.position for item in await log.after(position, 10)] == [position + 1]
        log.passed(position + 1)
        inboxes.add(log._inbox)

    assert len(inboxes) == 1
    await broker.close()


async def test_while_less_than_a_batch_is_in_memory_more_is_asked_for(
    rig: BrokerRig, server: NatsServer
):
    """Defect: beyond half of what is fetched ahead nothing was, and no news came until a sweep."""
    await rig.publish_each("a", range(40))
    await rig.publishing_bus().deliver_due()
    config = JetStreamConfig(servers=(server.url,), fetch_max=32)
    broker, news = JetStreamBroker(config, SystemClock()), asyncio.Event()
    await broker.open()
    log = broker.subscribed(Link(PUBLISHER, "mail", (StepDone.SPEC.name,)))
    await log.listen(news.set)

    async def until(number: int, position: int) -> None:
        async with asyncio.timeout(10):
            while len(await log.after(position, 32)) < number:
                news.clear()
                _ = await news.wait()

    await until(32, 0)
    log.passed(10)
    await until(30, 10)
    await broker.close()


async def test_an_event_that_is_too_large_is_refused_and_not_sent(
    rig: BrokerRig, server: NatsServer
):
    broker = JetStreamBroker(JetStreamConfig(servers=(server.url,)), SystemClock())
    await broker.open()
    await broker.declare(PUBLISHER)
    rows = [Row(1, "large", "things.step_done", "a", 0, b"x" * 2_000_000)]
    rows.append(Row(2, "small", "things.step_done", "b", 0, b"{}"))

    large, small = await broker.send(PUBLISHER, rows)
    assert isinstance(large, MessageRefused) and small is None
    await broker.close()

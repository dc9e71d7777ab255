"""The bus over SNS and SQS as processes run it, against an emulator of AWS."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from emporion.chassis.brokers.aws.broker import AwsBroker
from emporion.chassis.brokers.aws.connection import AwsConfig, chunks
from emporion.chassis.brokers.aws.names import group_of
from emporion.chassis.events.broker.port import Link, PublisherElsewhere
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.testing.broker_rig import BrokerRig
from emporion.chassis.testing.bus_rig import CONFIG, PUBLISHER, StepDone
from tests.chassis.brokers.servers import MotoServer

pytestmark = pytest.mark.timeout(180)  # the emulator is slow, and slower on a busy machine
MAIL = Link(PUBLISHER, "mail", (StepDone.SPEC.name,))


@pytest.fixture
def config(moto: MotoServer, prefix: str, monkeypatch: pytest.MonkeyPatch) -> AwsConfig:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    return AwsConfig(
        region=moto.region, endpoint_url=moto.url, prefix=prefix, visibility_s=2, wait_s=1
    )


@pytest.fixture
async def rig(tmp_path: Path, config: AwsConfig) -> AsyncIterator[BrokerRig]:
    async with BrokerRig(
        tmp_path,
        lambda: AwsBroker(config, system_runtime()),
        replace(CONFIG, linger_s=0.01),
        runtime=system_runtime(),
    ) as opened:
        yield opened


async def declare(config: AwsConfig) -> None:
    broker = AwsBroker(config, system_runtime())
    await broker.open()
    await broker.declare_links([MAIL])
    await broker.close()


async def test_an_event_crosses_processes(rig: BrokerRig, config: AwsConfig):
    await declare(config)
    mail = await rig.open_subscriber("mail")
    async with rig.running(publisher=rig.publisher), rig.running(mail) as process:
        await rig.publish_each("a", range(3))
        await rig.publish_each("b", range(3))

        assert sorted(await process.steps(6)) == [0, 0, 1, 1, 2, 2]
    assert await mail.steps("a") == await mail.steps("b") == [0, 1, 2]


async def test_what_a_process_holds_is_given_back_when_it_stops(rig: BrokerRig, config: AwsConfig):
    patient = replace(config, visibility_s=600, wait_s=0)
    await declare(patient)
    await rig.publish(*[StepDone(thing=key, step=1) for key in "abc"])
    await rig.publishing_bus().deliver_due()
    broker = AwsBroker(patient, rig.runtime)
    await broker.open()
    first, second = broker.subscribed(MAIL), broker.subscribed(MAIL)

    assert len(await first.after(0, 10)) == 3
    assert await second.after(0, 10) == []
    await first.close()
    assert len(await second.after(0, 10)) == 3
    await broker.close()


async def test_what_was_handled_is_not_given_out_again(rig: BrokerRig, config: AwsConfig):
    await declare(config)
    await rig.publish(*[StepDone(thing=key, step=1) for key in "abc"])
    await rig.publishing_bus().deliver_due()
    broker = AwsBroker(config, rig.runtime)
    await broker.open()
    first, second = broker.subscribed(MAIL), broker.subscribed(MAIL)

    held = await first.after(7, 10)
    assert [item.position for item in held] == [8, 9, 10]
    first.passed(9)
    await first.close()
    assert len(await second.after(0, 10)) == 1
    await broker.close()


async def test_a_replay_is_refused_where_the_outbox_is_not(rig: BrokerRig, config: AwsConfig):
    mail = await rig.open_subscriber("mail")
    bus = rig.subscribing_bus(mail)
    await bus.deliver_due()

    with pytest.raises(PublisherElsewhere, match="in the process of shop"):
        await bus.replay("mail", PUBLISHER)


async def test_aws_being_away_delays_the_start_of_nothing(tmp_path: Path, config: AwsConfig):
    away = replace(config, endpoint_url="http://127.0.0.1:9")
    async with BrokerRig(
        tmp_path, lambda: AwsBroker(away, system_runtime()), runtime=system_runtime()
    ) as rig:
        mail = await rig.open_subscriber("mail")
        async with rig.running(mail, publisher=rig.publisher) as process:
            await rig.publish_steps("a", [1])

            assert (await process.bus.unsent())[PUBLISHER][0] == 1


def test_a_request_holds_ten_messages_and_a_quarter_of_a_megabyte_at_most():
    assert chunks([1] * 25) == [range(10), range(10, 20), range(20, 25)]
    assert chunks([200_000, 40_000, 20_000]) == [range(2), range(2, 3)]
    assert chunks([]) == []


def test_a_key_that_sqs_does_not_take_as_a_group_becomes_a_digest():
    assert group_of("ord_0198-x") == "ord_0198-x"
    assert group_of("a b") != group_of("a  b")
    assert len(group_of("ä" * 500)) == 64

"""A task of ECS: what it is told, what it reads from Secrets Manager, and what it refuses to do."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer

from emporion.chassis.brokers.aws import AwsBroker, AwsConfig
from emporion.chassis.events.broker.port import Link
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.events.log import LogUnreachable
from emporion.chassis.runtime.system import system_runtime
from emporion.kernel.errors import Unavailable
from emporion.platform.deploy.task_words import task_told
from emporion.platform.ecs.metadata import METADATA, task_place
from emporion.platform.ecs.process import process_file
from emporion.platform.ecs.told import TASK, BadTask, TaskTold, read_told
from emporion.platform.settings import Environment
from emporion.platform.split_fabric import Split
from emporion.platform.supervisor.certificates import Signer
from tests.platform.deploy.shops import committed_deployment

REGION = "us-east-1"
ISSUED = Signer.new().issue("order", ("order",))


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def secrets(url: str) -> Any:
    """Those of the order service, as the shop's first deployment leaves them."""
    client = boto3.client("secretsmanager", region_name=REGION, endpoint_url=url)
    generated = json.dumps({"password": "a-password-of-more-than-thirty-two-characters"})
    for name, said in (
        ("order/identity", generated),
        ("order/database", generated),
        ("order/tls", msgspec.json.encode(ISSUED).decode()),
        ("settings/payment_method_key", "{}"),
        ("trust", "[]"),
    ):
        client.create_secret(Name=f"emporion/{name}", SecretString=said)
    return client


def told(url: str, folder: Path, **more: Any) -> TaskTold:
    """What the committed templates tell the order service."""
    deployment = committed_deployment()
    said = task_told(deployment, deployment.ecs_service("order"))
    return msgspec.structs.replace(said, region=REGION, endpoint_url=url, data=str(folder), **more)


def filled_in(client: Any) -> None:
    client.put_secret_value(SecretId="emporion/settings/payment_method_key", SecretString="known")


async def test_a_task_reads_its_secrets_at_its_start(url, secrets, tmp_path):
    filled_in(secrets)

    process = await process_file(told(url, tmp_path), {})

    (order,) = process.services
    assert ":a-password-of-more-than-thirty-two-characters@" in order.dsn
    assert order.dsn.endswith("/order?sslmode=require")
    assert process.settings.payment_method_key == "known"
    assert process.settings.environment is Environment.PRODUCTION
    assert process.discovery.process_of["payment"] == "payment"
    assert not process.is_seeding


async def test_a_task_takes_its_certificate_at_its_start_where_only_it_reads(
    url, secrets, tmp_path
):
    filled_in(secrets)

    process = await process_file(told(url, tmp_path), {})

    assert process.tls is not None
    kept = [Path(process.tls.authority), Path(process.tls.certificate), Path(process.tls.key)]
    assert [path.read_text() for path in kept] == [
        ISSUED.authority,
        ISSUED.certificate,
        ISSUED.key,
    ]
    assert {path.stat().st_mode & 0o077 for path in kept} == {0}


async def test_a_task_without_a_certificate_says_who_issues_it(url, secrets, tmp_path):
    filled_in(secrets)
    secrets.put_secret_value(SecretId="emporion/order/tls", SecretString="{}")

    with pytest.raises(Unavailable, match="no certificate was issued, run the task `prepare`"):
        await process_file(told(url, tmp_path), {})


async def test_a_setting_that_was_generated_with_the_shop_is_its_random_part(
    url, secrets, tmp_path
):
    said = json.dumps({"password": "random"})
    secrets.put_secret_value(SecretId="emporion/settings/payment_method_key", SecretString=said)

    process = await process_file(told(url, tmp_path), {})

    assert process.settings.payment_method_key == "random"


async def test_a_secret_that_nobody_filled_in_ends_the_start_and_is_named(url, secrets, tmp_path):
    with pytest.raises(
        Unavailable, match="filled in the secret emporion/settings/payment_method_key"
    ):
        await process_file(told(url, tmp_path), {})


async def test_a_shop_that_is_not_prepared_says_so(url, secrets, tmp_path):
    filled_in(secrets)
    secrets.put_secret_value(SecretId="emporion/trust", SecretString="{}")

    with pytest.raises(Unavailable, match="run its task `prepare`"):
        await process_file(told(url, tmp_path), {})


async def test_a_secret_that_is_not_there_is_named_and_nothing_of_the_others_is_said(
    url, secrets, tmp_path
):
    secrets.delete_secret(SecretId="emporion/trust", ForceDeleteWithoutRecovery=True)

    with pytest.raises(Unavailable) as caught:
        await process_file(told(url, tmp_path), {})

    assert "emporion/trust cannot be read: ResourceNotFoundException" in str(caught.value)
    assert "a-password" not in str(caught.value)


def test_without_its_words_a_task_says_who_starts_it():
    with pytest.raises(BadTask, match="EMPORION_TASK is not set"):
        read_told(TaskTold, {}, TASK)


def test_words_that_another_version_wrote_are_an_error():
    with pytest.raises(BadTask, match="EMPORION_TASK: Object contains unknown field `shpo`"):
        read_told(TaskTold, {TASK: '{"shpo": "x"}'}, TASK)


def test_what_templates_say_is_what_tasks_read():
    deployment = committed_deployment()
    for one in deployment.ecs_services:
        said = task_told(deployment, one)
        assert read_told(TaskTold, {TASK: msgspec.json.encode(said).decode()}, TASK) == said


class _Metadata(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        arn = "arn:aws:ecs:us-east-1:123456789012:task/emporion/0123456789abcdef0123456789abcdef"
        said = {"TaskARN": arn, "AvailabilityZone": "us-east-1a", "Family": "emporion-order"}
        body = json.dumps({**said, "Revision": "7", "Cluster": "emporion"}).encode()
        self.send_response(200 if self.path == "/v4/me/task" else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def metadata() -> Iterator[str]:
    """Where ECS would say which task this is: `/me`."""
    server = HTTPServer(("127.0.0.1", 0), _Metadata)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v4"
    server.shutdown()
    server.server_close()


def test_a_task_is_called_by_the_id_that_ecs_gave_it(metadata):
    assert task_place({METADATA: f"{metadata}/me"}).instance == "0123456789ab"
    assert task_place({}).attributes == {}
    with pytest.raises(BadTask, match="does not say which task this is"):
        task_place({METADATA: f"{metadata}/other"})


def no_bus(_: object) -> InProcessBus:
    raise AssertionError("a place needs none")


async def test_task_and_zone_stand_in_all_telemetry(url, secrets, metadata, tmp_path):
    filled_in(secrets)

    process = await process_file(told(url, tmp_path), {METADATA: f"{metadata}/me"})
    fabric = Split(process, system_runtime(), make_bus=no_bus, connect=print)

    assert fabric.process_kind == "order"
    assert fabric.place["service.instance.id"] == "order-0123456789ab"
    assert fabric.place["cloud.availability_zone"] == "us-east-1a"
    assert fabric.place["aws.ecs.task.arn"].endswith("/0123456789abcdef0123456789abcdef")
    assert (fabric.place["aws.ecs.task.family"], fabric.place["aws.ecs.task.revision"]) == (
        "emporion-order",
        "7",
    )


async def test_a_broker_whose_topics_are_deployed_makes_none(url):
    arns = f"arn:aws:sns:{REGION}:123456789012:"
    broker = AwsBroker(AwsConfig(REGION, url, topic_arns=arns), system_runtime())
    sns = boto3.client("sns", region_name=REGION, endpoint_url=url)
    sqs = boto3.client("sqs", region_name=REGION, endpoint_url=url)
    await broker.open()
    try:
        assert await broker.declare("order") == f"sns {arns}emporion-order.fifo"
        with pytest.raises(LogUnreachable, match="NonExistentQueue"):
            await broker.declare_links([Link("order", "email", ("orders.created",))])
    finally:
        await broker.close()

    assert sns.list_topics()["Topics"] == []
    assert sqs.list_queues().get("QueueUrls", []) == []

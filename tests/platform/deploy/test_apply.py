"""`emporion deploy apply` against an emulator: stacks by change set, and once only."""

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from emporion.kernel.errors import InvalidArgument, Unavailable
from emporion.platform.deploy.apply import Release, apply
from emporion.platform.deploy.aws import BODY_BYTES_MAX, Aws, DeploymentFailed
from emporion.platform.deploy.changes import changes
from tests.platform.deploy.shops import committed_deployment, committed_templates

REGION = "us-east-1"


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


async def test_a_stack_is_made_then_changed_and_what_is_deployed_can_be_compared(url):
    template = committed_templates()["emporion-dashboard"]
    changed = {**template, "Description": "another"}
    async with Aws(REGION, endpoint_url=url) as aws:
        assert await aws.template("emporion-dashboard") is None
        assert await aws.deploy("emporion-dashboard", template, parameters={}, tags={"shop": "x"})
        deployed = await aws.template("emporion-dashboard")
        assert deployed is not None
        assert changes({"d": deployed}, {"d": template}) == []
        assert await aws.deploy("emporion-dashboard", changed, parameters={}, tags={"shop": "x"})
        assert await aws.template("emporion-dashboard") == changed


async def test_a_template_that_is_too_large_is_refused_before_anything_is_asked(url):
    large = {"Resources": {f"Topic{n}": {"Type": "AWS::SNS::Topic"} for n in range(2_000)}}
    async with Aws(REGION, endpoint_url=url) as aws:
        with pytest.raises(DeploymentFailed, match="larger than 51,200 bytes"):
            await aws.deploy("shop", large, parameters={}, tags={})
        assert await aws.template("shop") is None


def test_every_committed_template_can_be_sent_with_its_request():
    for name, template in committed_templates().items():
        assert len(json.dumps(template, separators=(",", ":"))) <= BODY_BYTES_MAX, name


async def test_an_unknown_service_is_refused_by_name(url):
    async with Aws(REGION, endpoint_url=url) as aws:
        with pytest.raises(InvalidArgument, match="no service 'orders'; there are "):
            await apply(
                committed_deployment(),
                committed_templates(),
                Release("v1", service="orders"),
                aws=aws,
                say=print,
            )


async def test_an_aws_that_cannot_be_reached_is_said_to_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    async with Aws(REGION, endpoint_url="http://127.0.0.1:9") as aws:
        with pytest.raises(Unavailable, match="AWS: EndpointConnectionError"):
            await aws.template("emporion-order")


async def test_a_deployment_keeps_as_many_tasks_as_scaling_has_made(url):
    templates = committed_templates()
    parameter = {"Type": "Number", "Default": 3}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "ImageTag"}}}
    small = {
        "Parameters": {"ImageTag": {"Type": "String"}, "DesiredCount": parameter},
        "Resources": {"Topic": topic},
    }
    templates |= {"emporion-order": small, "emporion-tasks": small}
    ecs = boto3.client("ecs", region_name=REGION, endpoint_url=url)
    cloudformation = boto3.client("cloudformation", region_name=REGION, endpoint_url=url)

    def deployed() -> dict[str, str]:
        stack = cloudformation.describe_stacks(StackName="emporion-order")["Stacks"][0]
        return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}

    async def release(tag: str) -> None:
        async with Aws(REGION, endpoint_url=url) as aws:
            wanted = Release(tag, service="order", runs_tasks=False)
            await apply(committed_deployment(), templates, wanted, aws=aws, say=print)

    await release("v1")
    assert deployed() == {"ImageTag": "v1", "DesiredCount": "3"}
    ecs.create_cluster(clusterName="emporion")
    task = ecs.register_task_definition(family="order", containerDefinitions=[])["taskDefinition"]
    ecs.create_service(
        cluster="emporion",
        serviceName="order",
        taskDefinition=task["taskDefinitionArn"],
        desiredCount=11,
    )
    await release("v2")
    assert deployed() == {"ImageTag": "v2", "DesiredCount": "11"}


async def test_what_services_stand_on_can_be_deployed_alone(url):
    empty = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    templates = dict.fromkeys(committed_templates(), empty)
    cloudformation = boto3.client("cloudformation", region_name=REGION, endpoint_url=url)
    release = Release("v1", has_services=False, runs_tasks=False)

    async with Aws(REGION, endpoint_url=url) as aws:
        await apply(committed_deployment(), templates, release, aws=aws, say=print)

    stacks = cloudformation.list_stacks()["StackSummaries"]
    names = ("network", "data", "bus", "tasks")
    assert {one["StackName"] for one in stacks} == {f"emporion-{name}" for name in names}

"""Discovery by Cloud Map's API, against an emulator of it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from emporion.chassis.discovery.cloud_map import CloudMapResolver, CloudMapSettings
from emporion.chassis.discovery.resolver import Endpoint
from emporion.chassis.runtime.system import system_runtime
from emporion.kernel.errors import Unavailable

REGION = "eu-central-1"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def url(credentials: None) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class CloudMap:
    """The namespace `shop`, as a deployment fills it."""

    def __init__(self, url: str) -> None:
        self.api: Any = boto3.client("servicediscovery", region_name=REGION, endpoint_url=url)
        self.namespace = next(iter(self._namespaces()), None) or self._create("shop")

    def _namespaces(self) -> list[str]:
        return [one["Id"] for one in self.api.list_namespaces()["Namespaces"]]

    def _create(self, name: str) -> str:
        self.api.create_http_namespace(Name=name)
        return self._namespaces()[0]

    def service(self, name: str) -> str:
        created = self.api.create_service(
            Name=name, NamespaceId=self.namespace, HealthCheckCustomConfig={"FailureThreshold": 1}
        )
        return str(created["Service"]["Id"])

    def instance(self, service: str, name: str, host: str, **attributes: str) -> None:
        self.api.register_instance(
            ServiceId=service,
            InstanceId=name,
            Attributes={"AWS_INSTANCE_IPV4": host, **attributes},
        )

    def sicken(self, service: str, name: str) -> None:
        self.api.update_instance_custom_health_status(
            ServiceId=service, InstanceId=name, Status="UNHEALTHY"
        )


@pytest.fixture
async def resolver(url: str):
    made = CloudMapResolver(
        CloudMapSettings("shop", REGION, port=50_051, endpoint_url=url), system_runtime().tasks
    )
    yield made
    await made.close()


async def test_only_instances_that_are_healthy_are_found(url, resolver):
    cloud = CloudMap(url)
    order = cloud.service("order")
    cloud.instance(order, "task-1", "10.0.0.1", AWS_INSTANCE_PORT="4001")
    cloud.instance(order, "task-2", "10.0.0.2")
    cloud.instance(order, "task-3", "10.0.0.3")
    cloud.sicken(order, "task-3")

    found = await resolver.endpoints("order")

    assert sorted(found) == [
        Endpoint("10.0.0.1", 4001, "task-1"), Endpoint("10.0.0.2", 50_051, "task-2")
    ]  # fmt: skip


async def test_a_service_that_is_unknown_there_has_no_instances(url, resolver):
    assert await resolver.endpoints("nobody") == ()


async def test_an_api_that_does_not_answer_is_said(credentials):
    resolver = CloudMapResolver(
        CloudMapSettings("shop", REGION, endpoint_url="http://127.0.0.1:9"), system_runtime().tasks
    )
    with pytest.raises(Unavailable):
        await resolver.endpoints("order")
    await resolver.close()

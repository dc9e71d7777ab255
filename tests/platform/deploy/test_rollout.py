"""How a new version comes, as the committed templates and `deploy apply` have it."""

from collections.abc import Mapping
from typing import Any

import pytest

from emporion.platform.deploy.apply import Release, apply
from emporion.platform.deploy.aws import Aws
from emporion.platform.deploy.task_words import DRAIN_GRACE_S, DRAIN_S
from tests.platform.deploy.shops import committed_deployment, committed_templates

DEPLOYMENT = committed_deployment()
TEMPLATES = committed_templates()
"""Only read here."""
NAMES = [one.name for one in DEPLOYMENT.ecs_services]


def properties(service: str, logical: str) -> dict[str, Any]:
    found: dict[str, Any] = TEMPLATES[f"emporion-{service}"]["Resources"][logical]["Properties"]
    return found


class Told(Aws):
    """An AWS that says yes to everything, and keeps in which order it was told what."""

    def __init__(self) -> None:
        super().__init__("us-east-1")
        self.said: list[str] = []

    async def tasks_wanted(self, cluster: str, service: str) -> int | None:
        return None

    async def outputs(self, stack: str) -> Mapping[str, str]:
        groups = {f"ExportGroup{name.capitalize()}": name for name in (*NAMES, "prepare")}
        return {"ExportCluster": "emporion", "ExportPrivateSubnets": "a,b", **groups}

    async def deploy(self, stack: str, template: Mapping[str, Any], **_: Any) -> bool:
        self.said.append(f"stack {stack}")
        return True

    async def run_once(self, family: str, **where: Any) -> None:
        self.said.append(f"task {family} in the group {where['group']}")


async def applied(release: Release) -> list[str]:
    aws = Told()
    await apply(DEPLOYMENT, TEMPLATES, release, aws=aws, say=aws.said.append)
    return [one for one in aws.said if one.startswith(("stack", "task"))]


async def test_one_service_is_deployed_alone_its_migration_first():
    assert await applied(Release("v2", service="order")) == [
        "stack emporion-tasks",
        "task emporion-order-migrate in the group order",
        "stack emporion-order",
    ]


async def test_every_rollout_of_a_whole_shop_follows_its_migration():
    said = await applied(Release("v2"))

    assert said[:5] == [
        "stack emporion-network",
        "stack emporion-data",
        "stack emporion-bus",
        "stack emporion-tasks",
        "task emporion-prepare in the group prepare",
    ]
    for name in NAMES:
        at = said.index(f"stack emporion-{name}")
        assert said[at - 1] == f"task emporion-{name}-migrate in the group {name}"
    assert said[-2:] == ["stack emporion-audit", "stack emporion-dashboard"]


async def test_what_shows_pages_has_no_schema_to_migrate():
    assert await applied(Release("v2", service="web")) == [
        "stack emporion-tasks",
        "stack emporion-web",
    ]


async def test_a_rollback_runs_no_migration():
    said = await applied(Release("v1", service="order", runs_tasks=False))

    assert said == ["stack emporion-tasks", "stack emporion-order"]


@pytest.mark.parametrize("name", NAMES)
def test_a_migration_is_a_task_with_the_image_of_its_release(name: str):
    tasks = TEMPLATES["emporion-tasks"]["Resources"]
    families = {
        one["Properties"]["Family"]: one["Properties"]["ContainerDefinitions"][0]
        for one in tasks.values()
        if one["Type"] == "AWS::ECS::TaskDefinition"
    }
    container = families[f"emporion-{name}-migrate"]

    assert container["Command"] == ["task", "migrate"]
    assert container["Image"] == properties(name, "Task")["ContainerDefinitions"][0]["Image"]
    assert "${ImageTag}" in container["Image"]["Fn::Sub"]


@pytest.mark.parametrize("name", NAMES)
def test_a_new_task_warms_up_and_an_old_one_is_let_finish(name: str):
    said = properties(name, "Targets")["TargetGroupAttributes"]
    attributes = {one["Key"]: one["Value"] for one in said}
    container = properties(name, "Task")["ContainerDefinitions"][0]

    assert attributes["slow_start.duration_seconds"] == "30"
    assert attributes["load_balancing.algorithm.type"] == "round_robin"  # the only one it is for
    assert int(attributes["deregistration_delay.timeout_seconds"]) < container["StopTimeout"] == 60


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_flight_is_finished_before_ecs_kills(name: str):
    container = properties(name, "Task")["ContainerDefinitions"][0]

    assert container["StopTimeout"] > DRAIN_GRACE_S + DRAIN_S


@pytest.mark.parametrize("name", NAMES)
def test_a_version_that_sets_off_an_alarm_is_rolled_back(name: str):
    rollout = properties(name, "Service")["DeploymentConfiguration"]
    alarms = {one["Ref"] for one in rollout["Alarms"]["AlarmNames"]}

    assert rollout["Strategy"] == "ROLLING"
    assert rollout["MinimumHealthyPercent"] == 100
    assert rollout["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert (rollout["Alarms"]["Enable"], rollout["Alarms"]["Rollback"]) == (True, True)
    assert alarms == {"ErrorsAlarm", "LatencyAlarm", "UnhealthyAlarm", "CallErrorsAlarm"}


@pytest.mark.parametrize("name", NAMES)
def test_a_service_scales_by_what_can_fill_it(name: str):
    one = DEPLOYMENT.ecs_service(name)
    resources = TEMPLATES[f"emporion-{name}"]["Resources"]
    policies = {
        resource["Properties"]["PolicyName"]
        for resource in resources.values()
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    }

    by_requests = {"requests"} if one.rules else set()
    by_backlog = {"backlog"} if one.links else set()
    assert policies == {"cpu", "looplag"} | by_requests | by_backlog

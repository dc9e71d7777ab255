"""Tasks that run once: prepare databases and keys; migrate a schema before its service rolls."""

from dataclasses import dataclass
from typing import Any, Final

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.containers import PROCESSORS, shop_container
from emporion.platform.deploy.stacks.groups import PREPARING
from emporion.platform.deploy.stacks.pieces import allow, arn, imported, stack, word
from emporion.platform.deploy.stacks.roles import execution_role, role
from emporion.platform.deploy.task_words import admin_of, host_of, instances_of, prepare_told
from emporion.platform.ecs.told import PREPARE

KEPT_DAYS: Final = 90
CPU: Final = "256"
MEMORY_MB: Final = "512"


def tasks_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """Definitions only: nothing here runs until `emporion deploy apply` runs it."""
    made = stack(app, deployment, "tasks")
    _ = cdk.CfnParameter(made, "ImageTag", description="The image that is deployed, by its tag.")
    log_group = logs.CfnLogGroup(
        made,
        "Logs",
        log_group_name=f"/{deployment.options.name}/tasks",
        retention_in_days=KEPT_DAYS,
    )
    images = [one.image for one in deployment.ecs_services]
    execution = execution_role(made, images, log_group)
    definitions = _Definitions(made, deployment, log_group, execution)
    for one in deployment.ecs_services:
        definitions.migrate(one)
    definitions.prepare()
    return made


@dataclass(frozen=True, slots=True)
class _Definitions:
    made: cdk.Stack
    deployment: Deployment
    log_group: Any
    execution: Any

    def migrate(self, one: EcsService) -> None:
        """May read the passwords of its own databases, and nothing else."""
        secrets = [self._secret(f"{service}/*") for service in one.services]
        may = [allow(["secretsmanager:GetSecretValue"], secrets)]
        self._definition(f"{one.name}-migrate", one, may=may, words=["task", "migrate"])

    def prepare(self) -> None:
        """Makes databases with their owners, and tells every process whom to trust."""
        deployment = self.deployment
        admins = [
            imported(deployment, f"database-{name}-admin") for name in instances_of(deployment)
        ]
        services = [*deployment.services]
        processes = [one.name for one in deployment.ecs_services]
        may = [
            allow(
                ["secretsmanager:GetSecretValue"],
                [
                    *(self._secret(f"{name}/database-*") for name in services),
                    *(self._secret(f"{name}/identity-*") for name in processes),
                    self._secret("authority-*"),
                    *admins,
                ],
            ),
            allow(
                ["secretsmanager:PutSecretValue"],
                [
                    self._secret("trust-*"),
                    self._secret("authority-*"),
                    *(self._secret(f"{name}/tls-*") for name in (*processes, "callers/*")),
                ],
            ),
        ]
        known = {}
        for name in instances_of(deployment):
            known[host_of(name)] = imported(deployment, f"database-{name}")
            known[admin_of(name)] = imported(deployment, f"database-{name}-admin")
        plan = cdk.Fn.sub(msgspec.json.encode(prepare_told(deployment)).decode(), known)
        more = ecs.CfnTaskDefinition.KeyValuePairProperty(name=PREPARE, value=plan)
        first = deployment.ecs_services[0]
        self._definition(PREPARING, first, may=may, words=["task", "prepare"], environment=[more])

    def _secret(self, name: str) -> str:
        return arn("secretsmanager", f"secret:{self.deployment.options.name}/{name}")

    def _definition(self, name: str, one: EcsService, **said: Any) -> None:
        made, words = self.made, word(name)
        container = shop_container(self.deployment, one, self.log_group, words=said["words"])
        if "environment" in said:
            container["environment"] = said["environment"]
        ecs.CfnTaskDefinition(
            made,
            f"{words}Task",
            family=f"{self.deployment.options.name}-{name}",
            cpu=CPU,
            memory=MEMORY_MB,
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
                cpu_architecture=PROCESSORS[self.deployment.options.architecture],
                operating_system_family="LINUX",
            ),
            execution_role_arn=self.execution.attr_arn,
            task_role_arn=role(made, f"{words}TaskRole", said["may"]).attr_arn,
            volumes=[ecs.CfnTaskDefinition.VolumeProperty(name="data")],
            container_definitions=[ecs.CfnTaskDefinition.ContainerDefinitionProperty(**container)],
        )

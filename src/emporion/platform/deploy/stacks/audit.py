"""The audit: a task that proves all books now and then, and alarms on what it says."""

from typing import Any, Final

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.alarms import OWN, RUNBOOK
from emporion.platform.deploy.stacks.containers import PROCESSORS, shop_container
from emporion.platform.deploy.stacks.groups import AUDITING
from emporion.platform.deploy.stacks.pieces import (
    allow,
    arn,
    assumed_by,
    imported,
    imported_list,
    policy,
    stack,
)
from emporion.platform.deploy.stacks.roles import TASKS, execution_role, role
from emporion.platform.deploy.task_words import audit_told, host_of, instances_of
from emporion.platform.ecs.told import AUDIT

KEPT_DAYS: Final = 400
"""Whoever audits the auditors wants to see a year of verdicts."""
CPU: Final = "512"
MEMORY_MB: Final = "1024"
HOUR_S: Final = 3_600
MISSED_RUNS: Final = 2


def audit_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """Definition, schedule and alarms."""
    made = stack(app, deployment, AUDITING)
    _ = cdk.CfnParameter(made, "ImageTag", description="The image that audits, by its tag.")
    log_group = logs.CfnLogGroup(
        made,
        "Logs",
        log_group_name=f"/{deployment.options.name}/{AUDITING}",
        retention_in_days=KEPT_DAYS,
    )
    roles = {
        "execution_role_arn": execution_role(
            made, [deployment.ecs_services[0].image], log_group
        ).attr_arn,
        "task_role_arn": role(made, "TaskRole", _may(deployment)).attr_arn,
    }
    definition = _definition(made, deployment, log_group, roles)
    _schedule(made, deployment, definition, list(roles.values()))
    _alarms(made, deployment)
    return made


def _may(deployment: Deployment) -> list[dict[str, Any]]:
    """Read the secrets of all databases, and nothing else."""
    name = deployment.options.name
    secrets = [
        arn("secretsmanager", f"secret:{name}/{service}/{kind}-*")
        for service in deployment.services
        for kind in ("database", "address")
    ]
    return [allow(["secretsmanager:GetSecretValue"], secrets)]


def _definition(
    made: cdk.Stack, deployment: Deployment, log_group: Any, roles: dict[str, Any]
) -> Any:
    container = shop_container(
        deployment, deployment.ecs_services[0], log_group, words=["task", "audit"]
    )
    hosts = {
        host_of(name): imported(deployment, f"database-{name}") for name in instances_of(deployment)
    }
    told = cdk.Fn.sub(msgspec.json.encode(audit_told(deployment)).decode(), hosts)
    container |= {
        "name": AUDITING,
        "environment": [ecs.CfnTaskDefinition.KeyValuePairProperty(name=AUDIT, value=told)],
    }
    return ecs.CfnTaskDefinition(
        made,
        "Task",
        family=f"{deployment.options.name}-{AUDITING}",
        cpu=CPU,
        memory=MEMORY_MB,
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
            cpu_architecture=PROCESSORS[deployment.options.architecture],
            operating_system_family="LINUX",
        ),
        volumes=[ecs.CfnTaskDefinition.VolumeProperty(name="data")],
        container_definitions=[ecs.CfnTaskDefinition.ContainerDefinitionProperty(**container)],
        **roles,
    )


def _schedule(made: cdk.Stack, deployment: Deployment, definition: Any, roles: list[Any]) -> None:
    """EventBridge runs the task, in the network of the shop and in a group of its own."""
    name = f"{deployment.options.name}-{AUDITING}"
    hours = deployment.options.audit_every_h
    rule = events.CfnRule
    network = rule.NetworkConfigurationProperty(
        aws_vpc_configuration=rule.AwsVpcConfigurationProperty(
            subnets=imported_list(deployment, "private-subnets"),
            security_groups=[imported(deployment, f"group-{AUDITING}")],
            assign_public_ip="DISABLED",
        )
    )
    task = rule.EcsParametersProperty(
        task_definition_arn=definition.ref,
        task_count=1,
        launch_type="FARGATE",
        network_configuration=network,
    )
    cluster = arn("ecs", f"cluster/{deployment.options.name}")
    starter = _starter(made, cluster, task=arn("ecs", f"task-definition/{name}:*"), roles=roles)
    events.CfnRule(
        made,
        "Schedule",
        name=name,
        description="Runs the audit.",
        schedule_expression=f"rate({hours} hour{'s' if hours > 1 else ''})",
        state="ENABLED",
        targets=[
            rule.TargetProperty(
                id=AUDITING, arn=cluster, role_arn=starter.attr_arn, ecs_parameters=task
            )
        ],
    )


def _starter(made: cdk.Stack, cluster: str, *, task: str, roles: list[Any]) -> Any:
    """Who may run this task, in this cluster, and hand on its roles; nothing else."""
    may = policy(
        allow(["ecs:RunTask"], [task], {"ArnEquals": {"ecs:cluster": cluster}}),
        allow(["iam:PassRole"], roles, {"StringEquals": {"iam:PassedToService": TASKS}}),
    )
    return iam.CfnRole(
        made,
        "StartRole",
        assume_role_policy_document=assumed_by("events.amazonaws.com"),
        policies=[iam.CfnRole.PolicyProperty(policy_name="own", policy_document=may)],
    )


def _alarms(made: cdk.Stack, deployment: Deployment) -> None:
    hours = deployment.options.audit_every_h
    _alarm(
        made,
        deployment,
        "failed",
        "Books do not add up.",
        metric_name="audit_violations",
        statistic="Maximum",
        threshold=0,
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=hours,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )
    _alarm(
        made,
        deployment,
        "missing",
        "The audit did not run, or not to its end.",
        metric_name="audit_runs",
        statistic="Sum",
        threshold=1,
        comparison_operator="LessThanThreshold",
        evaluation_periods=hours * MISSED_RUNS,
        datapoints_to_alarm=hours * MISSED_RUNS,
        treat_missing_data="breaching",
    )


def _alarm(made: cdk.Stack, deployment: Deployment, name: str, text: str, **said: Any) -> None:
    topic = imported(deployment, "alarms")
    cloudwatch.CfnAlarm(
        made,
        f"{name.capitalize()}Alarm",
        alarm_name=f"{deployment.options.name}-{AUDITING}-{name}",
        alarm_description=f"{text} {RUNBOOK}",
        namespace=OWN,
        dimensions=[
            cloudwatch.CfnAlarm.DimensionProperty(name="shop", value=deployment.options.name)
        ],
        period=HOUR_S,
        alarm_actions=[topic],
        ok_actions=[topic],
        **said,
    )

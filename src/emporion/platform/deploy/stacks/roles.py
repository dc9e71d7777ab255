"""What a task may do: read its own secrets, its own queues, publish to its own topics; no more."""

from collections.abc import Iterable
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from emporion.chassis.brokers.aws.names import queue_of, topic_of
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.pieces import allow, arn, assumed_by, policy
from emporion.platform.ecs.told import setting_secret

TASKS: Final = "ecs-tasks.amazonaws.com"
TRACES: Final = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
"""They know no resources: AWS takes them for `*` only."""


def execution_role(made: cdk.Stack, images: Iterable[str], log_group: Any) -> Any:
    """For ECS itself: fetch these images, write the log."""
    own = dict.fromkeys(_repository(image) for image in images)
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return role(
        made,
        "ExecutionRole",
        [
            allow(["ecr:GetAuthorizationToken"], ["*"]),
            allow(pull, [arn("ecr", f"repository/{name}") for name in own]),
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.attr_arn]),
        ],
    )


def _repository(image: str) -> str:
    """The name in ECR: what follows the registry, where one is named."""
    host, _, rest = image.partition("/")
    return rest if "." in host else image


def task_role(made: cdk.Stack, deployment: Deployment, one: EcsService) -> Any:
    """For the code in the task; what shows pages asks nothing of AWS."""
    if one.is_pages:
        return role(made, "TaskRole", [])
    name = deployment.options.name
    own = [arn("secretsmanager", f"secret:{name}/{one.name}/*")]
    own += [
        arn("secretsmanager", f"secret:{name}/{service}/*")
        for service in one.services
        if service != one.name
    ]
    settings = [setting_secret(name, setting) for setting in one.secrets]
    own += [arn("secretsmanager", f"secret:{secret}-*") for secret in settings]
    statements = [
        allow(
            ["secretsmanager:GetSecretValue"],
            [*own, arn("secretsmanager", f"secret:{name}/trust-*")],
        ),
        allow(
            ["servicediscovery:DiscoverInstances"],
            ["*"],
            {"StringEquals": {"servicediscovery:NamespaceName": deployment.namespace}},
        ),
        allow(TRACES, ["*"]),
        *_bus(name, one),
    ]
    domain = deployment.options.mail_domain
    if "email" in one.services and domain:
        statements.append(allow(["ses:SendEmail"], [arn("ses", f"identity/{domain}")]))
    return role(made, "TaskRole", statements)


def _bus(prefix: str, one: EcsService) -> list[dict[str, Any]]:
    statements = []
    if one.publishes:
        topics = [arn("sns", topic_of(prefix, source)) for source in one.publishes]
        statements.append(allow(["sns:Publish"], topics))
    if one.links:
        queues = [arn("sqs", queue_of(prefix, link.source, link.subscriber)) for link in one.links]
        actions = ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"]
        actions.append("ReceiveMessage")
        statements.append(allow([f"sqs:{action}" for action in actions], queues))
    return statements


def role(made: cdk.Stack, name: str, statements: list[dict[str, Any]]) -> Any:
    """A role of a task, with these statements and nothing else; without any it may do nothing."""
    own = iam.CfnRole.PolicyProperty(policy_name="own", policy_document=policy(*statements))
    return iam.CfnRole(
        made,
        name,
        assume_role_policy_document=assumed_by(TASKS),
        policies=[own] if statements else None,
    )

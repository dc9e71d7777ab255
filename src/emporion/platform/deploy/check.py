"""Rules of our own that a template keeps before it ships; each says where it is broken."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.quotas import over_quota
from emporion.platform.deploy.task_words import VAULT

Template = Mapping[str, Any]
ONLY_FOR_ALL: Final = frozenset(
    {"ecr:GetAuthorizationToken", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
)
"""Actions that AWS takes for every resource only."""
PUBLIC_PORTS: Final = frozenset({80, 443})
MODERN_TLS: Final = "TLS13"
OWN_METRICS: Final = '"Namespace": "Emporion"'
TLS_TOLD: Final = '\\"is_tls\\":true'
TOLD_BY: Final = "EMPORION_EMF"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong, and where."""

    template: str
    resource: str
    message: str

    def show(self) -> str:
        """One line."""
        return f"{self.template}: {self.resource}: {self.message}"


def check(templates: Mapping[str, Template], deployment: Deployment) -> list[Finding]:
    """All findings, in the order of files. None is: it may ship."""
    found = [
        Finding(name, resource, message)
        for name, template in templates.items()
        for resource, message in _broken(template)
    ]
    found += [Finding(*one) for one in over_quota(templates)]
    prefix = deployment.options.name
    for one in deployment.deployed:
        name = f"{prefix}-{one.name}"
        template = templates.get(name)
        if template is None:
            found.append(Finding(name, "", "there is no template of this service"))
        else:
            found += [Finding(name, *pair) for pair in _numbers(template, one)]
    return sorted(found)


def _broken(template: Template) -> Iterator[tuple[str, str]]:
    yield from _deaf(template)
    for name, resource in template.get("Resources", {}).items():
        rule = _RULES.get(resource["Type"])
        if _is_in_the_clear(resource):
            yield name, "answers other services in the clear: write `tls: on` in the topology"
        if rule is not None:
            for message in rule(resource.get("Properties", {})):
                yield name, message
        if _is_of_vault(resource) and "Snapshot" in (
            resource.get("DeletionPolicy"),
            resource.get("UpdateReplacePolicy"),
        ):
            yield name, "leaves a snapshot of the vault: who is erased could be brought back"
        if resource["Type"] in _KEPT and resource.get("DeletionPolicy") not in (
            "Retain",
            "Snapshot",
        ):
            yield name, "is lost when its stack is deleted: DeletionPolicy is missing"


def _is_in_the_clear(resource: Template) -> bool:
    """A task that answers over gRPC, and is not told to do so over TLS."""
    if resource["Type"] != "AWS::ECS::TaskDefinition":
        return False
    return any(
        port.get("Name") == "grpc"
        and not any(
            TLS_TOLD in json.dumps(entry.get("Value")) for entry in container["Environment"]
        )
        for container in resource["Properties"]["ContainerDefinitions"]
        for port in container.get("PortMappings", ())
    )


def _is_of_vault(resource: Template) -> bool:
    named = resource.get("Properties", {}).get("DBInstanceIdentifier", "")
    return isinstance(named, str) and named.endswith(f"-{VAULT}")


def _role(properties: Template) -> Iterator[str]:
    for policy in properties.get("Policies", ()):
        for statement in policy["PolicyDocument"]["Statement"]:
            yield from _statement(statement)
    trusted = properties.get("AssumeRolePolicyDocument", {}).get("Statement", ())
    for statement in trusted:
        if "aws:SourceAccount" not in json.dumps(statement.get("Condition", {})):
            yield "may be taken on for other accounts: aws:SourceAccount is not asked for"


def _statement(statement: Template) -> Iterator[str]:
    actions = _list(statement.get("Action"))
    if any("*" in action for action in actions):
        yield f"allows more than it names: {', '.join(actions)}"
    for resource in _list(statement.get("Resource")):
        if resource == "*" and "Condition" not in statement and not set(actions) <= ONLY_FOR_ALL:
            yield f"allows {', '.join(actions)} on everything"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _queue_policy(properties: Template) -> Iterator[str]:
    for statement in properties["PolicyDocument"]["Statement"]:
        if "aws:SourceArn" not in json.dumps(statement.get("Condition", {})):
            yield "lets anybody send: aws:SourceArn is not asked for"


def _ingress(properties: Template) -> Iterator[str]:
    if properties.get("CidrIp") == "0.0.0.0/0" and (
        properties.get("FromPort") not in PUBLIC_PORTS
        or properties.get("FromPort") != properties.get("ToPort")
    ):
        yield "is open to everybody on a port other than 80 and 443"


def _group(properties: Template) -> Iterator[str]:
    if not properties.get("SecurityGroupEgress"):
        yield "lets everything out: AWS adds that where no rule is given"
    for rule in properties.get("SecurityGroupIngress", ()):
        yield from _ingress(rule)


def _task(properties: Template) -> Iterator[str]:
    for container in properties["ContainerDefinitions"]:
        yield from (f"{container['Name']} {why}" for why in _container(container))
    for role in ("ExecutionRoleArn", "TaskRoleArn"):
        if role not in properties:
            yield f"has no {role}"


def _container(container: Template) -> Iterator[str]:
    if str(container.get("User", "root")).partition(":")[0] in ("root", "0"):
        yield "runs as root"
    if container.get("Privileged"):
        yield "is privileged"
    if not container.get("ReadonlyRootFilesystem"):
        yield "can write to its root file system"
    drop = container.get("LinuxParameters", {}).get("Capabilities", {}).get("Drop", ())
    if "ALL" not in drop:
        yield "keeps capabilities of Linux"
    if "LogConfiguration" not in container:
        yield "writes no log"
    if container.get("PortMappings") and "HealthCheck" not in container:
        yield "has no health check"
    for secret in ("PASSWORD", "SECRET", "KEY", "TOKEN"):
        names = [entry["Name"] for entry in container.get("Environment", ())]
        yield from (f"may have a secret in {name}" for name in names if secret in name)


def _deaf(template: Template) -> Iterator[tuple[str, str]]:
    """An alarm on what processes tell themselves, beside tasks that do not tell it."""
    resources = template.get("Resources", {})
    serving = [
        container
        for one in resources.values()
        if one["Type"] == "AWS::ECS::TaskDefinition"
        for container in one["Properties"]["ContainerDefinitions"]
        if container.get("Command") == ["task", "serve"]
    ]
    told = [{"Name": TOLD_BY, "Value": "true"} in one.get("Environment", ()) for one in serving]
    for name, resource in resources.items():
        if resource["Type"] in _WATCHING and OWN_METRICS in json.dumps(resource) and not all(told):
            yield name, f"watches what no task tells: {TOLD_BY} is not true"


def _service(properties: Template) -> Iterator[str]:
    deployment = properties.get("DeploymentConfiguration", {})
    breaker = deployment.get("DeploymentCircuitBreaker", {})
    if not (breaker.get("Enable") and breaker.get("Rollback")):
        yield "does not roll back a version that does not start"
    if not deployment.get("Alarms", {}).get("Rollback"):
        yield "does not roll back when its alarms go off"
    network = properties.get("NetworkConfiguration", {}).get("AwsvpcConfiguration", {})
    if network.get("AssignPublicIp") != "DISABLED":
        yield "has tasks with a public address"
    if properties.get("EnableExecuteCommand"):
        yield "lets people into running tasks"


def _listener(properties: Template) -> Iterator[str]:
    if properties.get("Protocol") == "HTTPS" and MODERN_TLS not in properties.get("SslPolicy", ""):
        yield "takes old versions of TLS"
    if properties.get("Protocol") == "HTTP" and any(
        action["Type"] != "redirect" for action in properties["DefaultActions"]
    ):
        yield "answers in the clear"


def _database(properties: Template) -> Iterator[str]:
    wanted = {
        "StorageEncrypted": True,
        "PubliclyAccessible": False,
        "DeletionProtection": True,
        "ManageMasterUserPassword": True,
    }
    for name, value in wanted.items():
        if properties.get(name) is not value:
            yield f"{name} is not {str(value).lower()}"
    if not properties.get("BackupRetentionPeriod"):
        yield "is not backed up"
    elif _is_of_vault({"Properties": properties}) and int(properties["BackupRetentionPeriod"]) > 1:
        yield "keeps backups of the vault beyond a day: who is erased could be brought back"


def _log_group(properties: Template) -> Iterator[str]:
    if not properties.get("RetentionInDays"):
        yield "keeps logs for ever"


def _queue(properties: Template) -> Iterator[str]:
    if not properties.get("SqsManagedSseEnabled"):
        yield "is not encrypted"
    if "-dead." not in properties["QueueName"] and "RedrivePolicy" not in properties:
        yield "has no dead letters"


_WATCHING: Final = frozenset(
    {"AWS::CloudWatch::Alarm", "AWS::ApplicationAutoScaling::ScalingPolicy"}
)
_KEPT: Final = frozenset({"AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"})
_RULES: Final[Mapping[str, Callable[[Template], Iterator[str]]]] = {
    "AWS::IAM::Role": _role,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SQS::Queue": _queue,
    "AWS::EC2::SecurityGroup": _group,
    "AWS::EC2::SecurityGroupIngress": _ingress,
    "AWS::ECS::TaskDefinition": _task,
    "AWS::ECS::Service": _service,
    "AWS::ElasticLoadBalancingV2::Listener": _listener,
    "AWS::RDS::DBInstance": _database,
    "AWS::Logs::LogGroup": _log_group,
}


def _numbers(template: Template, one: EcsService) -> Iterator[tuple[str, str]]:
    """What the manifest says is what is deployed."""
    resources = template["Resources"]
    scaling = one.auto_scaling
    wanted: Mapping[str, Mapping[str, object]] = {
        "Task": {"Cpu": str(one.cpu), "Memory": str(one.memory)},
        "Service": {"DesiredCount": {"Ref": "DesiredCount"}, "ServiceName": one.name},
        "Targets": {"Port": one.container_port, "HealthCheckPath": one.health_path},
        "Scaling": {"MinCapacity": scaling.min_capacity, "MaxCapacity": scaling.max_capacity},
    }
    for name, values in wanted.items():
        properties = resources.get(name, {}).get("Properties", {})
        for key, value in values.items():
            if properties.get(key) != value:
                yield name, f"{key} is {properties.get(key)}, but the manifest says {value}"
    first = template.get("Parameters", {}).get("DesiredCount", {}).get("Default")
    if first != one.desired_count:
        yield "DesiredCount", f"is {first}, but the manifest says {one.desired_count}"
    tracked = (
        resources.get("CpuPolicy", {})
        .get("Properties", {})
        .get("TargetTrackingScalingPolicyConfiguration", {})
    )
    if tracked.get("TargetValue") != scaling.cpu_threshold:
        yield "CpuPolicy", f"does not track {scaling.cpu_threshold} % of CPU"

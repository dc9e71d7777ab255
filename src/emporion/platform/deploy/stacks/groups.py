"""Who may talk to whom: a security group for each ECS service, a rule for each edge."""

from collections.abc import Collection
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.pieces import export, word
from emporion.platform.deploy.task_words import GRPC_PORT
from emporion.platform.topology.kinds import Engine

POSTGRES_PORT: Final = 5_432
MONGODB_PORT: Final = 27_017
HTTPS_PORT: Final = 443
PREPARING: Final = "prepare"
AUDITING: Final = "audit"
ANYWHERE: Final = "0.0.0.0/0"


def security_groups(made: cdk.Stack, deployment: Deployment, vpc: Any) -> dict[str, Any]:
    """One for each ECS service; a rule for each edge that the contracts declare."""
    groups = {"balancer": _group(made, vpc, "balancer", "the load balancer")}
    groups["data"] = _group(made, vpc, "data", "the databases")
    for one in deployment.ecs_services:
        groups[one.name] = _group(made, vpc, one.name, f"tasks of {one.name}")
    if deployment.pages is not None:
        name = deployment.pages.name
        groups[name] = _group(made, vpc, name, "tasks that show pages")
        _outwards(made, groups[name], f"{word(name)}ToAnywhere{HTTPS_PORT}", HTTPS_PORT)
    groups[PREPARING] = _group(made, vpc, PREPARING, "the task that prepares databases and keys")
    groups[AUDITING] = _group(made, vpc, AUDITING, "the task that audits all books")
    for name, group in groups.items():
        export(made, deployment, f"group-{name}", group.attr_group_id)
    for port in (80, HTTPS_PORT):
        ec2.CfnSecurityGroupIngress(
            made,
            f"BalancerFromAnywhere{port}",
            group_id=groups["balancer"].attr_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ip=ANYWHERE,
            description="people; port 80 only redirects",
        )
    for one in deployment.ecs_services:
        for callee in one.callees:
            _edge(made, groups, one.name, callee, GRPC_PORT)
        _to_data(made, groups, one.name, one.services.values())
    _to_data(made, groups, PREPARING, ())
    _to_data(made, groups, AUDITING, deployment.services.values())
    return groups


def _to_data(
    made: cdk.Stack, groups: dict[str, Any], name: str, engines: Collection[Engine]
) -> None:
    """To the databases, the APIs of AWS, and a MongoDB that somebody else runs."""
    _edge(made, groups, name, "data", POSTGRES_PORT)
    ports = [HTTPS_PORT, *([MONGODB_PORT] if Engine.MONGODB in engines else [])]
    for port in ports:
        _outwards(made, groups[name], f"{word(name)}ToAnywhere{port}", port)


def _group(made: cdk.Stack, vpc: Any, name: str, text: str) -> Any:
    """A group that lets nothing out: its one rule of its own leads nowhere."""
    return ec2.CfnSecurityGroup(
        made,
        f"{word(name)}Group",
        group_description=text,
        vpc_id=vpc.ref,
        security_group_egress=[
            ec2.CfnSecurityGroup.EgressProperty(
                ip_protocol="icmp",
                from_port=252,
                to_port=86,
                cidr_ip="255.255.255.255/32",
                description="nothing, instead of everything",
            )
        ],
    )


def _edge(made: cdk.Stack, groups: dict[str, Any], source: str, target: str, port: int) -> None:
    """Let `source` connect to `target`: a rule at either end."""
    said: dict[str, Any] = {
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
        "description": f"{source} calls {target}",
    }
    ec2.CfnSecurityGroupIngress(
        made,
        f"{word(target)}From{word(source)}",
        group_id=groups[target].attr_group_id,
        source_security_group_id=groups[source].attr_group_id,
        **said,
    )
    ec2.CfnSecurityGroupEgress(
        made,
        f"{word(source)}To{word(target)}",
        group_id=groups[source].attr_group_id,
        destination_security_group_id=groups[target].attr_group_id,
        **said,
    )


def _outwards(made: cdk.Stack, group: Any, name: str, port: int) -> None:
    ec2.CfnSecurityGroupEgress(
        made,
        name,
        group_id=group.attr_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        cidr_ip=ANYWHERE,
        description="the APIs of AWS, and services of others",
    )

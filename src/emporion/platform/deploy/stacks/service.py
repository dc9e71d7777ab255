"""One ECS service, whole in a stack of its own: it can be deployed, and rolled back, alone."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.listener import ListenerRule
from emporion.platform.deploy.manifest import Strategy
from emporion.platform.deploy.stacks import alarms, found, scaling
from emporion.platform.deploy.stacks.containers import (
    PROCESSORS,
    collector_container,
    pages_container,
    serving_container,
)
from emporion.platform.deploy.stacks.pieces import (
    assumed_by,
    imported,
    imported_list,
    stack,
)
from emporion.platform.deploy.stacks.roles import execution_role, task_role

SLOW_START_S: Final = 30
DEREGISTRATION_S: Final = 20
HEALTH_GRACE_S: Final = 60
STICKY: Final = (
    ("stickiness.enabled", "true"),
    ("stickiness.type", "lb_cookie"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
)
"""A visitor's session is renewed in one place (ADR 0018): they stay with one task."""
SHIFTS_TRAFFIC: Final = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"


def service_stack(app: cdk.App, deployment: Deployment, one: EcsService) -> cdk.Stack:
    """Roles, task definition, service, routes, scaling and alarms of one process."""
    made = stack(app, deployment, one.name)
    _ = cdk.CfnParameter(made, "ImageTag", description="The image that is deployed, by its tag.")
    log_group = logs.CfnLogGroup(
        made,
        "Logs",
        log_group_name=f"/{deployment.options.name}/{one.name}",
        retention_in_days=one.log_days,
    )
    definition = _task_definition(made, deployment, one, log_group)
    _reached_by_balancer(made, deployment, one)
    groups = [_target_group(made, deployment, one, "Targets")]
    if one.rollout.strategy is not Strategy.ROLLING:
        groups.append(_target_group(made, deployment, one, "OtherTargets"))
    rules = [_rule(made, deployment, rule, groups) for rule in one.rules]
    watched = alarms.service_alarms(made, deployment, one, groups[0])
    kind = ecs.CfnService.CapacityProviderStrategyItemProperty
    on_demand = kind(capacity_provider="FARGATE", weight=1)
    service = ecs.CfnService(
        made,
        "Service",
        service_name=one.name,
        cluster=imported(deployment, "cluster"),
        task_definition=definition.ref,
        desired_count=_desired_count(made, one),
        capacity_provider_strategy=[on_demand],
        availability_zone_rebalancing="ENABLED",
        health_check_grace_period_seconds=HEALTH_GRACE_S,
        enable_execute_command=False,
        propagate_tags="SERVICE",
        deployment_configuration=_rollout(one, [alarm.ref for alarm in watched]),
        network_configuration=_network(deployment, one),
        load_balancers=[_behind(made, one, groups, rules)],
        service_registries=[] if one.is_pages else [found.registry(made, deployment, one)],
        **found.service_connect(deployment, one),
    )
    for rule in rules:
        service.add_resource_dependency(rule)
    scaling.scale(made, deployment, one, service, groups[0])
    return made


def _desired_count(made: cdk.Stack, one: EcsService) -> Any:
    wanted = cdk.CfnParameter(
        made,
        "DesiredCount",
        type="Number",
        default=one.desired_count,
        description="Tasks now; `emporion deploy apply` says here what scaling made of it.",
    )
    return wanted.value_as_number


def _task_definition(
    made: cdk.Stack, deployment: Deployment, one: EcsService, log_group: Any
) -> Any:
    return ecs.CfnTaskDefinition(
        made,
        "Task",
        family=f"{deployment.options.name}-{one.name}",
        cpu=str(one.cpu),
        memory=str(one.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
            cpu_architecture=PROCESSORS[deployment.options.architecture],
            operating_system_family="LINUX",
        ),
        execution_role_arn=execution_role(made, [one.image], log_group).attr_arn,
        task_role_arn=task_role(made, deployment, one).attr_arn,
        volumes=[ecs.CfnTaskDefinition.VolumeProperty(name="data")],
        container_definitions=_containers(deployment, one, log_group),
    )


def _containers(deployment: Deployment, one: EcsService, log_group: Any) -> list[Any]:
    if one.is_pages:
        return [pages_container(deployment, one, log_group)]
    return [
        serving_container(deployment, one, log_group),
        collector_container(deployment, log_group),
    ]


def _reached_by_balancer(made: cdk.Stack, deployment: Deployment, one: EcsService) -> None:
    balancer, own = (imported(deployment, f"group-{name}") for name in ("balancer", one.name))
    said = {
        "ip_protocol": "tcp",
        "from_port": one.container_port,
        "to_port": one.container_port,
        "description": f"requests to {one.name}",
    }
    ec2.CfnSecurityGroupIngress(
        made, "FromBalancer", group_id=own, source_security_group_id=balancer, **said
    )
    ec2.CfnSecurityGroupEgress(
        made, "BalancerTo", group_id=balancer, destination_security_group_id=own, **said
    )


def _target_group(made: cdk.Stack, deployment: Deployment, one: EcsService, name: str) -> Any:
    """Round robin, because slow start knows nothing else: a new task warms up before its share."""
    other = "-other" if name == "OtherTargets" else ""
    return elb.CfnTargetGroup(
        made,
        name,
        name=f"{deployment.options.name}-{one.target_group}{other}"[:32],
        vpc_id=imported(deployment, "vpc"),
        target_type="ip",
        port=one.container_port,
        protocol="HTTP",
        health_check_path=one.health_path,
        health_check_interval_seconds=5,
        health_check_timeout_seconds=3,
        healthy_threshold_count=2,
        unhealthy_threshold_count=2,
        matcher=elb.CfnTargetGroup.MatcherProperty(http_code="200"),
        target_group_attributes=[
            elb.CfnTargetGroup.TargetGroupAttributeProperty(key=key, value=value)
            for key, value in (
                ("deregistration_delay.timeout_seconds", str(DEREGISTRATION_S)),
                ("slow_start.duration_seconds", str(SLOW_START_S)),
                ("load_balancing.algorithm.type", "round_robin"),
                *(STICKY if one.is_pages else ()),
            )
        ],
    )


def _rule(made: cdk.Stack, deployment: Deployment, rule: ListenerRule, groups: list[Any]) -> Any:
    conditions = [_condition("path-pattern", "path_pattern_config", rule.paths)]
    if rule.verbs:
        conditions.append(
            _condition("http-request-method", "http_request_method_config", rule.verbs)
        )
    forward: dict[str, Any] = {"target_group_arn": groups[0].ref}
    if len(groups) > 1:
        weights = [
            elb.CfnListenerRule.TargetGroupTupleProperty(target_group_arn=group.ref, weight=weight)
            for group, weight in zip(groups, (100, 0), strict=True)
        ]
        forward = {
            "forward_config": elb.CfnListenerRule.ForwardConfigProperty(target_groups=weights)
        }
    return elb.CfnListenerRule(
        made,
        f"Rule{rule.priority}",
        listener_arn=imported(deployment, "listener"),
        priority=rule.priority,
        conditions=conditions,
        actions=[elb.CfnListenerRule.ActionProperty(type="forward", **forward)],
    )


def _condition(field: str, key: str, values: tuple[str, ...]) -> Any:
    kinds = {
        "path-pattern": elb.CfnListenerRule.PathPatternConfigProperty,
        "http-request-method": elb.CfnListenerRule.HttpRequestMethodConfigProperty,
    }
    return elb.CfnListenerRule.RuleConditionProperty(
        field=field, **{key: kinds[field](values=list(values))}
    )


def _rollout(one: EcsService, alarm_names: list[str]) -> Any:
    """A version that does not become healthy, or sets off an alarm, is rolled back."""
    made = ecs.CfnService
    said: dict[str, Any] = {
        "minimum_healthy_percent": 100,
        "maximum_percent": 200,
        "deployment_circuit_breaker": made.DeploymentCircuitBreakerProperty(
            enable=True, rollback=True
        ),
        "alarms": made.DeploymentAlarmsProperty(
            alarm_names=alarm_names, enable=True, rollback=True
        ),
    }
    match one.rollout.strategy:
        case Strategy.ROLLING:
            said["strategy"] = "ROLLING"
        case Strategy.BLUE_GREEN:
            said["strategy"] = "BLUE_GREEN"
            said["bake_time_in_minutes"] = one.rollout.bake_minutes
        case Strategy.CANARY:
            said["strategy"] = "CANARY"
            said["bake_time_in_minutes"] = one.rollout.bake_minutes
            said["canary_configuration"] = made.CanaryConfigurationProperty(
                canary_percent=one.rollout.canary_percent,
                canary_bake_time_in_minutes=one.rollout.bake_minutes,
            )
    return made.DeploymentConfigurationProperty(**said)


def _network(deployment: Deployment, one: EcsService) -> Any:
    return ecs.CfnService.NetworkConfigurationProperty(
        awsvpc_configuration=ecs.CfnService.AwsVpcConfigurationProperty(
            assign_public_ip="DISABLED",
            subnets=imported_list(deployment, "private-subnets"),
            security_groups=[imported(deployment, f"group-{one.name}")],
        )
    )


def _behind(made: cdk.Stack, one: EcsService, groups: list[Any], rules: list[Any]) -> Any:
    said: dict[str, Any] = {
        "container_name": one.name,
        "container_port": one.container_port,
        "target_group_arn": groups[0].ref,
    }
    if len(groups) > 1:
        role = iam.CfnRole(
            made,
            "ShiftRole",
            assume_role_policy_document=assumed_by("ecs.amazonaws.com"),
            managed_policy_arns=[SHIFTS_TRAFFIC],
        )
        said["advanced_configuration"] = ecs.CfnService.AdvancedConfigurationProperty(
            alternate_target_group_arn=groups[1].ref,
            production_listener_rule=rules[0].ref,
            role_arn=role.attr_arn,
        )
    return ecs.CfnService.LoadBalancerProperty(**said)

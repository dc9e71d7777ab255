"""More tasks under load, fewer after it: by CPU, by requests, by events that wait, by loop lag."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as autoscaling

from emporion.chassis.brokers.aws.names import queue_of
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.alarms import OWN
from emporion.platform.deploy.stacks.pieces import imported

OUT_COOLDOWN_S: Final = 60
IN_COOLDOWN_S: Final = 300


def scale(
    made: cdk.Stack, deployment: Deployment, one: EcsService, service: Any, targets: Any
) -> None:
    """Between the manifest's bounds; whichever policy asks for most tasks wins."""
    wanted = one.auto_scaling
    target = autoscaling.CfnScalableTarget(
        made,
        "Scaling",
        service_namespace="ecs",
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=cdk.Fn.join(
            "/", ["service", imported(deployment, "cluster"), service.attr_name]
        ),
        min_capacity=wanted.min_capacity,
        max_capacity=wanted.max_capacity,
    )
    _predefined(made, target, "Cpu", "ECSServiceAverageCPUUtilization", wanted.cpu_threshold)
    if wanted.requests_per_target and one.rules:
        _policy(
            made,
            target,
            "Requests",
            wanted.requests_per_target,
            predefined_metric_specification=_requests(deployment, targets),
        )
    if wanted.loop_lag_ms:
        _policy(
            made,
            target,
            "LoopLag",
            wanted.loop_lag_ms / 1_000,
            customized_metric_specification=_loop_lag(one),
        )
    if wanted.backlog_per_task and one.links:
        _policy(
            made,
            target,
            "Backlog",
            wanted.backlog_per_task,
            customized_metric_specification=_backlog(deployment, one, service),
        )


def _requests(deployment: Deployment, targets: Any) -> Any:
    label = cdk.Fn.join(
        "/", [imported(deployment, "balancer-name"), targets.attr_target_group_full_name]
    )
    policy = autoscaling.CfnScalingPolicy
    return policy.PredefinedMetricSpecificationProperty(
        predefined_metric_type="ALBRequestCountPerTarget", resource_label=label
    )


def _loop_lag(one: EcsService) -> Any:
    """As the tasks tell it, each the lag of the moment once a minute."""
    policy = autoscaling.CfnScalingPolicy
    return policy.CustomizedMetricSpecificationProperty(
        namespace=OWN,
        metric_name="loop_lag_seconds",
        dimensions=[policy.MetricDimensionProperty(name="process", value=one.name)],
        statistic="Average",
    )


def _predefined(made: cdk.Stack, target: Any, name: str, metric: str, value: int) -> None:
    kind = autoscaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty
    _policy(
        made,
        target,
        name,
        value,
        predefined_metric_specification=kind(predefined_metric_type=metric),
    )


def _policy(made: cdk.Stack, target: Any, name: str, value: float, **metric: Any) -> None:
    kind = autoscaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty
    autoscaling.CfnScalingPolicy(
        made,
        f"{name}Policy",
        policy_name=name.lower(),
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=kind(
            target_value=value,
            scale_out_cooldown=OUT_COOLDOWN_S,
            scale_in_cooldown=IN_COOLDOWN_S,
            **metric,
        ),
    )


def _backlog(deployment: Deployment, one: EcsService, service: Any) -> Any:
    """Events that wait in all queues of the service, for each of its tasks."""
    policy = autoscaling.CfnScalingPolicy
    names = [queue_of(deployment.options.name, link.source, link.subscriber) for link in one.links]
    waiting = [
        _metric(
            f"q{number}",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": name},
            "Sum",
        )
        for number, name in enumerate(names)
    ]
    running = _metric(
        "tasks",
        "ECS/ContainerInsights",
        "RunningTaskCount",
        {"ClusterName": imported(deployment, "cluster"), "ServiceName": service.attr_name},
        "Average",
    )
    total = "+".join(f"q{number}" for number in range(len(names)))
    return policy.CustomizedMetricSpecificationProperty(
        metrics=[
            *waiting,
            running,
            policy.TargetTrackingMetricDataQueryProperty(
                id="backlog",
                expression=f"({total})/tasks",
                label="events waiting for each task",
                return_data=True,
            ),
        ]
    )


def _metric(
    identity: str, namespace: str, name: str, dimensions: dict[str, str], statistic: str
) -> Any:
    policy = autoscaling.CfnScalingPolicy
    return policy.TargetTrackingMetricDataQueryProperty(
        id=identity,
        metric_stat=policy.TargetTrackingMetricStatProperty(
            metric=policy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=name,
                dimensions=[
                    policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
            stat=statistic,
        ),
        return_data=False,
    )

"""When somebody is told; the first three also roll a deployment back."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from emporion.chassis.brokers.aws.names import queue_of
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.pieces import imported, word

RUNBOOK: Final = "docs/aws.md says what to do."
PERIOD_S: Final = 60
PERIODS: Final = 5


def service_alarms(
    made: cdk.Stack, deployment: Deployment, one: EcsService, targets: Any
) -> list[Any]:
    """Errors, latency and unhealthy tasks, which are returned; backlog and scaling at its end."""
    alarms = _Alarms(made, deployment, one)
    behind = {
        "LoadBalancer": imported(deployment, "balancer-name"),
        "TargetGroup": targets.attr_target_group_full_name,
    }
    watched = [
        alarms.errors(behind),
        alarms.simple(
            "latency",
            "Answers take too long.",
            one.alarms.latency_ms_p99 / 1_000,
            namespace="AWS/ApplicationELB",
            metric_name="TargetResponseTime",
            dimensions=_dimensions(behind),
            extended_statistic="p99",
        ),
        alarms.simple(
            "unhealthy",
            "Tasks do not answer their health check.",
            0,
            namespace="AWS/ApplicationELB",
            metric_name="UnHealthyHostCount",
            dimensions=_dimensions(behind),
            statistic="Minimum",
        ),
    ]
    _not_about_the_version(alarms, deployment, one)
    return watched


def _not_about_the_version(alarms: "_Alarms", deployment: Deployment, one: EcsService) -> None:
    """What also happens while the old version runs."""
    for link in one.links:
        queue = queue_of(deployment.options.name, link.source, link.subscriber)
        alarms.simple(
            f"backlog-from-{link.source}",
            f"Events of {link.source} wait too long for {link.subscriber}.",
            one.alarms.backlog_age_s,
            namespace="AWS/SQS",
            metric_name="ApproximateAgeOfOldestMessage",
            dimensions=_dimensions({"QueueName": queue}),
            statistic="Maximum",
        )
    alarms.simple(
        "at-its-limit",
        "As many tasks run as may: more load would not bring more.",
        one.auto_scaling.max_capacity - 1,
        namespace="ECS/ContainerInsights",
        metric_name="DesiredTaskCount",
        dimensions=_dimensions(
            {"ClusterName": imported(deployment, "cluster"), "ServiceName": one.name}
        ),
        statistic="Minimum",
    )


class _Alarms:
    """Alarms of one service, all of one form."""

    def __init__(self, made: cdk.Stack, deployment: Deployment, one: EcsService) -> None:
        self._made = made
        self._prefix = f"{deployment.options.name}-{one.name}"
        self._topic = imported(deployment, "alarms")
        self._percent = one.alarms.error_percent

    def simple(self, name: str, text: str, threshold: float, **metric: Any) -> Any:
        """One metric over its threshold for three of five minutes."""
        if "metrics" not in metric:
            metric["period"] = PERIOD_S
        return cloudwatch.CfnAlarm(
            self._made,
            f"{word(name)}Alarm",
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=f"{text} {RUNBOOK}",
            threshold=threshold,
            comparison_operator="GreaterThanThreshold",
            evaluation_periods=PERIODS,
            datapoints_to_alarm=3,
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic],
            ok_actions=[self._topic],
            **metric,
        )

    def errors(self, behind: dict[str, str]) -> Any:
        """The share of requests that were answered by 5xx, in percent."""
        counted = [
            _counted("failed", "HTTPCode_Target_5XX_Count", behind),
            _counted("all", "RequestCount", behind),
        ]
        share = cloudwatch.CfnAlarm.MetricDataQueryProperty(
            id="share",
            expression="IF(all > 0, 100 * FILL(failed, 0) / all, 0)",
            label="percent of requests that failed",
            return_data=True,
        )
        return self.simple(
            "errors",
            "Too many requests are answered by 5xx.",
            self._percent,
            metrics=[*counted, share],
        )


def _counted(identity: str, name: str, behind: dict[str, str]) -> Any:
    alarm = cloudwatch.CfnAlarm
    return alarm.MetricDataQueryProperty(
        id=identity,
        metric_stat=alarm.MetricStatProperty(
            metric=alarm.MetricProperty(
                namespace="AWS/ApplicationELB", metric_name=name, dimensions=_dimensions(behind)
            ),
            period=PERIOD_S,
            stat="Sum",
        ),
        return_data=False,
    )


def _dimensions(named: dict[str, str]) -> list[Any]:
    return [
        cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
        for name, value in named.items()
    ]

"""When somebody is told; those on errors, latency and health also roll a deployment back."""

from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from emporion.chassis.brokers.aws.names import queue_of
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.stacks.pieces import imported, word

RUNBOOK: Final = "docs/aws.md says what to do."
OWN: Final = "Emporion"
"""The namespace of what processes tell in CloudWatch's embedded format (see telling/export/emf)."""
PERIOD_S: Final = 60
PERIODS: Final = 5
CERTIFICATE_DAYS: Final = 30
Counted = tuple[str, dict[str, str]]
"""A metric with its dimensions."""


def service_alarms(
    made: cdk.Stack, deployment: Deployment, one: EcsService, targets: Any
) -> list[Any]:
    """All alarms of a service; those that a new version can set off are returned."""
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
    watched += _calls(alarms, one)
    _not_about_the_version(alarms, deployment, one)
    _left_undone(alarms, one)
    if deployment.is_tls and not one.is_pages:
        _certificate(alarms, one)
    return watched


def _calls(alarms: "_Alarms", one: EcsService) -> list[Any]:
    """What the balancer does not see: calls of other services, over gRPC. Errors are returned."""
    failing = []
    for service in one.services:
        of = f"-of-{service}" if len(one.services) > 1 else ""
        told = {"service": service}
        failing.append(
            alarms.share(
                f"call-errors{of}",
                f"Too many calls of {service} fail by its own fault.",
                failed=("faults", told),
                all_of=("requests", told),
                namespace=OWN,
            )
        )
        alarms.simple(
            f"call-latency{of}",
            f"Calls of {service} take too long.",
            one.alarms.latency_ms_p99,
            namespace=OWN,
            metric_name="latency_ms_p99",
            dimensions=_dimensions(told),
            statistic="Maximum",
        )
    return failing


def _certificate(alarms: "_Alarms", one: EcsService) -> None:
    alarms.simple(
        "certificate",
        "The certificate that its tasks took at their start ends soon.",
        CERTIFICATE_DAYS,
        namespace=OWN,
        metric_name="process_certificate_days",
        dimensions=_dimensions({"process": one.name}),
        statistic="Minimum",
        comparison_operator="LessThanThreshold",
    )


def _left_undone(alarms: "_Alarms", one: EcsService) -> None:
    """What orders and events are stuck in; the process tells the worst of its services."""
    told = {"process": one.name}
    if one.with_sagas:
        alarms.simple(
            "saga-age",
            "A saga goes on for too long.",
            one.alarms.saga_age_s,
            namespace=OWN,
            metric_name="sagas_oldest_seconds",
            dimensions=_dimensions(told),
            statistic="Maximum",
        )
    if one.links:
        alarms.simple(
            "set-aside",
            "Events whose reaction failed for days wait for somebody to redrive them.",
            0,
            namespace=OWN,
            metric_name="dead_letters",
            dimensions=_dimensions(told),
            statistic="Maximum",
        )


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
        """One metric over its threshold, or where it says so below, for three of five minutes."""
        metric.setdefault("comparison_operator", "GreaterThanThreshold")
        if "metrics" not in metric:
            metric["period"] = PERIOD_S
        return cloudwatch.CfnAlarm(
            self._made,
            f"{word(name)}Alarm",
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=f"{text} {RUNBOOK}",
            threshold=threshold,
            evaluation_periods=PERIODS,
            datapoints_to_alarm=3,
            treat_missing_data="notBreaching",
            alarm_actions=[self._topic],
            ok_actions=[self._topic],
            **metric,
        )

    def errors(self, behind: dict[str, str]) -> Any:
        """The share of requests that were answered by 5xx, in percent."""
        return self.share(
            "errors",
            "Too many requests are answered by 5xx.",
            failed=("HTTPCode_Target_5XX_Count", behind),
            all_of=("RequestCount", behind),
            namespace="AWS/ApplicationELB",
        )

    def share(
        self, name: str, text: str, *, failed: Counted, all_of: Counted, namespace: str
    ) -> Any:
        """The share of one count in another, in percent."""
        counted = [
            _counted("failed", *failed, namespace=namespace),
            _counted("all", *all_of, namespace=namespace),
        ]
        share = cloudwatch.CfnAlarm.MetricDataQueryProperty(
            id="share",
            expression="IF(all > 0, 100 * FILL(failed, 0) / all, 0)",
            label="percent of requests that failed",
            return_data=True,
        )
        return self.simple(name, text, self._percent, metrics=[*counted, share])


def _counted(identity: str, name: str, behind: dict[str, str], *, namespace: str) -> Any:
    alarm = cloudwatch.CfnAlarm
    return alarm.MetricDataQueryProperty(
        id=identity,
        metric_stat=alarm.MetricStatProperty(
            metric=alarm.MetricProperty(
                namespace=namespace, metric_name=name, dimensions=_dimensions(behind)
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

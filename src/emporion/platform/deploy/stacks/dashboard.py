"""One page on which the whole shop is seen: rate, errors, latency, tasks, queues, sagas, audit."""

import json
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from emporion.chassis.brokers.aws.names import dead_letters_of, queue_of
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.alarms import OWN
from emporion.platform.deploy.stacks.pieces import stack
from emporion.platform.deploy.task_words import instances_of

WIDTH: Final = 12
HEIGHT: Final = 6
MAX: Final = "Maximum"
Metric = list[Any]


def dashboard_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """The dashboard alone: it names what it shows, and needs no other stack."""
    made = stack(app, deployment, "dashboard")
    name = deployment.options.name
    behind = [one.name for one in deployment.deployed]
    tasks = [["ECS/ContainerInsights", "RunningTaskCount", *_of(name, one)] for one in behind]
    cpu = [["AWS/ECS", "CPUUtilization", *_of(name, one)] for one in behind]
    memory = [["AWS/ECS", "MemoryUtilization", *_of(name, one)] for one in behind]
    queues = [queue_of(name, link.source, link.subscriber) for link in deployment.links]
    oldest = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue] for queue in queues]
    dead = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", dead_letters_of(queue)]
        for queue in queues
    ]
    widgets = [
        _search("Requests a minute", "RequestCount", "Sum"),
        _search("Answers by 5xx", "HTTPCode_Target_5XX_Count", "Sum"),
        _search("p99 of answers, s", "TargetResponseTime", "p99"),
        _graph("Running tasks", tasks, "Average"),
        _graph("CPU, %", cpu, "Average"),
        _graph("Memory, %", memory, "Average"),
        _graph("Oldest event that waits, s", oldest, "Maximum"),
        _graph("Dead letters", dead, "Maximum"),
        *_told(deployment),
        _routes(deployment),
        _graph("CPU of databases, %", _of_databases(deployment, "CPUUtilization"), "Average"),
        _graph("Connections", _of_databases(deployment, "DatabaseConnections"), "Maximum"),
    ]
    for number, widget in enumerate(widgets):
        widget["x"], widget["y"] = (number % 2) * WIDTH, (number // 2) * HEIGHT
    cloudwatch.CfnDashboard(
        made,
        "Dashboard",
        dashboard_name=name,
        dashboard_body=json.dumps({"widgets": widgets}, separators=(",", ":")),
    )
    return made


def _told(deployment: Deployment) -> list[dict[str, Any]]:
    """What processes tell themselves, and what the audit does."""
    services = [("service", name) for name in deployment.services]
    with_sagas = [("process", one.name) for one in deployment.ecs_services if one.with_sagas]
    with_links = [("process", one.name) for one in deployment.ecs_services if one.links]
    shop = [("shop", deployment.options.name)]
    return [
        _graph("p99 of calls, ms", _own("latency_ms_p99", services), MAX),
        _graph("Calls that failed by our own fault", _own("faults", services), "Sum"),
        _graph("Oldest saga that is not over, s", _own("sagas_oldest_seconds", with_sagas), MAX),
        _graph("Reactions that are given up", _own("dead_letters", with_links), MAX),
        _graph("Violations found by the audit", _own("audit_violations", shop), MAX),
    ]


def _own(metric: str, dimensions: list[tuple[str, str]]) -> list[Metric]:
    """What processes tell themselves."""
    return [[OWN, metric, *dimension] for dimension in dimensions]


def _routes(deployment: Deployment) -> dict[str, Any]:
    """Every route of REST with its rate, errors and p99, out of the log: it costs no metric."""
    logs = [f"SOURCE '/{deployment.options.name}/{one.name}'" for one in deployment.ecs_services]
    query = (
        "filter kind = 'route' | stats sum(requests) as asked, sum(faults) as failed, "
        "max(latency_ms_p99) as p99_ms by verb, route | sort failed desc, asked desc | limit 100"
    )
    properties = {
        "title": "Routes: requests, answers by 5xx, worst p99 of a minute",
        "query": " | ".join([*logs, query]),
        "region": deployment.options.region,
        "view": "table",
    }
    return _widget(properties) | {"type": "log"}


def _of(cluster: str, service: str) -> list[str]:
    return ["ClusterName", cluster, "ServiceName", service]


def _of_databases(deployment: Deployment, metric: str) -> list[Metric]:
    return [
        ["AWS/RDS", metric, "DBInstanceIdentifier", f"{deployment.options.name}-{name}"]
        for name in instances_of(deployment)
    ]


def _graph(title: str, metrics: list[Metric], statistic: str) -> dict[str, Any]:
    shown = {"title": title, "metrics": metrics, "stat": statistic, "period": 60}
    return _widget({**shown, "view": "timeSeries"})


def _search(title: str, metric: str, statistic: str) -> dict[str, Any]:
    """Of all target groups there are: their names end in what AWS chose."""
    dimensions = "{AWS/ApplicationELB,LoadBalancer,TargetGroup}"
    found = f"SEARCH('{dimensions} MetricName=\"{metric}\"', '{statistic}', 60)"
    return _widget({"title": title, "metrics": [[{"expression": found}]], "view": "timeSeries"})


def _widget(properties: dict[str, Any]) -> dict[str, Any]:
    """One needs a region where several are possible; the dashboard's own is taken."""
    return {"type": "metric", "width": WIDTH, "height": HEIGHT, "properties": properties}

"""One page on which the whole shop is seen: rate, errors, latency, tasks, queues, databases."""

import json
from typing import Any, Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from emporion.chassis.brokers.aws.names import dead_letters_of, queue_of
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.stacks.pieces import stack
from emporion.platform.deploy.task_words import instances_of

WIDTH: Final = 12
HEIGHT: Final = 6
Metric = list[Any]


def dashboard_stack(app: cdk.App, deployment: Deployment) -> cdk.Stack:
    """The dashboard alone: it names what it shows, and needs no other stack."""
    made = stack(app, deployment, "dashboard")
    name = deployment.options.name
    behind = [one.name for one in deployment.ecs_services]
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

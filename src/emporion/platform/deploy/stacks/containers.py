"""The containers of a task: the shop's process, and the collector of its telemetry beside it."""

import json
from typing import Any, Final

import aws_cdk as cdk
import msgspec
from aws_cdk import aws_ecs as ecs

from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.options import Architecture
from emporion.platform.deploy.stacks.pieces import imported
from emporion.platform.deploy.task_words import (
    GRPC_PORT,
    WAYS_OUT,
    hosts_of,
    pages_told,
    task_told,
)
from emporion.platform.ecs.told import PAGES, TASK
from emporion.platform.settings import PREFIX

PROCESSORS: Final = {Architecture.X86_64: "X86_64", Architecture.ARM64: "ARM64"}
SERVE: Final = ["task", "serve"]
COLLECTOR: Final = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.2"
USER: Final = "10001:10001"
DATA: Final = "/data"
STOP_TIMEOUT_S: Final = 60
"""What a task is told to take for its drain fits into it."""
COLLECTED_AT: Final = "127.0.0.1:4318"
TELEMETRY: Final = {"trace_ids": "xray", "otlp_url": f"http://{COLLECTED_AT}", "emf": "true"}
"""Settings of every task that serves: alarms look at what it tells."""
PROBE: Final = (
    "import urllib.request as r;r.urlopen('http://127.0.0.1:{port}/livez',timeout=3).read()"
)


def image(one: EcsService) -> str:
    """The image of a deployment: the repository of the manifest, the tag of the stack."""
    tagged = f"{one.image}:${{ImageTag}}"
    if "." in one.image.partition("/")[0]:
        return str(cdk.Fn.sub(tagged))
    return str(cdk.Fn.sub(f"${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.amazonaws.com/{tagged}"))


def told(deployment: Deployment, one: EcsService) -> str:
    """What the process is told, without any secret: names of secrets, addresses, its neighbours."""
    text = msgspec.json.encode(task_told(deployment, one)).decode()
    hosts = {
        name: imported(deployment, f"database-{instance}")
        for name, instance in hosts_of(deployment, one).items()
    }
    if deployment.pages is not None:
        hosts[WAYS_OUT] = imported(deployment, "ways-out")
    return str(cdk.Fn.sub(text, hosts))


def shop_container(
    deployment: Deployment, one: EcsService, log_group: Any, *, words: list[str]
) -> dict[str, Any]:
    """The shop's own container, running the command `words`; as arguments of its property."""
    settings = {**(TELEMETRY if words == SERVE else {}), **dict(deployment.options.settings)}
    return {
        "name": one.name,
        "image": image(one),
        "essential": True,
        "command": words,
        "environment": [
            ecs.CfnTaskDefinition.KeyValuePairProperty(name=name, value=value)
            for name, value in (
                (TASK, told(deployment, one)),
                *((f"{PREFIX}{key.upper()}", said) for key, said in settings.items()),
            )
        ],
        "user": USER,
        "readonly_root_filesystem": True,
        "privileged": False,
        "linux_parameters": ecs.CfnTaskDefinition.LinuxParametersProperty(
            init_process_enabled=True,
            capabilities=ecs.CfnTaskDefinition.KernelCapabilitiesProperty(drop=["ALL"]),
        ),
        "mount_points": [
            ecs.CfnTaskDefinition.MountPointProperty(
                source_volume="data", container_path=DATA, read_only=False
            )
        ],
        "ulimits": [
            ecs.CfnTaskDefinition.UlimitProperty(
                name="nofile", soft_limit=65_536, hard_limit=65_536
            )
        ],
        "log_configuration": logs(log_group, one.name),
        "stop_timeout": STOP_TIMEOUT_S,
    }


def pages_container(deployment: Deployment, one: EcsService, log_group: Any) -> Any:
    """The process that shows pages: it asks the shop at its own domain, as each visitor."""
    kind = ecs.CfnTaskDefinition
    container = shop_container(deployment, one, log_group, words=["task", "pages"])
    settings = dict(deployment.options.settings)
    told = msgspec.json.encode(pages_told(deployment, one)).decode()
    container["environment"] = [
        kind.KeyValuePairProperty(name=name, value=said)
        for name, said in (
            (PAGES, told),
            *((f"{PREFIX}{key.upper()}", said) for key, said in settings.items()),
        )
    ]
    port = kind.PortMappingProperty(
        name="http", container_port=one.container_port, protocol="tcp", app_protocol="http"
    )
    return kind.ContainerDefinitionProperty(
        **container, port_mappings=[port], health_check=_health(one)
    )


def serving_container(deployment: Deployment, one: EcsService, log_group: Any) -> Any:
    """The process that serves: its ports, and how ECS sees that it lives."""
    ports = [
        ecs.CfnTaskDefinition.PortMappingProperty(
            name=name, container_port=port, protocol="tcp", app_protocol=protocol
        )
        for name, port, protocol in (
            ("http", one.container_port, "http"),
            # The proxy of Service Connect reads only what is not encrypted; TLS it passes through.
            ("grpc", GRPC_PORT, None if deployment.is_tls else "grpc"),
        )
    ]
    return ecs.CfnTaskDefinition.ContainerDefinitionProperty(
        **shop_container(deployment, one, log_group, words=SERVE),
        port_mappings=ports,
        health_check=_health(one),
    )


def _health(one: EcsService) -> Any:
    """How ECS sees that the process lives."""
    return ecs.CfnTaskDefinition.HealthCheckProperty(
        command=["CMD", "python", "-c", PROBE.format(port=one.container_port)],
        interval=10,
        timeout=5,
        retries=3,
        start_period=60,
    )


def collector_container(deployment: Deployment, log_group: Any) -> Any:
    """The collector of AWS: traces to X-Ray. Metrics go with the log, logs to CloudWatch anyway."""
    return ecs.CfnTaskDefinition.ContainerDefinitionProperty(
        name="collector",
        image=COLLECTOR,
        essential=False,
        readonly_root_filesystem=True,
        user=USER,
        linux_parameters=ecs.CfnTaskDefinition.LinuxParametersProperty(
            init_process_enabled=True,
            capabilities=ecs.CfnTaskDefinition.KernelCapabilitiesProperty(drop=["ALL"]),
        ),
        environment=[
            ecs.CfnTaskDefinition.KeyValuePairProperty(
                name="AOT_CONFIG_CONTENT", value=_collected(deployment)
            )
        ],
        log_configuration=logs(log_group, "collector"),
    )


def _collected(deployment: Deployment) -> str:
    """The collector's configuration, in its own words.

    The process posts metrics and log lines to it, too. CloudWatch has them from the log already:
    of those the collector only says now and then that they came.
    """
    said_already = {"receivers": ["otlp"], "exporters": ["debug"]}
    traces = {
        "receivers": ["otlp"],
        "processors": ["resourcedetection", "batch"],
        "exporters": ["awsxray"],
    }
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": COLLECTED_AT}}}},
        "processors": {
            "batch": {},
            "resourcedetection": {"detectors": ["ecs"], "timeout": "5s"},
        },
        "exporters": {
            "awsxray": {"region": deployment.options.region},
            "debug": {"sampling_initial": 1, "sampling_thereafter": 100_000},
        },
        "service": {"pipelines": {"traces": traces, "metrics": said_already, "logs": said_already}},
    }
    return json.dumps(configuration, separators=(",", ":"))


def logs(log_group: Any, prefix: str) -> Any:
    """To CloudWatch; a log that cannot be written never holds up the shop."""
    return ecs.CfnTaskDefinition.LogConfigurationProperty(
        log_driver="awslogs",
        options={
            "awslogs-group": log_group.ref,
            "awslogs-region": cdk.Aws.REGION,
            "awslogs-stream-prefix": prefix,
            "mode": "non-blocking",
            "max-buffer-size": "25m",
        },
    )

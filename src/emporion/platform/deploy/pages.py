"""Storefront and console as an ECS service: in front of the shop, behind the same balancer."""

from typing import Final

from emporion.platform.deploy.deployment import EcsService
from emporion.platform.deploy.listener import page_rules
from emporion.platform.deploy.manifest import Alarms, AutoScaling, Rollout
from emporion.web.console.paths import PATHS as CONSOLE
from emporion.web.storefront.paths import HOME, PATHS

NAME: Final = "web"
OWNER: Final = "storefront"
SCALING: Final = AutoScaling(
    min_capacity=2, max_capacity=10, cpu_threshold=70, backlog_per_task=0, loop_lag_ms=0
)
"""What it tells of itself stays with it (guides/storefront.md): its loop lag is not looked at."""


def pages_service(image: str, port: int) -> EcsService:
    """The service, from the image of the others."""
    return EcsService(
        name=NAME,
        services={},
        owners=(OWNER,),
        image=image,
        cpu=256,
        memory=512,
        desired_count=2,
        target_group=NAME,
        container_port=port,
        health_path="/readyz",
        auto_scaling=SCALING,
        alarms=Alarms(latency_ms_p99=2_000),
        rollout=Rollout(),
        secrets=(),
        service_connect=False,
        log_days=30,
        rules=page_rules([HOME, *(path for _, path in (*PATHS, *CONSOLE))]),
    )

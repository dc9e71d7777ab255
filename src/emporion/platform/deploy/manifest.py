"""What a service says of its deployment: size, count, scaling, owner, alarms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from emporion.platform.topology.kinds import Engine
from emporion.platform.topology.model import Place

FARGATE_MEMORY_MB: Final[Mapping[int, range]] = {
    256: range(512, 2_049, 512),
    512: range(1_024, 4_097, 1_024),
    1_024: range(2_048, 8_193, 1_024),
    2_048: range(4_096, 16_385, 1_024),
    4_096: range(8_192, 30_721, 1_024),
    8_192: range(16_384, 61_441, 4_096),
    16_384: range(32_768, 122_881, 8_192),
}
"""Memory (MB) that Fargate has for so many CPU units; 1,024 units are one vCPU."""


class Strategy(StrEnum):
    """How a new version takes over."""

    ROLLING = "rolling"
    """A few tasks at a time; a version that does not become healthy is rolled back."""
    CANARY = "canary"
    """A share of the requests first, the rest when no alarm has gone off meanwhile."""
    BLUE_GREEN = "blue-green"
    """All requests at once, the old version kept for a while to go back to."""


@dataclass(frozen=True, slots=True)
class AutoScaling:
    """Between how many tasks, and what makes them more.

    Args:
        min_capacity, max_capacity: tasks.
        cpu_threshold: percent of CPU, on average, that is kept to.
        requests_per_target: requests a minute and task that are kept to; 0: not looked at.
        backlog_per_task: events waiting in the service's queues, for each task, that are kept
            to; 0: not looked at. Only a service that subscribes has queues.
        loop_lag_ms: how late its event loop turns, on average, that is kept to; 0: not looked
            at. A loop that waits for one core leaves the others of a task idle, and CPU low.
    """

    min_capacity: int
    max_capacity: int
    cpu_threshold: int
    requests_per_target: int = 1_500
    backlog_per_task: int = 1_000
    loop_lag_ms: int = 100


@dataclass(frozen=True, slots=True)
class Alarms:
    """From when on somebody is told.

    Args:
        error_percent: of requests answered by 5xx, over five minutes.
        latency_ms_p99: of requests, over five minutes.
        backlog_age_s: of the oldest event that waits for this service.
        saga_age_s: of the oldest saga of this service that is not over.
    """

    error_percent: int = 1
    latency_ms_p99: int = 1_000
    backlog_age_s: int = 300
    saga_age_s: int = 900


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a new version takes over.

    Args:
        strategy: see there.
        canary_percent: of the requests that go to a canary first.
        bake_minutes: how long alarms are watched before the old version goes.
    """

    strategy: Strategy = Strategy.ROLLING
    canary_percent: int = 10
    bake_minutes: int = 10


@dataclass(frozen=True, slots=True)
class Manifest:
    """One `service.yaml`, checked.

    Args:
        service: its name.
        owner: the team that is asked first.
        image: the repository of its image; the tag comes with each deployment.
        cpu, memory: units (1,024 are one vCPU) and MB, a size that Fargate has.
        desired_count: tasks of a first deployment; later what scaling made of it is kept.
        target_group, container_port: behind the load balancer.
        auto_scaling: see there.
        health_path: answers 200 while the service takes requests.
        engine: what keeps its data at scale.
        secrets: settings that come out of Secrets Manager, by name.
        alarms, rollout: see there.
        service_connect: whether gRPC callers that are not ours find it by Service Connect.
        log_days: how long logs are kept.
        place: the file.
    """

    service: str
    owner: str
    image: str
    cpu: int
    memory: int
    desired_count: int
    target_group: str
    container_port: int
    auto_scaling: AutoScaling
    health_path: str = "/readyz"
    engine: Engine = Engine.POSTGRES
    secrets: tuple[str, ...] = ()
    alarms: Alarms = field(default_factory=Alarms)
    rollout: Rollout = field(default_factory=Rollout)
    service_connect: bool = True
    log_days: int = 30
    place: Place = field(compare=False, default=Place("", 0))

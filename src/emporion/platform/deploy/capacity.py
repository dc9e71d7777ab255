"""How many tasks so many orders a second need, what that costs, and which part gives way first.

A reckoning, not a measurement: CPU an order as measured on one machine, times the rate.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from emporion.chassis.discovery.cloud_map import LOOK_S
from emporion.platform.deploy.cost import SECONDS, UNITS, Prices, task_month
from emporion.platform.deploy.deployment import Deployment
from emporion.platform.deploy.measured import DATABASE
from emporion.platform.deploy.task_words import VAULT, instances_of

PER_ORDER: Final = ("orders.created", "payments.captured", "screenings.completed")
"""Events that every order announces, one of each."""
BATCH: Final = 10
"""Messages in a request of SQS, under load; the most it takes (SQS developer guide, page
`quotas-messages`, looked up on 2026-11-30)."""
DATABASE_CORES_MAX: Final = 64
"""Of the largest PostgreSQL instance that is reckoned with (db.r7g.16xlarge)."""
DATABASE_LOAD: Final = 0.6
TOPIC_MAX_S: Final = 30_000
"""Messages a second that SNS takes for FIFO topics of an account in the largest regions.

Not seen in the pages that could be looked up on 2026-11-30: the CDK's FifoThroughputScope says
3,000 for a topic that de-duplicates as a whole, `maximum regional limits` for ours, by group."""
DISCOVERY_MAX_S: Final = 1_000
"""DiscoverInstances a second and account, by default; in bursts 2,000 (Cloud Map developer guide,
pages `throttling` and `cloud-map-limits`, looked up on 2026-11-30)."""
TARGETS_MAX: Final = 1_000
"""Tasks behind one load balancer, by default (Application Load Balancer guide, page
`load-balancer-limits`, looked up on 2026-11-30; requests a second have no quota there)."""
QUEUE_REQUESTS_MAX_S: Final = 70_000
"""Requests of one kind a second that a FIFO queue of high throughput takes in the largest regions.

Not seen in the pages that could be looked up on 2026-11-30; without that mode it is 300."""
COMMIT_MS: Final = 4
"""How long a commit holds the row of a hot item on a database that has to sync: an assumption."""
HOT_BATCH: Final = 256
"""Orders that one statement takes stock for at most."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one ECS service needs at a rate.

    Args:
        name: of the service.
        cpu_us: of CPU an order; 0: not measured.
        tasks: of its manifest's size.
        tasks_max: that its manifest allows.
        usd_month: for them.
    """

    name: str
    cpu_us: float
    tasks: int
    tasks_max: int
    usd_month: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A part that can give way.

    Args:
        what: the part.
        need, limit: of the same unit.
        unit: of both.
        then: what the design does when it gives way.
    """

    what: str
    need: float
    limit: float
    unit: str
    then: str

    @property
    def share(self) -> float:
        """Of the limit; beyond 1 it gives way."""
        return self.need / self.limit


def needs(
    deployment: Deployment, orders_s: int, *, measured: Mapping[str, float], of: Prices
) -> list[Need]:
    """Tasks of each service, at the CPU that its scaling keeps to."""
    found = []
    for one in deployment.ecs_services:
        cpu_us = sum(measured.get(service, 0.0) for service in one.services)
        share = one.auto_scaling.cpu_threshold / 100
        # A process computes on one core at a time, however many its task has.
        cores = min(one.cpu / UNITS, 1.0) * share
        tasks = max(one.auto_scaling.min_capacity, math.ceil(orders_s * cpu_us / 1e6 / cores))
        usd = tasks * task_month(deployment, one, of)
        found.append(Need(one.name, cpu_us, tasks, one.auto_scaling.max_capacity, usd))
    return found


def bus_month(deployment: Deployment, orders_s: int, of: Prices) -> float:
    """What SNS and SQS cost a month at this rate, in USD."""
    million = orders_s * SECONDS / 1e6
    deliveries = _deliveries(deployment)
    published = len(PER_ORDER) * of.topic_million + deliveries * of.topic_delivery_million
    received = deliveries * 2 / BATCH * of.queue_million
    return million * (published + received)


def database_cores(orders_s: int, measured: Mapping[str, float]) -> float:
    """Cores that all databases keep busy together."""
    return orders_s * measured.get(DATABASE, 0.0) / 1e6


def limits(
    deployment: Deployment, orders_s: int, *, found: list[Need], measured: Mapping[str, float]
) -> list[Limit]:
    """Every part with its limit, the one that gives way first at the top."""
    return sorted(
        _limits(deployment, orders_s, found=found, measured=measured),
        key=lambda limit: -limit.share,
    )


def _limits(
    deployment: Deployment, orders_s: int, *, found: list[Need], measured: Mapping[str, float]
) -> Iterator[Limit]:
    tightest = max(found, key=lambda need: need.tasks / need.tasks_max)
    of_tasks = f"tasks of {tightest.name}"
    yield Limit(of_tasks, tightest.tasks, tightest.tasks_max, "tasks", _THEN["tasks"])
    # Orders leave the vault's instance all but idle.
    instances = [name for name in instances_of(deployment) if name != VAULT]
    cores = database_cores(orders_s, measured) / len(instances) / DATABASE_LOAD
    what = "databases"
    yield Limit(what, cores, DATABASE_CORES_MAX, "cores of one instance", _THEN[what])
    what = "topics"
    yield Limit(what, orders_s * len(PER_ORDER), TOPIC_MAX_S, "messages/s", _THEN[what])
    looks = sum(
        need.tasks * len(one.callees)
        for need, one in zip(found, deployment.ecs_services, strict=True)
    )
    what = "queues"
    requests = orders_s / BATCH * 2
    yield Limit(what, requests, QUEUE_REQUESTS_MAX_S, "requests/s of one queue", _THEN[what])
    what = "load balancer"
    tasks = sum(need.tasks for need in found)
    yield Limit(what, tasks, TARGETS_MAX, "tasks behind it", _THEN[what])
    what = "discovery"
    yield Limit(what, looks / LOOK_S, DISCOVERY_MAX_S, "requests/s", _THEN[what])
    what = "one hot item in stock"
    yield Limit(what, orders_s, 1_000 / COMMIT_MS * HOT_BATCH, "orders/s of one SKU", _THEN[what])


_THEN: Final = {
    "tasks": "raise max_capacity in its service.yaml: tasks share nothing but the database",
    "databases": "size: large gives each service its own; then orders are split by key, each part "
    "a shop of its own, in a region of its own where people are far",
    "queues": "more groups in parallel do not help one queue: a topic for each part of the keys",
    "load balancer": "ask AWS for more; then a balancer for each part of the paths",
    "topics": "ask AWS for more; then a topic for each part of the keys, or NATS beside the tasks",
    "discovery": "ask AWS for more, or look every 15 s: callers eject stale endpoints themselves",
    "one hot item in stock": "stock split over several rows (warehouses); buyers queue at the door",
}
"""What the design does when a part gives way."""


def _deliveries(deployment: Deployment) -> int:
    """Copies of the events of an order that subscribers get."""
    return sum(name in PER_ORDER for link in deployment.links for name in link.names)


def total_month(found: list[Need], bus: float) -> float:
    """Tasks and bus together, in USD."""
    return sum(need.usd_month for need in found) + bus

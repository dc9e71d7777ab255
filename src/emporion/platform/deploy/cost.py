"""What a deployment costs a month, from list prices: idle, at its desired count of tasks."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec
import yaml

from emporion.chassis.discovery.cloud_map import LOOK_S
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.manifest import Strategy
from emporion.platform.deploy.options import Size
from emporion.platform.deploy.task_words import instances_of

REGION: Final = "us-east-1"
"""Whose prices we have; those of other regions differ by up to a fifth or so."""
HOURS: Final = 730
SECONDS: Final = HOURS * 3_600
EMPTY_RECEIVES_PER_S: Final = 1 / 20
"""Of a reader that waits for events: each request waits for 20 s."""
UNITS: Final = 1_024
BALANCER_WATCHED: Final = 5
"""Metrics of the balancer, and the number of tasks."""
CALLS_WATCHED: Final = 3
AUDIT_ALARMS: Final = 2
SERVICE_TOLD: Final = 6
"""Requests, errors, faults, and three quantiles."""
PROCESS_TOLD: Final = 4
"""CPU, memory, loop lag and its maximum."""
AUDIT_TOLD: Final = 4
SOLD_TOLD: Final = 10
"""Orders by outcome, revenue by currency, refusals by reason: an assumption."""


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """List prices in USD; each name says for what."""

    dated: str
    region: str
    fargate_vcpu_hour: dict[str, float]
    fargate_gb_hour: dict[str, float]
    balancer_hour: float
    balancer_unit_hour: float
    nat_hour: float
    nat_gb: float
    public_address_hour: float
    database_hour: dict[str, float]
    database_gb_month: float
    secret_month: float
    alarm_metric_month: float
    dashboard_month: float
    custom_metric_month: float
    log_gb: float
    topic_million: float
    topic_delivery_million: float
    queue_million: float
    discovery_million: float


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the bill.

    Args:
        what: for a service its name, else the part.
        why: how it was reckoned.
        usd_month: a month of 730 hours.
    """

    what: str
    why: str
    usd_month: float


def prices() -> Prices:
    """Those that come with the program."""
    text = (files("emporion.platform.deploy") / "prices" / f"{REGION}.yaml").read_text("utf-8")
    read = yaml.safe_load(text)
    return msgspec.convert({**read, "dated": str(read["dated"])}, Prices)


def task_month(deployment: Deployment, one: EcsService, of: Prices) -> float:
    """One task of a service, a month long, in USD."""
    kind = str(deployment.options.architecture)
    vcpu = one.cpu / UNITS * of.fargate_vcpu_hour[kind]
    return (vcpu + one.memory / 1_024 * of.fargate_gb_hour[kind]) * HOURS


def bill(deployment: Deployment, of: Prices) -> list[Item]:
    """Services first, in the order of the topology, then what they share."""
    return [*_services(deployment, of), *_shared(deployment, of)]


def _services(deployment: Deployment, of: Prices) -> Iterator[Item]:
    for one in deployment.deployed:
        tasks = one.desired_count
        looks = tasks * len(one.callees) * SECONDS / LOOK_S / 1e6 * of.discovery_million
        receives = len(one.links) * EMPTY_RECEIVES_PER_S * SECONDS / 1e6 * of.queue_million
        usd = tasks * task_month(deployment, one, of) + looks + receives
        vcpu, gb = one.cpu / UNITS, one.memory / 1_024
        why = f"{tasks} tasks of {vcpu:g} vCPU and {gb:g} GB"
        if one.rollout.strategy is not Strategy.ROLLING:
            why += ", twice as many during a deployment"
        yield Item(one.name, why, usd)


def _shared(deployment: Deployment, of: Prices) -> Iterator[Item]:
    options = deployment.options
    zones = options.zones
    yield Item(
        "load balancer",
        f"1, with 1 capacity unit and {zones} addresses",
        (of.balancer_hour + of.balancer_unit_hour + zones * of.public_address_hour) * HOURS,
    )
    ways = 1 if options.size is Size.SMALL else zones
    yield Item(
        "ways out (NAT)",
        f"{ways}, without traffic",
        ways * (of.nat_hour + of.public_address_hour) * HOURS,
    )
    instances = len(instances_of(deployment))
    copies = 1 if options.size is Size.SMALL else 2
    hour = of.database_hour.get(options.database_class)
    storage = options.database_gb * of.database_gb_month
    yield Item(
        "databases",
        f"{instances} x {copies} {options.database_class}, {options.database_gb} GB"
        + ("" if hour is not None else "; the price of this class is not known, storage only"),
        instances * copies * ((hour or 0.0) * HOURS + storage),
    )
    secrets = _secrets(deployment)
    yield Item("secrets", f"{secrets}", secrets * of.secret_month)
    metrics = _alarm_metrics(deployment)
    yield Item("alarms", f"{metrics} metrics watched", metrics * of.alarm_metric_month)
    told = _own_metrics(deployment)
    yield Item("metrics", f"{told} that processes tell", told * of.custom_metric_month)
    yield Item("dashboard", "1", of.dashboard_month)


def _secrets(deployment: Deployment) -> int:
    settings = {name for one in deployment.ecs_services for name in one.secrets}
    own = len(deployment.ecs_services) + len(settings)
    of_tls = len(deployment.ecs_services) + len(deployment.options.grpc_callers) + 1
    own += of_tls if deployment.is_tls else 0
    return own + len(deployment.services) + len(instances_of(deployment)) + 1


def _alarm_metrics(deployment: Deployment) -> int:
    """Of a share of errors both counts are paid for; a test counts what the stacks watch."""
    found = AUDIT_ALARMS + 2 * len(deployment.links)
    for one in deployment.deployed:
        found += BALANCER_WATCHED + CALLS_WATCHED * len(one.services)
        found += bool(one.with_sagas) + bool(one.links)
        found += deployment.is_tls and not one.is_pages
    return found


def _own_metrics(deployment: Deployment) -> int:
    """What processes tell in CloudWatch's format: each name and set of dimensions is one."""
    found = AUDIT_TOLD + SOLD_TOLD
    for one in deployment.ecs_services:
        found += SERVICE_TOLD * len(one.services) + PROCESS_TOLD
        found += 2 * (bool(one.with_sagas) + bool(one.links)) + deployment.is_tls
    return found

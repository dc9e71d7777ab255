"""Puts a deployment together, from topology, manifests and contracts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import emporion.services
from emporion.chassis.events.broker.port import Link
from emporion.chassis.events.outbox import owner_of
from emporion.kernel.errors import FailedPrecondition
from emporion.platform.contracts import CONTRACTS, EVENTS
from emporion.platform.deploy.deployment import Deployment, EcsService
from emporion.platform.deploy.links import links_of_shop
from emporion.platform.deploy.listener import ListenerRule, blocks, listener_rules
from emporion.platform.deploy.manifest import (
    FARGATE_MEMORY_MB,
    AutoScaling,
    Manifest,
    Rollout,
    Strategy,
)
from emporion.platform.deploy.options import Options
from emporion.platform.deploy.pages import pages_service
from emporion.platform.docs.calls import calls_of
from emporion.platform.docs.source import ServiceSource, services_in
from emporion.platform.edge.routes import OPERATIONS_AT, routes
from emporion.platform.services import SERVICES
from emporion.platform.table_file import BadFile
from emporion.platform.topology.find import find_topology
from emporion.platform.topology.kinds import BusKind, DiscoveryKind, Engine
from emporion.platform.topology.model import ProcessPlan, Topology

SAGAS: Final = ("sagas.py", "sagas/__init__.py")
KEYS_AT: Final = "user"
"""Every process asks it for the keys that access tokens are verified with."""


class NotDeployable(FailedPrecondition):
    """Topology or manifests say something that ECS cannot do."""

    slug = "not-deployable"
    title = "This cannot be deployed"


def compose(options: Options, manifests: Mapping[str, Manifest]) -> Deployment:
    """The deployment of these options.

    Raises BadFile for a topology with mistakes, NotDeployable for one that ECS cannot run.
    """
    topology = find_topology(options.topology)
    _require_deployable(topology, manifests)
    sources = services_in(Path(emporion.services.__path__[0]))
    shop = _Shop(topology, manifests, sources, links_of_shop())
    first = next(iter(manifests.values()))
    shows_pages = bool(options.domain) and topology.has_web
    return Deployment(
        options=options,
        namespace=topology.discovery.namespace,
        ecs_services=tuple(shop.ecs_service(plan) for plan in topology.processes),
        publishers=shop.publishers,
        links=shop.links,
        is_tls=topology.is_tls,
        pages=pages_service(first.image, first.container_port) if shows_pages else None,
    )


def _require_deployable(topology: Topology, manifests: Mapping[str, Manifest]) -> None:
    if topology.bus.kind is not BusKind.SNS_SQS:
        raise NotDeployable(f"{topology.name}: on ECS events go over `bus: sns-sqs`")
    if topology.discovery.kind is not DiscoveryKind.CLOUD_MAP:
        raise NotDeployable(f"{topology.name}: on ECS processes find each other by cloud-map")
    if topology.allows_faults:
        raise NotDeployable(
            f"{topology.name}: faults are switched on where nobody sells; take `faults: on` out"
        )
    for service, storage in topology.storage.items():
        if storage.engine is Engine.SQLITE:
            raise NotDeployable(
                f"{topology.name}: {service} is on SQLite, but the disk of a task goes with it; "
                "write `postgres`"
            )
        if manifests[service].engine is not storage.engine:
            place = manifests[service].place
            message = f"says {manifests[service].engine}, but the topology {storage.engine}"
            raise BadFile.because(place.file, message, line=place.line, column="engine")


@dataclass(frozen=True, slots=True)
class _Shop:
    topology: Topology
    manifests: Mapping[str, Manifest]
    sources: Sequence[ServiceSource]
    links: tuple[Link, ...]

    @property
    def publishers(self) -> tuple[str, ...]:
        """Services that announce an event, in the order of the shop."""
        announcing = {owner_of(event) for event in EVENTS}
        return tuple(name for name in SERVICES if name in announcing)

    def ecs_service(self, plan: ProcessPlan) -> EcsService:
        own = [self.manifests[name] for name in plan.services]
        first = own[0]
        cpu, memory = _size(own)
        calls = self._calls()
        return EcsService(
            name=plan.name,
            services={name: self.topology.storage[name].engine for name in plan.services},
            owners=tuple(dict.fromkeys(one.owner for one in own)),
            image=first.image,
            cpu=cpu,
            memory=memory,
            desired_count=max(one.desired_count for one in own),
            target_group=first.target_group if len(own) == 1 else plan.name,
            container_port=first.container_port,
            health_path=first.health_path,
            auto_scaling=_widest([one.auto_scaling for one in own]),
            alarms=first.alarms,
            rollout=self._rollout(first, self._rules().get(plan.name, ())),
            secrets=tuple(dict.fromkeys(name for one in own for name in one.secrets)),
            service_connect=any(one.service_connect for one in own),
            log_days=max(one.log_days for one in own),
            rules=self._rules().get(plan.name, ()),
            callees=tuple(sorted(calls[plan.name])),
            callers=tuple(sorted(name for name in calls if plan.name in calls[name])),
            publishes=tuple(name for name in self.publishers if name in plan.services),
            links=tuple(link for link in self.links if link.subscriber in plan.services),
            with_sagas=tuple(name for name in plan.services if name in self._with_sagas()),
        )

    def _with_sagas(self) -> frozenset[str]:
        return frozenset(
            one.name for one in self.sources if any((one.folder / path).is_file() for path in SAGAS)
        )

    def _rollout(self, manifest: Manifest, rules: Sequence[ListenerRule]) -> Rollout:
        strategy = manifest.rollout.strategy
        if strategy is not Strategy.ROLLING and len(rules) != 1:
            place = manifest.place
            message = f"ECS shifts one listener rule, and {manifest.service} has {len(rules)}"
            raise BadFile.because(place.file, message, line=place.line, column="rollout")
        return manifest.rollout

    def _process_of(self, service: str) -> str:
        return self.topology.process_of(service).name

    def _rules(self) -> Mapping[str, tuple[ListenerRule, ...]]:
        numbers = blocks(plan.name for plan in self.topology.processes)
        clusters = {name: self._process_of(name) for name in SERVICES}
        return listener_rules(routes(CONTRACTS, clusters), numbers)

    def _calls(self) -> Mapping[str, set[str]]:
        """Which processes each calls: what services ask of each other, and what the platform does.

        The process with the orders asks every other one for its operations; every process asks
        that of the users for keys.
        """
        found = {plan.name: {self._process_of(KEYS_AT)} for plan in self.topology.processes}
        for source in self.sources:
            callers = found[self._process_of(source.name)]
            callers |= {self._process_of(callee) for callee in calls_of(source)}
        found[self._process_of(OPERATIONS_AT)] |= set(found)
        return {name: callees - {name} for name, callees in found.items()}


def _size(own: Sequence[Manifest]) -> tuple[int, int]:
    """The smallest task of Fargate that holds them all."""
    cpu, memory = sum(one.cpu for one in own), sum(one.memory for one in own)
    for units, sizes in FARGATE_MEMORY_MB.items():
        fitting = [size for size in sizes if size >= memory]
        if units >= cpu and fitting:
            return units, fitting[0]
    raise NotDeployable(
        f"no task of Fargate has {cpu} CPU units and {memory} MB; split the process"
    )


def _widest(all_of: Sequence[AutoScaling]) -> AutoScaling:
    return AutoScaling(
        min_capacity=max(one.min_capacity for one in all_of),
        max_capacity=max(one.max_capacity for one in all_of),
        cpu_threshold=min(one.cpu_threshold for one in all_of),
        requests_per_target=min(one.requests_per_target for one in all_of),
        backlog_per_task=min(one.backlog_per_task for one in all_of),
        loop_lag_ms=min(one.loop_lag_ms for one in all_of),
    )

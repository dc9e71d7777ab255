"""A whole deployment: every ECS service with its size, its routes, and whom it talks to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emporion.chassis.events.broker.port import Link
from emporion.platform.deploy.listener import ListenerRule
from emporion.platform.deploy.manifest import Alarms, AutoScaling, Rollout
from emporion.platform.deploy.options import Options
from emporion.platform.topology.kinds import Engine


@dataclass(frozen=True, slots=True)
class EcsService:
    """One process of the topology, as an ECS service.

    Args:
        name: of the process.
        services: those it holds, with the engine of each.
        owners: the teams that are asked first.
        image: its repository.
        cpu, memory: of a task, in units and MB.
        desired_count: tasks of the first deployment.
        target_group, container_port, health_path: behind the load balancer.
        auto_scaling, alarms, rollout: see there.
        secrets: settings that come out of Secrets Manager.
        service_connect: whether others than ours find it by Service Connect.
        log_days: how long logs are kept.
        rules: of the load balancer's listener that lead to it.
        callees: ECS services that it calls over gRPC.
        callers: those that call it.
        publishes: the services in it that announce events.
        links: what its services subscribe to.
        with_sagas: the services in it that have sagas.
    """

    name: str
    services: Mapping[str, Engine]
    owners: tuple[str, ...]
    image: str
    cpu: int
    memory: int
    desired_count: int
    target_group: str
    container_port: int
    health_path: str
    auto_scaling: AutoScaling
    alarms: Alarms
    rollout: Rollout
    secrets: tuple[str, ...]
    service_connect: bool
    log_days: int
    rules: tuple[ListenerRule, ...] = ()
    callees: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    publishes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    with_sagas: tuple[str, ...] = ()

    @property
    def is_pages(self) -> bool:
        """Whether it shows pages, and holds no service: it has no data, and no secret."""
        return not self.services


@dataclass(frozen=True, slots=True)
class Deployment:
    """All of it.

    Args:
        options: what is said once.
        namespace: of Cloud Map.
        ecs_services: in the order of the topology.
        publishers: services of the shop that announce events, each with a topic.
        links: who subscribes to what, each with a queue.
        pages: what shows storefront and console; None: nothing does.
        is_tls: whether processes prove to each other who they are, by mutual TLS.
    """

    options: Options
    namespace: str
    ecs_services: Sequence[EcsService]
    publishers: tuple[str, ...]
    links: tuple[Link, ...]
    is_tls: bool = True
    pages: EcsService | None = None

    @property
    def deployed(self) -> tuple[EcsService, ...]:
        """All ECS services: of the topology, and the one that shows pages."""
        return (*self.ecs_services, *([] if self.pages is None else [self.pages]))

    def ecs_service(self, name: str) -> EcsService:
        """The one of that name."""
        return next(one for one in self.ecs_services if one.name == name)

    @property
    def services(self) -> Mapping[str, Engine]:
        """Every service with its engine."""
        return {name: kind for one in self.ecs_services for name, kind in one.services.items()}

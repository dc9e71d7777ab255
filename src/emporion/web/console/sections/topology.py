"""The topology as it runs: which services share a process, how often, and on what they stand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import ListProcesses, ProcessDetails
from emporion.contracts.operations_telemetry import ProcessStanding, ServiceMapOf
from emporion.kernel.clock import to_datetime
from emporion.web.console.section import Section
from emporion.web.visit import Visit

WINDOW_S: Final = 60
ENGINES: Final[Mapping[str, str]] = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mongodb": "MongoDB",
    "timescale": "TimescaleDB",
}
BUSES: Final[Mapping[str, str]] = {
    "in-process": "within the process",
    "nats": "NATS JetStream",
    "sns-sqs": "Amazon SNS and SQS",
}
DISCOVERIES: Final[Mapping[str, str]] = {
    "": "not needed: there is one process",
    "registry": "a registry on this machine",
    "static": "addresses in the topology",
    "dns": "DNS",
    "cloud-map": "AWS Cloud Map",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """A process, and what it uses."""

    process: ProcessDetails
    standing: ProcessStanding | None
    age_s: float

    @property
    def is_ready(self) -> bool:
        """Whether everything that it holds is."""
        return all(each.is_ready for each in self.process.services)


@dataclass(frozen=True, slots=True)
class Group:
    """Processes that hold the same services: instances of one plan."""

    services: Sequence[tuple[str, str]]
    instances: Sequence[Instance]


async def topology(visit: Visit) -> Response:
    """The page."""
    operations = visit.ask(OperationsService)
    found, told = await asyncio.gather(
        operations.list_processes(ListProcesses()),
        operations.service_map(ServiceMapOf(window_s=WINDOW_S)),
    )
    now = to_datetime(visit.site.runtime.clock.now_ms())
    standings = {each.process: each for each in told.processes}
    instances = [
        Instance(each, standings.get(each.process), (now - each.started_at).total_seconds())
        for each in found.processes
    ]
    engines: dict[str, list[str]] = {}
    for each in found.processes:
        for held in each.services:
            engines.setdefault(held.engine, []).append(held.service)
    return await visit.show(
        "topology.html",
        groups=_groups(instances),
        engines={
            ENGINES.get(engine, engine): sorted(set(names))
            for engine, names in sorted(engines.items())
        },
        buses=sorted({BUSES.get(each.bus, each.bus) for each in found.processes}),
        discoveries=sorted(
            {DISCOVERIES.get(each.discovery, each.discovery) for each in found.processes}
        ),
        versions=sorted({each.version for each in found.processes}),
        missing=sorted({*found.missing, *told.missing}),
    )


def _groups(instances: Sequence[Instance]) -> list[Group]:
    groups: dict[tuple[tuple[str, str], ...], list[Instance]] = {}
    for each in instances:
        held = tuple(
            (service.service, ENGINES.get(service.engine, service.engine))
            for service in each.process.services
        )
        groups.setdefault(held, []).append(each)
    return [
        Group(services, sorted(held, key=lambda each: each.process.process))
        for services, held in sorted(groups.items())
    ]


SECTION: Final = Section("Topology", pages={"": topology})

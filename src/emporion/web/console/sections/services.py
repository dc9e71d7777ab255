"""The services: whether each is ready, who asks it for what, and how well it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.operations import ListSubscribers, OperationsService
from emporion.contracts.operations_processes import ListProcesses, ProcessDetails, ServiceHere
from emporion.contracts.operations_telemetry import CallEdge, ServiceMap, ServiceMapOf
from emporion.kernel.errors import NotFound
from emporion.web.console.judging import Talk, together
from emporion.web.console.section import Section
from emporion.web.console.sections.overview import WINDOWS, window_of
from emporion.web.visit import Visit

WINDOW_S: Final = 300


@dataclass(frozen=True, slots=True)
class Held:
    """A service in one process."""

    process: ProcessDetails
    service: ServiceHere


@dataclass(frozen=True, slots=True)
class Row:
    """A service with where it is and how it answers."""

    name: str
    held: list[Held]
    talk: Talk
    events: Talk

    @property
    def is_ready(self) -> bool:
        """Whether every process that holds it has what it needs for it."""
        return bool(self.held) and all(each.service.is_ready for each in self.held)


@dataclass(frozen=True, slots=True)
class Method:
    """What one asks of another, by method."""

    caller: str
    service: str
    method: str
    talk: Talk


async def services(visit: Visit) -> Response:
    """All of them."""
    window_s = window_of(visit, WINDOW_S)
    operations = visit.ask(OperationsService)
    told = await operations.service_map(ServiceMapOf(window_s=window_s))
    found = await operations.list_processes(ListProcesses())
    return await visit.show(
        "services.html",
        rows=_rows(found.processes, told),
        missing=sorted({*told.missing, *found.missing}),
        windows=WINDOWS,
        window_s=window_s,
    )


async def service(visit: Visit) -> Response:
    """One of them. Raises NotFound."""
    name, window_s = visit.path["service"], window_of(visit, WINDOW_S)
    operations = visit.ask(OperationsService)
    told = await operations.service_map(ServiceMapOf(window_s=window_s, is_by_method=True))
    found = await operations.list_processes(ListProcesses())
    row = next((each for each in _rows(found.processes, told) if each.name == name), None)
    if row is None:
        raise NotFound(f"no process holds a service {name[:40]!r}, and nobody called one")
    lags = (await operations.list_subscribers(ListSubscribers())).subscribers
    methods = _methods(told)
    return await visit.show(
        "service.html",
        row=row,
        asked=[each for each in methods if each.service == name],
        asks=[each for each in methods if each.caller == name],
        hears=[lag for lag in lags if lag.subscriber == name],
        heard=[lag for lag in lags if lag.publisher == name],
        missing=sorted({*told.missing, *found.missing}),
        windows=WINDOWS,
        window_s=window_s,
    )


def _rows(processes: Sequence[ProcessDetails], told: ServiceMap) -> list[Row]:
    held: dict[str, list[Held]] = {}
    for process in processes:
        for each in process.services:
            held.setdefault(each.service, []).append(Held(process, each))
    known = {*held, *(edge.service for edge in told.edges)} - {OperationsService.NAME}
    return [_row(name, held, told) for name in sorted(known)]


def _row(name: str, held: Mapping[str, list[Held]], told: ServiceMap) -> Row:
    its = [edge for edge in told.edges if edge.service == name]
    return Row(
        name=name,
        held=held.get(name, []),
        talk=together((edge for edge in its if edge.kind != "event"), told.bounds_s),
        events=together((edge for edge in its if edge.kind == "event"), told.bounds_s),
    )


def _methods(told: ServiceMap) -> list[Method]:
    """Calls by caller, service and method, whether local or remote; the most frequent first."""
    groups: dict[tuple[str, str, str], list[CallEdge]] = {}
    for edge in told.edges:
        if edge.kind != "event" and edge.service != OperationsService.NAME:
            groups.setdefault((edge.caller, edge.service, edge.method), []).append(edge)
    found = [Method(*key, together(group, told.bounds_s)) for key, group in groups.items()]
    return sorted(found, key=lambda each: (-each.talk.calls, each.caller, each.method))


SECTION: Final = Section("Services", pages={"": services, "/{service}": service})

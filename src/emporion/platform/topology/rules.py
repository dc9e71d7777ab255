"""What the parts of a topology must agree on; each mistake says what to do next."""

from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_address

from emporion.platform.topology.kinds import BusKind, DiscoveryKind, Engine
from emporion.platform.topology.model import ENGINES_OF, LOOPBACK, Topology
from emporion.platform.topology.nodes import Notes, Value

_UNSPECIFIED = "write an address of this machine, and this one as `listen` of the shop"


def check_whole(topology: Topology, notes: Notes, *, processes: Value, engines: Value) -> None:
    """Note what does not fit together. `processes` and `engines` are those parts of the file."""
    _check_services(topology, notes, processes)
    _check_ports(topology, notes)
    _check_engines(topology, notes, engines)
    _check_bus(topology, notes)
    _check_discovery(topology, notes)


def _check_services(topology: Topology, notes: Notes, processes: Value) -> None:
    held_in: dict[str, str] = {}
    for plan in topology.processes:
        for service in plan.services:
            if service in held_in:
                notes.add(
                    plan.place.line,
                    f"processes.{plan.name}",
                    f"{service} is in {held_in[service]} already; a service is in one process "
                    "(more of them: `instances`)",
                )
            held_in.setdefault(service, plan.name)
        if not plan.services:
            notes.add(plan.place.line, f"processes.{plan.name}", "holds no service")
    missing = [name for name in ENGINES_OF if name not in held_in]
    if missing:
        processes.wrong(f"no process holds {', '.join(missing)}; add a process, or put it into one")


def _check_ports(topology: Topology, notes: Notes) -> None:
    taken: dict[tuple[str, int], str] = {}
    for plan in topology.processes:
        path = f"processes.{plan.name}"
        for port in filter(None, (plan.http_port, plan.grpc_port)):
            if plan.instances > 1:
                notes.add(
                    plan.place.line,
                    path,
                    f"{plan.instances} instances cannot share port {port}; leave the port out",
                )
            at = plan.address, port
            if at in taken:
                notes.add(plan.place.line, path, f"port {port} is taken by {taken[at]}")
            taken[at] = plan.name


def _check_engines(topology: Topology, notes: Notes, engines: Value) -> None:
    addresses: dict[tuple[str, str], list[str]] = defaultdict(list)
    instances = {
        service: plan.instances for plan in topology.processes for service in plan.services
    }
    for service, storage in topology.storage.items():
        line, path = storage.place.line or engines.line, f"engines.{service}"
        fitting = ENGINES_OF[service]
        if storage.engine not in fitting:
            words = " or ".join(fitting)
            notes.add(line, path, f"{service} has no adapter for {storage.engine}; use {words}")
        if storage.engine is Engine.SQLITE and instances.get(service, 1) > 1:
            notes.add(
                line,
                path,
                f"a SQLite file has one writing process, but {instances[service]} instances hold "
                f"{service}; use postgres, or one instance",
            )
        if storage.engine is Engine.TIMESCALE and storage.address is None:
            notes.add(
                line,
                path,
                "TimescaleDB is not started here: say where it is, as "
                f"`{service}: {{kind: timescale, address: env:NAME}}`, or use postgres",
            )
        if storage.address is not None:
            addresses[storage.address.kept_in, storage.address.name].append(service)
    for sharing in addresses.values():
        for service in sharing[1:]:
            line = topology.storage[service].place.line
            message = f"{sharing[0]} has the same address; services do not share a database"
            notes.add(line, f"engines.{service}", message)


def _check_bus(topology: Topology, notes: Notes) -> None:
    count = sum(plan.instances for plan in topology.processes)
    if topology.bus.kind is BusKind.IN_PROCESS and count > 1:
        notes.add(
            topology.bus.place.line,
            "bus",
            f"the in-process bus does not reach beyond one process, but there are {count}; "
            "write `bus: nats`",
        )


def _check_discovery(topology: Topology, notes: Notes) -> None:
    found = topology.discovery
    line = found.place.line
    if found.kind is DiscoveryKind.STATIC:
        missing = [name for name in ENGINES_OF if not found.endpoints.get(name)]
        if missing:
            message = f"static discovery names no endpoint of {', '.join(missing)}"
            notes.add(line, "discovery.endpoints", f"{message}; add host:port of gRPC")
    elif found.endpoints:
        message = f"only `kind: static` has endpoints, and this is {found.kind}"
        notes.add(line, "discovery.endpoints", message)
    needs_namespace = found.kind in (DiscoveryKind.DNS, DiscoveryKind.CLOUD_MAP)
    if needs_namespace and not found.namespace:
        message = f"{found.kind} needs a `namespace`, the domain that names the services"
        notes.add(line, "discovery.namespace", message)
    if found.namespace and not needs_namespace:
        message = f"{found.kind} has no namespace; leave it out"
        notes.add(line, "discovery.namespace", message)


def check_reach(topology: Topology, parts: Mapping[str, Value]) -> None:
    """Note what is wrong with where the parts listen. `parts` are those of the file, by key."""
    said = [parts[key] for key in ("address", "listen") if key in parts]
    processes = parts["processes"].entries()
    for plan in topology.processes:
        if plan.network and not plan.address:
            processes[plan.name].wrong("in a network of its own it needs its `address` there")
        if ip_address(plan.address or LOOPBACK).is_unspecified:
            processes[plan.name].wrong(f"nobody can connect to {plan.address}; {_UNSPECIFIED}")
        if plan.address or plan.network:
            said.append(processes[plan.name])
    if ip_address(topology.address).is_unspecified:
        parts["address"].wrong(f"nobody can connect to {topology.address}; {_UNSPECIFIED}")
    for value in said:
        if topology.is_one_process:
            value.wrong("one process listens where --host says; leave this out")
        elif not topology.is_closed and not topology.is_tls:
            value.wrong(
                "processes that can be reached from other machines prove to each other who they "
                "are: write `tls: on`"
            )

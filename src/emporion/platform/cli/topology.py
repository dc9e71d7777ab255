"""`emporion topology`: which services run together, on which engines; shown, and checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emporion.platform.topology.model import Topology

NAMES = "one-process, core, per-service, aws"


def show(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help=f"A file, or one of: {NAMES}.")
    ] = "one-process",
) -> None:
    """Show which processes a topology has, what each holds, and on which engines.

    For example:

      emporion topology show
      emporion topology show per-service
      emporion topology show my-shop.yaml
    """
    from emporion.platform.cli import tables
    from emporion.platform.topology.find import find_topology

    topology = find_topology(file)
    tables.show(("process", "instances", "service", "engine", "ports"), rows_of(topology))
    print(summary_of(topology))


def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help=f"A file, or one of: {NAMES}.")],
) -> None:
    """Check a topology file; every mistake is named by its line.

    For example:

      emporion topology check my-shop.yaml
    """
    from emporion.platform.topology.find import find_topology

    topology = find_topology(file)
    print(f"{Path(file).name} is a topology of {_processes(topology)}.")


def rows_of(topology: "Topology") -> list[tuple[str, str, str, str, str]]:
    """A row for each service; what belongs to its process stands in the first of them."""
    rows = []
    for plan in topology.processes:
        ports = [
            f"{what} {port}"
            for what, port in (("http", plan.http_port), ("grpc", plan.grpc_port))
            if port
        ]
        first = (plan.name, str(plan.instances), ", ".join(ports) or "free")
        for service in plan.services:
            storage = topology.storage[service]
            where = "" if storage.address is None else f" at {storage.address.kept_in}:"
            name = "" if storage.address is None else storage.address.name
            rows.append((first[0], first[1], service, f"{storage.engine}{where}{name}", first[2]))
            first = ("", "", "")
    return rows


def summary_of(topology: "Topology") -> str:
    """Bus, discovery and edge in one line."""
    return (
        f"bus {topology.bus.kind}, discovery {topology.discovery.kind}, edge {topology.edge}, "
        f"TLS between processes {'on' if topology.is_tls else 'off'}{_reach(topology)}"
    )


def _reach(topology: "Topology") -> str:
    """What differs from: everything on loopback."""
    faults = "; faults may be switched on" if topology.allows_faults else ""
    if not topology.is_closed:
        return f"; reached at {', '.join(dict.fromkeys(topology.addresses))}{faults}"
    return faults


def _processes(topology: "Topology") -> str:
    count = sum(plan.instances for plan in topology.processes)
    return "1 process" if count == 1 else f"{count} processes"

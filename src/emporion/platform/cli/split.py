"""`emporion split`: every service in a process of its own, on real engines, on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.options import AllowFaults

if TYPE_CHECKING:
    from emporion.platform.settings import Settings
    from emporion.platform.topology.model import Topology

FULLY_SPLIT = "per-service"


def split(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Where the edge listens; 0: a free one. [default: 8080]"
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the engines keep data. [default: emporion-data]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings as TOML; see emporion config.")
    ] = None,
    allow_faults: AllowFaults = None,
) -> None:
    """Start the shop split: a process for each service, PostgreSQL, MongoDB, NATS and Envoy.

    The same as emporion up --topology per-service. All engines are started on this machine, on
    free ports, with their data in one folder, and are ended with the shop. make split installs
    them first.

    For example:

      emporion split
      emporion split --port 9000 --data /srv/shop
    """
    from emporion.platform.settings import load
    from emporion.platform.topology.find import find_topology

    settings = load(
        file=config,
        port=port,
        data=str(data) if data is not None else None,
        allow_faults=allow_faults,
    )
    run_topology(find_topology(FULLY_SPLIT), settings)


def run_topology(topology: "Topology", settings: "Settings") -> None:
    """Run a topology of several processes until it is asked to end, and say what happens."""
    from emporion.platform.supervisor.plan import rehearses
    from emporion.platform.supervisor.run import run

    folder = settings.folder.resolve()

    def announce(url: str) -> None:
        say(f"The shop is open at {url} (data in {folder}; Ctrl-C ends it).")
        if rehearses(topology, settings):
            from emporion.platform.demo.seed import first_order

            say(f"\n{first_order(url)}")

    count = sum(plan.instances for plan in topology.processes)
    say(f"Starting {topology.name}: {count} {'process' if count == 1 else 'processes'} ...")
    run(topology, settings, say=say, announce=announce)
    say("The shop is closed.")


def say(sentence: str) -> None:
    """To the person who started it, at once."""
    print(sentence, flush=True)

"""`emporion up`: all services in one process."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.options import AllowFaults

if TYPE_CHECKING:
    from emporion.platform.process import Serving


def up(  # noqa: PLR0913 - an option each
    *,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Where to listen; 0: a free one. [default: 8080]"),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the databases are. [default: emporion-data]"),
    ] = None,
    topology: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Which services share a process, on which engines: a file, or one of "
            "one-process, core, per-service. [default: one-process]",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            help="development (demo catalogue, kept mails, test payments) or production. "
            "[default: development]"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings as TOML; see emporion config.")
    ] = None,
    allow_faults: AllowFaults = None,
) -> None:
    """Start the shop: all services in one process, on SQLite files in one folder.

    With --topology as several processes, on the engines that the file names; emporion topology
    shows and checks such files.

    The first start in development loads a small catalogue and prints how to place an order.
    Stops cleanly on Ctrl-C or SIGTERM: requests in flight are answered first. Every setting can
    also be given as an EMPORION_ variable or in a file; emporion config shows them.

    For example:

      emporion up
      emporion up --port 9000 --data /srv/shop
      emporion up --topology core
      EMPORION_SMTP_HOST=mail.example emporion up --environment production --host 0.0.0.0
    """
    from emporion.platform.settings import load

    settings = load(
        file=config,
        host=host,
        port=port,
        data=str(data) if data is not None else None,
        environment=environment,
        allow_faults=allow_faults,
    )
    if topology is not None:
        from emporion.platform.cli.split import run_topology
        from emporion.platform.topology.find import find_topology

        found = find_topology(topology)
        if not found.is_one_process:
            run_topology(found, settings)
            return
        settings = replace(settings, allow_faults=settings.allow_faults or found.allows_faults)
    from emporion.platform.process import run

    def announce(serving: "Serving") -> None:
        folder = settings.folder.resolve()
        print(f"The shop is open at {serving.url} (data in {folder}; Ctrl-C ends it).", flush=True)
        if settings.is_rehearsal:
            from emporion.platform.demo.seed import first_order

            print(f"\n{first_order(serving.url)}", flush=True)

    run(settings, announce)

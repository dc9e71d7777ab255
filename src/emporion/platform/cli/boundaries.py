"""`emporion boundaries`: which services are one, and which could be extracted first."""

from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import asked, target_of
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)

if TYPE_CHECKING:
    from emporion.platform.telling.boundaries import Boundaries, Talk


def boundaries(  # noqa: PLR0913 - each is an option of the command line
    *,
    window_s: Annotated[
        int, typer.Option("--window-s", min=1, max=86_400, help="Calls of so many seconds.")
    ] = 3_600,
    traces: Annotated[
        int, typer.Option("--traces", min=1, max=200, help="So many of the newest requests.")
    ] = 100,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Judge the boundaries between services by what really goes between them.

    Every edge with its calls, how often it is used in a request, and how much of the request's
    time is spent waiting for it; `way` is what the network costs, there and back, where the two
    are in different processes. Two services are one when four fifths of what one answers are
    asked by the other, in every second request at least. What no service waits for can be
    extracted first. Send some load before: of a few calls nothing is concluded.

    For example:

      emporion load --orders 1000
      emporion boundaries
    """
    from emporion.platform.telling.boundaries import boundaries_of

    target = target_of(data, url, email=operator_email, password=operator_password)
    report = asked(target, lambda desk: boundaries_of(desk, window_s=window_s, traces=traces))
    if json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _print(report)


def _print(report: "Boundaries") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("edge", no_wrap=True, overflow="ellipsis")
    table.add_column("kind")
    for name in ("calls", "p50 ms", "a request", "waited", "way ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for talk in report.talks:
        table.add_row(*_row(talk))
    console.print(table)
    print(f"{report.requests} traced requests, calls of {report.window_s} s")
    for verdict in report.one:
        console.print(
            f"one service? {' and '.join(verdict.services)}: {verdict.why}",
            style="bold",
            highlight=False,
        )
    if not report.one:
        print("no two services talk so much that they are one")
    for verdict in report.first:
        console.print(f"could be extracted: {verdict.services[0]}: {verdict.why}", highlight=False)
    if report.missing:
        print(f"did not answer: {', '.join(report.missing)}")


def _row(talk: "Talk") -> list[str]:
    is_event = talk.kind == "event"
    return [
        f"{talk.caller} -> {talk.service}",
        talk.kind,
        str(talk.calls),
        f"{talk.p50_ms:.1f}",
        "" if is_event else f"{talk.per_request:g}",
        "" if is_event else f"{talk.waited_share:.0%}",
        "" if talk.way_ms is None else f"{talk.way_ms:.2f}",
    ]

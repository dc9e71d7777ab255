"""`emporion audit`: proves that money, stock, orders and mails add up."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.exits import PROBLEM, refuse
from emporion.platform.cli.options import DEFAULT_DATA, Data

if TYPE_CHECKING:
    from emporion.platform.audit.facts import Finding
    from emporion.platform.audit.look import Report
    from emporion.platform.audit.trail import Trail

SHOWN_PER_CHECK = 20


def audit(
    *,
    data: Data = DEFAULT_DATA,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    wait_s: Annotated[
        float,
        typer.Option(
            min=0,
            max=3_600,
            help="Beside a running shop: how long to look again before calling it a violation.",
        ),
    ] = 10.0,
    trail: Annotated[
        bool,
        typer.Option("--trail", help="Prove the trail of events instead, and seal how far it is."),
    ] = False,
    seals: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the seals are: best on another disk. [default: trail-seals.sqlite in DIR]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Prove over all services' books that nothing is lost and nothing is there twice.

    Stock movements sum to the levels, reservations are those of open orders, every captured cent
    has exactly one order, events replay to the rows, every sold order is confirmed by one mail,
    no saga is left undone. Reads only; works beside a running shop, of one process or split; a
    split shop's databases are started for it when they do not run. Exits 1 on a violation and
    names what it is about, 2 when there is no shop in the folder.

    With --trail: every event is the one that was written, none is missing, and every stream reaches
    as far as the last such audit sealed it. Names every stream in which an event was edited,
    deleted, put in or cut off.

    For example:

      emporion audit
      emporion audit --data /srv/shop --json
      emporion audit --trail --seals /mnt/other/trail-seals.sqlite
    """
    if trail:
        _audit_trail(data, seals, is_json=json)
        return
    import asyncio

    from emporion.platform.audit.run import audit_folder
    from emporion.platform.reading.refusals import NoShopHere

    try:
        report = asyncio.run(audit_folder(data, wait_s=wait_s))
    except NoShopHere as error:
        refuse(error.detail)
    if json:
        _print_json(report)
    else:
        print_report(report)
    if report.violations:
        raise typer.Exit(PROBLEM)


def _audit_trail(data: Path, seals: Path | None, *, is_json: bool) -> None:
    import asyncio

    from emporion.chassis.runtime.system import SystemClock
    from emporion.platform.audit.trail import audit_trail
    from emporion.platform.reading.refusals import NoShopHere

    try:
        trails = asyncio.run(audit_trail(data, seals_file=seals, clock=SystemClock()))
    except NoShopHere as error:
        refuse(error.detail)
    if is_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(trails), indent=2).decode())
    else:
        _print_trails(trails)
    if any(trail.violations for trail in trails):
        raise typer.Exit(PROBLEM)


def _print_trails(trails: "Sequence[Trail]") -> None:
    from emporion.platform.cli.tables import show

    rows = [
        (
            trail.service,
            f"{trail.streams:,}",
            f"{trail.events:,}",
            f"{trail.sealed_before.events:,}" if trail.sealed_before else "-",
            f"{trail.violations:,}",
        )
        for trail in trails
    ]
    show(("service", "streams", "events", "sealed before", "violations"), rows)
    for finding in (each for trail in trails for each in trail.findings):
        _print_violations(finding)
    violations = sum(trail.violations for trail in trails)
    for trail in trails:
        _print_seal(trail)
    print(f"{violations:,} violations" if violations else "the trail is whole")


def _print_seal(trail: "Trail") -> None:
    from emporion.chassis.eventstore.past import told

    sealed = trail.sealed_now
    if sealed is not None:
        what = f"sealed {trail.service}: {sealed.events:,} events at {told(sealed.at_ms)}"
        print(f"{what}, digest {sealed.digest.hex()[:16]}")


def _print_json(report: "Report") -> None:
    import msgspec

    document = {
        "is_balanced": report.violations == 0,
        "is_running": report.is_running,
        "looks": report.looks,
        "elapsed_s": round(report.elapsed_s, 3),
        "findings": report.findings,
    }
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def print_report(report: "Report") -> None:
    """The findings as a table, what each violation is about, and the verdict."""
    from rich.console import Console
    from rich.table import Table

    from emporion.platform.audit.traffic import SAGAS_DONE

    console = Console(highlight=False, markup=False, soft_wrap=True)
    table = Table("check", title_justify="left")
    table.add_column("examined", justify="right")
    table.add_column("violations", justify="right")
    for finding in report.findings:
        examined = "" if finding.examined is None else f"{finding.examined:,}"
        note = " (warning)" if finding.is_warning and finding.total else ""
        table.add_row(finding.check, examined, f"{finding.total:,}{note}")
    console.print(table)
    for finding in report.findings:
        _print_violations(finding)
    beside = "beside the running shop" if report.is_running else "of a shop that is not running"
    verdict = f"{report.violations:,} violations" if report.violations else "everything adds up"
    print(f"{verdict} ({beside}; {report.elapsed_s:.1f} s)")
    if not report.is_running and any(f.total for f in report.findings if f.check == SAGAS_DONE):
        print("The shop was cut off in the middle of orders: emporion up takes them up again.")


def _print_violations(finding: "Finding") -> None:
    for violation in finding.violations[:SHOWN_PER_CHECK]:
        print(f"{finding.check}: {violation.subject}: {violation.detail}")
    hidden = finding.total - min(len(finding.violations), SHOWN_PER_CHECK)
    if hidden > 0:
        print(f"{finding.check}: and {hidden:,} more (--json shows up to 1,000)")

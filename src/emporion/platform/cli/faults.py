"""`emporion faults`: services that are late, fail, hang or crash on purpose."""

from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import asked, target_of
from emporion.platform.cli.exits import refuse
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    Reason,
    RunningUrl,
)
from emporion.platform.cli.tables import show

if TYPE_CHECKING:
    from pathlib import Path

    from emporion.contracts.operations import OperationsService
    from emporion.platform.operating import Target

SERVICE = Annotated[str, typer.Argument(metavar="SERVICE", help="Which service, e.g. email.")]


def list_(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the faults that are on, what each does, and when it ends by itself.

    For example:

      emporion faults list
    """
    from emporion.contracts.operations_faults import ListFaults
    from emporion.platform.cli.exits import say

    target = _running(data, url, email=operator_email, password=operator_password)
    found = asked(target, lambda desk: desk.list_faults(ListFaults()))
    for process in found.missing:
        say(f"{process} did not answer")
    if not found.faults:
        print("no fault is on" if found.is_allowed else "no fault is on, and none is allowed")
        return
    head = ("service", "fault", "left s", "what it does", "in", "by", "why")
    rows = [
        (f.service, f.kind, round(f.left_s), f.effect, " ".join(f.processes), f.actor, f.reason)
        for f in found.faults
    ]
    show(head, rows)


def set_(  # noqa: PLR0913 - each is an option of the command line
    service: SERVICE,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="latency, errors, hang or crash.")],
    *,
    latency_ms: Annotated[
        int, typer.Option(min=1, max=30_000, help="How much later everything is.")
    ] = 1_000,
    jitter_ms: Annotated[
        int, typer.Option(min=0, max=30_000, help="By up to how much more, by chance.")
    ] = 0,
    share: Annotated[
        int, typer.Option(min=1, max=100, help="Of the calls and reactions it meets, in percent.")
    ] = 100,
    error: Annotated[
        str,
        typer.Option(
            help="What they fail with: unavailable, deadline-exceeded, resource-exhausted or "
            "internal."
        ),
    ] = "unavailable",
    seconds: Annotated[int, typer.Option(min=1, max=600, help="When it ends by itself.")] = 60,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Let a service of the running shop suffer a fault, instead of the one it may have.

    The shop must have been started with --allow-faults. The fault ends by itself.

    For example:

      emporion faults set email hang
      emporion faults set payment errors --share 50 --seconds 30 --reason "drill"
      emporion faults set fraud latency --latency-ms 2000 --jitter-ms 500
    """
    from emporion.contracts.operations_faults import FaultError, FaultKind, SwitchFaultOn

    if kind not in list(FaultKind):
        refuse(f"there is no fault {kind!r}; there are {', '.join(FaultKind)}")
    if error not in list(FaultError):
        refuse(f"there is no error {error!r}; there are {', '.join(FaultError)}")
    request = SwitchFaultOn(
        service=service,
        kind=FaultKind(kind),
        latency_ms=latency_ms,
        jitter_ms=jitter_ms,
        share_percent=share,
        error=FaultError(error),
        duration_s=seconds,
        reason=reason,
    )
    target = _running(data, url, email=operator_email, password=operator_password)
    fault = asked(target, lambda desk: desk.switch_fault_on(request))
    where = ", ".join(fault.processes)
    print(f"{service} in {where}, for {seconds} s: {fault.effect}")


def clear(  # noqa: PLR0913 - each is an option of the command line
    service: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="Which service; without it: all.")
    ] = "",
    *,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """End the fault of a service now, or every fault. Safe to repeat.

    For example:

      emporion faults clear email
      emporion faults clear
    """
    from emporion.contracts.operations_faults import ClearFault, ListFaults

    async def work(desk: "OperationsService") -> list[str]:
        standing = (await desk.list_faults(ListFaults())).faults
        names = [service] if service else [fault.service for fault in standing]
        for name in names:
            await desk.clear_fault(ClearFault(service=name, reason=reason))
        return names

    target = _running(data, url, email=operator_email, password=operator_password)
    cleared = asked(target, work)
    print(f"cleared: {', '.join(cleared)}" if cleared else "no fault is on")


def _running(data: "Path", url: str, *, email: str, password: str) -> "Target":
    """The running shop: one that stands still has no faults."""
    target = target_of(data, url, email=email, password=password)
    if not target.where():
        refuse(f"no shop runs on {data}; start it with --allow-faults, or give its --url")
    return target

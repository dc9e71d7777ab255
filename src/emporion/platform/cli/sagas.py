"""`emporion sagas`: the transactions over several services that are not over."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import asked, asked_if_running, target_of
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
    from emporion.contracts.operations import ListSagas, OperationsService, SagaSummary
    from emporion.contracts.operations_desk import DeedSummary, SagaDetails

SHOWN_MAX = 1_000
PAGE = 200


def list_(  # noqa: PLR0913 - each is an option of the command line
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="Only sagas of this name.")] = "",
    state: Annotated[
        str, typer.Option(metavar="STATE", help="Only `running` or `compensating` ones.")
    ] = "",
    is_stuck: Annotated[
        bool, typer.Option("--stuck", help="Only those of which an attempt failed.")
    ] = False,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the sagas that are running or compensating, the longest at work first.

    With the money and the units that are held for the order that each is about.

    For example:

      emporion sagas list
      emporion sagas list --stuck --name create-order
    """
    from emporion.contracts.operations import ListSagas

    target = target_of(data, url, email=operator_email, password=operator_password)
    wanted = ListSagas(limit=PAGE, name=name, state=state, is_stuck=is_stuck)
    live = asked_if_running(target, lambda desk: _every_open_saga(desk, wanted))
    rows = _stored(data) if live is None else _rows(live)
    if not rows:
        print("no saga is open")
        return
    show(("saga", "what", "state", "step", "attempts", "age s", "holds", "last error"), rows)


def _rows(sagas: "Sequence[SagaSummary]") -> Sequence[Sequence[object]]:
    return [
        (s.saga_id, s.name, s.state, s.step, s.attempts, int(s.age_s), _held(s), s.last_error)
        for s in sorted(sagas, key=lambda saga: -saga.age_s)
    ]


def _held(saga: "SagaSummary | SagaDetails") -> str:
    money = f"{saga.money_held.amount_minor} {saga.money_held.currency}" if saga.money_held else ""
    units = f"{saga.units_held} units" if saga.units_held else ""
    if not saga.is_money_known:
        money = "money: not known"
    if not saga.is_units_known:
        units = "units: not known"
    return ", ".join(part for part in (money, units) if part) or "nothing"


async def _every_open_saga(desk: "OperationsService", wanted: "ListSagas") -> "list[SagaSummary]":
    from msgspec.structs import replace

    from emporion.platform.operating import pages

    async def turn(cursor: str) -> "tuple[list[SagaSummary], str]":
        page = await desk.list_sagas(replace(wanted, cursor=cursor))
        return page.sagas, page.next_cursor

    found = await pages(turn, SHOWN_MAX)
    return list({saga.saga_id: saga for saga in found}.values())


def _stored(data: Path) -> Sequence[Sequence[object]]:
    import asyncio

    from emporion.chassis.runtime.system import SystemClock
    from emporion.platform.audit.stored import stored_sagas

    found = asyncio.run(stored_sagas(data))
    now_ms = SystemClock().now_ms()
    return [
        (
            s.saga_id,
            s.name,
            s.state,
            s.step,
            s.attempts,
            (now_ms - s.started_at_ms) // 1000,
            "",
            s.last_error,
        )
        for s in sorted(found, key=lambda saga: saga.started_at_ms)
    ]


def retry(  # noqa: PLR0913 - each is an option of the command line
    saga_id: Annotated[str, typer.Argument(metavar="SAGA", help="Its id: that of the order.")],
    *,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Make a saga's next attempt now instead of after its pause. Safe to repeat.

    For example:

      emporion sagas retry ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f --reason "the provider is back"
    """
    from emporion.contracts.operations import RetrySaga

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = RetrySaga(saga_id=saga_id, reason=reason)
    saga = asked(target, lambda desk: desk.retry_saga(request))
    print(f"{saga.saga_id} is due now: {saga.state}, at {saga.step!r}")


SagaArgument = Annotated[str, typer.Argument(metavar="SAGA", help="Its id: that of the order.")]


def show_(
    saga_id: SagaArgument,
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show a saga: its steps, where it stands and why, and what is held for its order.

    For example:

      emporion sagas show ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f
    """
    from emporion.contracts.operations_desk import SagaOf

    target = target_of(data, url, email=operator_email, password=operator_password)
    _print_saga(asked(target, lambda desk: desk.get_saga(SagaOf(saga_id=saga_id))))


def compensate(  # noqa: PLR0913 - each is an option of the command line
    saga_id: SagaArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the deed.", show_default=False)],
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Call a running saga off: everything it may have done is undone, in reverse.

    Also a step whose outcome nobody knows: its undo sees to it that it can never happen later.
    Safe to repeat. A saga that cannot be undone (a cancellation) is refused.

    For example:

      emporion sagas compensate ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f --reason "the provider is gone"
    """
    from emporion.contracts.operations_desk import CallOffSaga

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = CallOffSaga(saga_id=saga_id, reason=reason)
    _print_saga(asked(target, lambda desk: desk.compensate_saga(request)))


def deeds(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List what operators did to sagas and deliveries: who, when, what and why.

    For example:

      emporion sagas deeds
    """
    from emporion.chassis.eventstore.past import told
    from emporion.kernel.clock import to_instant_ms

    target = target_of(data, url, email=operator_email, password=operator_password)
    found = asked(target, _every_deed)
    if not found:
        print("nobody did anything")
        return
    for deed in sorted(found, key=lambda each: each.at, reverse=True):
        print(f"{told(to_instant_ms(deed.at))}  {deed.actor}  {deed.action} {deed.subject}")
        print(f"    {deed.reason or 'no reason given'}  {deed.detail}".rstrip())


async def _every_deed(desk: "OperationsService") -> "list[DeedSummary]":
    from emporion.contracts.operations_desk import ListDeeds
    from emporion.platform.operating import pages

    async def turn(cursor: str) -> "tuple[list[DeedSummary], str]":
        page = await desk.list_deeds(ListDeeds(limit=PAGE, cursor=cursor))
        return page.deeds, page.next_cursor

    return await pages(turn, SHOWN_MAX)


def _print_saga(saga: "SagaDetails") -> None:
    print(f"{saga.saga_id}  {saga.name} of {saga.service}: {saga.state}, at {saga.step!r}")
    for step in saga.steps:
        mark = ">" if step.name == saga.step else " "
        print(f"  {mark} {step.name}{'' if step.is_undoable else '  (cannot be undone)'}")
    print(f"  started {saga.started_at.isoformat()}, {saga.attempts} failed attempts")
    print(f"  holds {_held(saga)}" + (f" for {saga.order_id}" if saga.order_id else ""))
    if saga.next_attempt_at:
        print(f"  next attempt {saga.next_attempt_at.isoformat()}")
    for what, said in (("last error", saga.last_error), ("turned by", saga.refusal)):
        if said:
            print(f"  {what}: {said}")
    if saga.trace_id:
        print(f"  trace {saga.trace_id}")

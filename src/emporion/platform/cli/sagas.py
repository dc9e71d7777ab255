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
    from emporion.contracts.operations import OperationsService, SagaSummary

SHOWN_MAX = 1_000
PAGE = 200


def list_(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the sagas that are running or compensating, the longest at work first.

    For example:

      emporion sagas list
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    live = asked_if_running(target, _every_open_saga)
    rows = _stored(data) if live is None else _rows(live)
    if not rows:
        print("no saga is open")
        return
    show(("saga", "what", "state", "step", "attempts", "age s", "last error"), rows)


def _rows(sagas: "Sequence[SagaSummary]") -> Sequence[Sequence[object]]:
    return [
        (s.saga_id, s.name, s.state, s.step, s.attempts, int(s.age_s), s.last_error)
        for s in sorted(sagas, key=lambda saga: -saga.age_s)
    ]


async def _every_open_saga(desk: "OperationsService") -> "list[SagaSummary]":
    from emporion.contracts.operations import ListSagas
    from emporion.platform.operating import pages

    async def turn(cursor: str) -> "tuple[list[SagaSummary], str]":
        page = await desk.list_sagas(ListSagas(limit=PAGE, cursor=cursor))
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

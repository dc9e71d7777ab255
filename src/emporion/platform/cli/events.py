"""`emporion events`: what waits for subscribers, what failed for good, and trying it again."""

from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.exits import PROBLEM
from emporion.platform.cli.options import DEFAULT_DATA, Data

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_MAX = 1_000


def lag(*, data: Data = DEFAULT_DATA) -> None:
    """Show how far each subscriber is behind each publisher.

    For example:

      emporion events lag
    """
    import asyncio

    from emporion.platform.audit.traffic import lags
    from emporion.platform.shop_folder import open_for_reading

    with open_for_reading(data) as databases:
        found = asyncio.run(lags(databases))
    _table(
        ("publisher", "subscriber", "waiting", "parked", "dead"),
        [(lag.source, lag.subscriber, lag.waiting, lag.parked, lag.dead) for lag in found],
    )


def dead_letters(*, data: Data = DEFAULT_DATA) -> None:
    """List the events that failed for so long that an operator must decide. Exits 1 with any.

    For example:

      emporion events dead-letters
    """
    import asyncio

    from emporion.platform.audit.traffic import dead_letters as read
    from emporion.platform.shop_folder import open_for_reading

    with open_for_reading(data) as databases:
        found = asyncio.run(read(databases, SHOWN_MAX))
    if not found:
        print("no dead letters")
        return
    _table(
        ("subscriber", "event", "name", "attempts", "error"),
        [(d.subscriber, d.event_id, d.name, d.attempts, d.last_error) for d in found],
    )
    raise typer.Exit(PROBLEM)


def redrive(
    subscriber: Annotated[str, typer.Argument(metavar="SERVICE", help="The service that failed.")],
    event_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT]...", help="Which; all when none is named."),
    ] = None,
    *,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make dead letters wait again: they are delivered when the shop starts.

    The shop must not be running on the folder at that moment.

    For example:

      emporion events redrive email
    """
    import asyncio

    from emporion.chassis.events.desk import Desk
    from emporion.chassis.runtime.system import SystemClock
    from emporion.platform.cli.exits import refuse
    from emporion.platform.shop_folder import SERVICES, open_for_writing

    if subscriber not in SERVICES:
        refuse(f"there is no service {subscriber!r}; there are {', '.join(SERVICES)}")

    async def work() -> int:
        async with open_for_writing(data, subscriber) as database:
            return await Desk(subscriber, database).redrive(
                now_ms=SystemClock().now_ms(), event_ids=event_ids or None, name=None
            )

    print(f"{asyncio.run(work())} events will be delivered again to {subscriber}")


def _table(names: "Sequence[str]", rows: "Sequence[Sequence[object]]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*names)
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table)

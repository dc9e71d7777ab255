"""`emporion events`: what waits for subscribers, what failed for good, and trying it again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import asked, asked_if_running, require_known, target_of
from emporion.platform.cli.exits import PROBLEM
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    DryRun,
    OperatorEmail,
    OperatorPassword,
    Reason,
    RunningUrl,
)
from emporion.platform.cli.tables import show

if TYPE_CHECKING:
    from emporion.contracts.operations import DeadLetter, OperationsService

SHOWN_MAX = 1_000
PAGE = 200
Subscriber = Annotated[str, typer.Argument(metavar="SERVICE", help="The service that reacts.")]


def lag(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show how far each subscriber is behind each publisher.

    For example:

      emporion events lag
    """
    from emporion.contracts.operations import ListSubscribers

    target = target_of(data, url, email=operator_email, password=operator_password)
    reply = asked_if_running(target, lambda desk: desk.list_subscribers(ListSubscribers()))
    if reply is None:
        _show_stored_lag(data)
        return
    columns = ("publisher", "subscriber", "delivery", "waiting", "oldest s", "parked", "dead")
    rows = []
    for found in reply.subscribers:
        delivery = "paused" if found.is_paused else "on"
        waiting = f"{found.waiting} or more" if found.is_more_waiting else found.waiting
        figures = (waiting, f"{found.oldest_age_s:.1f}", found.parked, found.dead)
        rows.append((found.publisher, found.subscriber, delivery, *figures))
    show(columns, rows)


def _show_stored_lag(data: Path) -> None:
    import asyncio

    from emporion.platform.audit.stored import stored_lags

    found = asyncio.run(stored_lags(data))
    show(
        ("publisher", "subscriber", "waiting", "parked", "dead"),
        [(lag.source, lag.subscriber, lag.waiting, lag.parked, lag.dead) for lag in found],
    )


def dead_letters(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the events that failed for so long that an operator must decide. Exits 1 with any.

    For example:

      emporion events dead-letters
    """
    import asyncio

    from emporion.platform.audit.stored import stored_dead_letters

    target = target_of(data, url, email=operator_email, password=operator_password)
    letters = asked_if_running(target, _every_dead_letter)
    if letters is not None:
        rows = [(d.subscriber, d.event_id, d.name, d.attempts, d.last_error) for d in letters]
    else:
        stored = asyncio.run(stored_dead_letters(data, SHOWN_MAX))
        rows = [(d.subscriber, d.event_id, d.name, d.attempts, d.last_error) for d in stored]
    if not rows:
        print("no dead letters")
        return
    show(("subscriber", "event", "name", "attempts", "error"), rows)
    raise typer.Exit(PROBLEM)


async def _every_dead_letter(desk: "OperationsService") -> "list[DeadLetter]":
    from emporion.contracts.operations import ListDeadLetters
    from emporion.platform.operating import pages

    async def turn(cursor: str) -> "tuple[list[DeadLetter], str]":
        page = await desk.list_dead_letters(ListDeadLetters(limit=PAGE, cursor=cursor))
        return page.dead_letters, page.next_cursor

    return await pages(turn, SHOWN_MAX)


def redrive(  # noqa: PLR0913 - each is an option of the command line
    subscriber: Subscriber,
    event_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EVENT]...", help="Which; all when none is named."),
    ] = None,
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="Only events of this name.")] = "",
    is_dry_run: DryRun = False,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Deliver dead letters again: at once, or at the next start of a shop that does not run.

    Mend the cause first. Safe to repeat: an event takes effect once.

    For example:

      emporion events redrive email --dry-run
      emporion events redrive email --name orders.created --reason "the disk is larger now"
    """
    from emporion.contracts.operations import Redrive

    target = target_of(data, url, email=operator_email, password=operator_password)
    require_known(subscriber, target)
    request = Redrive(
        subscriber=subscriber,
        event_ids=event_ids or [],
        name=name or None,
        is_dry_run=is_dry_run,
        reason=reason,
    )
    redriven = asked(target, lambda desk: desk.redrive(request))
    if is_dry_run:
        _tell_rehearsal(redriven.events, redriven.keys, subscriber)
        return
    print(f"{redriven.events} events will be delivered again to {subscriber}")


def pause(  # noqa: PLR0913 - each is an option of the command line
    subscriber: Subscriber,
    *,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Deliver no events to a service until it is resumed, also after a restart. None is lost.

    For example:

      emporion events pause email --reason "the mail server moves"
    """
    from emporion.contracts.operations import OneSubscriber

    target = target_of(data, url, email=operator_email, password=operator_password)
    require_known(subscriber, target)
    request = OneSubscriber(subscriber=subscriber, reason=reason)
    asked(target, lambda desk: desk.pause(request))
    print(f"nothing is delivered to {subscriber} until: emporion events resume {subscriber}")


def resume(  # noqa: PLR0913 - each is an option of the command line
    subscriber: Subscriber,
    *,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Deliver to a paused service again, from where it was paused.

    For example:

      emporion events resume email
    """
    from emporion.contracts.operations import OneSubscriber

    target = target_of(data, url, email=operator_email, password=operator_password)
    require_known(subscriber, target)
    request = OneSubscriber(subscriber=subscriber, reason=reason)
    asked(target, lambda desk: desk.resume(request))
    print(f"events are delivered to {subscriber}")


def replay(  # noqa: PLR0913 - each is an option of the command line
    subscriber: Subscriber,
    publisher: Annotated[str, typer.Argument(metavar="PUBLISHER", help="Whose events.")],
    *,
    since: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="From then on, in UTC."),
    ],
    is_dry_run: DryRun = False,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Have a service react again to everything that another announced from an instant on.

    Also to what it handled before: empty first what those reactions fill, or the effects that
    nothing recognises happen a second time. Each repetition goes back again.

    For example:

      emporion events replay email order --since 2026-11-01T08:00:00
    """
    from emporion.contracts.operations import Replay

    target = target_of(data, url, email=operator_email, password=operator_password)
    require_known(subscriber, target)
    require_known(publisher, target)
    request = Replay(
        subscriber=subscriber,
        publisher=publisher,
        since=since.replace(tzinfo=UTC),
        is_dry_run=is_dry_run,
        reason=reason,
    )
    replayed = asked(target, lambda desk: desk.replay(request))
    if is_dry_run:
        if replayed.is_more:
            print("there are more events than a dry run looks at: at least")
        _tell_rehearsal(replayed.events, replayed.keys, subscriber)
        return
    print(f"{subscriber} reacts again to {publisher}'s events after position {replayed.position}")


def _tell_rehearsal(events: int, keys: Sequence[str], subscriber: str) -> None:
    print(f"{events} events would be delivered again to {subscriber}; nothing was changed")
    if keys:
        print(f"the first are about: {', '.join(keys[:10])}{' ...' if len(keys) > 10 else ''}")  # noqa: PLR2004 - as many as were printed

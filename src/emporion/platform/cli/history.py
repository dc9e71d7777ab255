"""`emporion history`: what an order, its payment and its stock were, became, and through whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.exits import refuse
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
    from emporion.chassis.calls.clients import Clients
    from emporion.kernel.ids import OrderId
    from emporion.web.past.of_order import Difference, Facts, Happened

_WHEN = "ISO 8601 with a time zone, like 2026-01-01T12:00:00Z."
STATUSES = ("order.status", "payment.status", "stock.status")


def history(  # noqa: PLR0913 - each is an option of the command line
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Its id: `ord_` and 32 digits.")],
    *,
    since: Annotated[
        str, typer.Option("--from", help=f"Changes after this instant. {_WHEN}", show_default=False)
    ] = "",
    until: Annotated[
        str, typer.Option("--to", help=f"Changes until this instant. {_WHEN}", show_default=False)
    ] = "",
    as_of: Annotated[
        str, typer.Option(help=f"Show what it was at this instant. {_WHEN}", show_default=False)
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show what changed an order, its payment and its stock: when, who, by which command.

    With --from and --to: what differs between the two instants, and the changes between them;
    either may be left out. With --as-of: order, payment and stock as they were then. Asks the
    shop that runs, or the files of one that does not.

    For example:

      emporion history ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f
      emporion history ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f --from 2026-01-01T12:00:00Z
      emporion history ord_0192f0a1b2c37d4e8f901a2b3c4d5e6f --as-of 2026-01-01T12:00:00+01:00
    """
    span = (_instant(since, "--from"), _instant(until, "--to"))
    moment = _instant(as_of, "--as-of")
    if moment and any(span):
        refuse("--as-of shows one instant; --from and --to compare two: give one or the other")
    order = _order(order_id)
    target = target_of(data, url, email=operator_email, password=operator_password)
    told = consulted(target, lambda clients: _look(clients, order, moment=moment, span=span))
    if json:
        _print_json(*told)
    elif moment is not None:
        _print_facts(told[0])
    else:
        _print_past(*told, is_compared=any(span))


Span = tuple[datetime | None, datetime | None]


async def _look(
    clients: "Clients", order_id: "OrderId", *, moment: datetime | None, span: Span
) -> "tuple[Facts, list[Difference], list[Happened]]":
    """The facts at the later instant, what differs from the earlier one, what happened between."""
    from emporion.web.past.of_order import changes_of, differences, facts_at, facts_before

    since, until = span
    happened = [] if moment else await changes_of(clients, order_id)
    facts = await facts_at(clients, order_id, moment or until)
    before = await facts_before(clients, order_id, since) if since else {}
    between = [
        each
        for each in happened
        if (since is None or each.change.at > since) and (until is None or each.change.at <= until)
    ]
    return facts, [] if moment else differences(before, facts), between


def _order(text: str) -> "OrderId":
    from emporion.kernel.ids import ORDER, OrderId, has_prefix

    if not has_prefix(text, ORDER):
        refuse(f"{text!r} is no order's id: those are `ord_` and 32 hexadecimal digits")
    return OrderId(text)


def _instant(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(f"{option} {text!r} is no instant: write it like 2026-01-01T12:00:00Z")
    if moment.tzinfo is None:
        refuse(f"{option} {text!r} names no time zone: add Z for UTC, or one like +01:00")
    return moment


def _print_facts(facts: "Facts") -> None:
    from emporion.platform.cli.tables import show

    show(("what", "was"), list(facts.items()))


def _print_past(
    facts: "Facts",
    different: "Sequence[Difference]",
    happened: "Sequence[Happened]",
    *,
    is_compared: bool,
) -> None:
    from emporion.platform.cli.tables import show

    if is_compared:
        rows = [(each.fact, each.before or "-", each.after or "-") for each in different]
        show(("what differs", "from", "to"), rows)
    for each in happened:
        _print_change(each)
    if not happened:
        print("nothing happened between the two instants")
    elif not is_compared:
        print("now: " + ", ".join(f"{n} {facts[n]}" for n in STATUSES if n in facts))


def _print_change(happened: "Happened") -> None:
    from emporion.chassis.eventstore.past import told
    from emporion.kernel.clock import to_instant_ms

    change = happened.change
    who = f"{change.actor_kind or 'unknown'} {change.actor}".strip()
    by = f" by {change.command}" if change.command else ""
    trace = f"  trace {change.trace_id}" if change.trace_id else ""
    print(f"{told(to_instant_ms(change.at))}  {happened.service:9}  {change.what}")
    print(f"    {who}{by}{trace}")
    if change.facts not in ("{}", "[]"):
        print(f"    {change.facts}")


def _print_json(
    facts: "Facts", different: "Sequence[Difference]", happened: "Sequence[Happened]"
) -> None:
    import msgspec

    document = {"facts": facts, "differences": different, "changes": happened}
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())

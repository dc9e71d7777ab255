"""`emporion payments`: whether orders, payments and the provider agree about the money."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.exits import PROBLEM, refuse
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
    from emporion.chassis.calls.clients import Clients
    from emporion.contracts.payment_books import Healed, Irregularities, Irregularity, Movement

MOVEMENTS_MAX = 1_000_000


def detect(  # noqa: PLR0913 - each is an option of the command line
    *,
    since: Annotated[
        str,
        typer.Option(
            help="Orders made after this instant, like 2026-01-01T12:00:00Z. [default: two days]",
            show_default=False,
        ),
    ] = "",
    heal: Annotated[bool, typer.Option("--heal", help="Put right what can be.")] = False,
    reason: Reason = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Find money without an order, orders without money, double charges and lost refunds.

    Exits 1 when something is found, or left after --heal. Healing refunds what belongs to no
    order or was taken twice, and asks the provider again about the rest; who did it and why is
    kept.

    For example:

      emporion payments detect
      emporion payments detect --heal --reason "provider outage of Tuesday"
    """
    if heal and not reason:
        refuse("--heal needs a --reason: it is kept with what is done")
    target = target_of(data, url, email=operator_email, password=operator_password)
    instant = _instant(since)
    found = consulted(target, lambda clients: _detect(clients, instant))
    irregularities = found.irregularities
    if not irregularities:
        print(f"{found.examined} payments: nothing is wrong")
        return
    if not heal:
        show(
            ("what", "order", "amount", "detail"),
            [(i.kind, i.order_id, str(i.amount), i.detail) for i in irregularities],
        )
        sys.exit(PROBLEM)
    healed = consulted(target, lambda clients: _heal(clients, irregularities, reason))
    show(
        ("what", "order", "healed", "detail"),
        [(h.kind, h.order_id, "yes" if h.is_healed else "no", h.detail) for h in healed],
    )
    if not all(each.is_healed for each in healed):
        sys.exit(PROBLEM)


def reconcile(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The provider's settlement, CSV.")],
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Compare a provider's settlement file with the payments here. Changes nothing.

    The file is CSV with the columns reference, type (charge or refund), amount (12.50), currency
    and date (2026-01-31). Payments count within the days of the file. Exits 1 when anything
    differs, or when a line of the file is wrong; then nothing is compared.

    For example:

      emporion payments reconcile settlement-2026-01.csv
    """
    from emporion.platform.settlement import read_settlement
    from emporion.platform.settlement import reconcile as compare

    lines = read_settlement(file)
    target = target_of(data, url, email=operator_email, password=operator_password)
    result = compare(lines, consulted(target, _movements))
    print(f"{len(lines)} lines: {result.matched} matched, {len(result.differences)} differ")
    if result.differences:
        show(
            ("what", "type", "reference", "order", "here", "there", "line"),
            [
                (d.what, d.kind, d.reference, d.order_id, d.ours, d.theirs, d.line)
                for d in result.differences
            ],
        )
        sys.exit(PROBLEM)


async def _detect(clients: "Clients", since: datetime | None) -> "Irregularities":
    from emporion.contracts.payment import PaymentService
    from emporion.contracts.payment_books import DetectIrregularities

    return await clients.get(PaymentService).detect(DetectIrregularities(since=since))


async def _heal(clients: "Clients", found: "list[Irregularity]", reason: str) -> "list[Healed]":
    from emporion.contracts.payment import PaymentService
    from emporion.contracts.payment_books import Healed, HealIrregularity
    from emporion.kernel.errors import EmporionError

    payments, healed = clients.get(PaymentService), []
    for each in found:
        request = HealIrregularity(order_id=each.order_id, kind=each.kind, reason=reason)
        try:
            healed.append(await payments.heal(request))
        except EmporionError as error:
            healed.append(
                Healed(order_id=each.order_id, kind=each.kind, is_healed=False, detail=error.detail)
            )
    return healed


async def _movements(clients: "Clients") -> "list[Movement]":
    from emporion.contracts.payment import PaymentService
    from emporion.contracts.payment_books import ListMovements
    from emporion.platform.operating import pages

    payments = clients.get(PaymentService)

    async def turn(cursor: str) -> "tuple[list[Movement], str]":
        page = await payments.list_movements(ListMovements(cursor=cursor))
        return page.movements, page.next_cursor

    return await pages(turn, MOVEMENTS_MAX)


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        refuse(f"--since: {text[:40]!r} is no instant; write it as 2026-01-01T12:00:00Z")
    if instant.tzinfo is None:
        refuse("--since: it needs a time zone, as in 2026-01-01T12:00:00Z")
    return instant

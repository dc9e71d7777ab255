"""`emporion fraud`: why an order is on hold, the queue, the rules, and what others would do."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from emporion.platform.cli.asking import consulted, target_of
from emporion.platform.cli.options import (
    DEFAULT_DATA,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    Data,
    OperatorEmail,
    OperatorPassword,
    RunningUrl,
)
from emporion.platform.cli.tables import show

if TYPE_CHECKING:
    from emporion.contracts.fraud import BacktestPage, FraudService
    from emporion.platform.operating import Target

T = TypeVar("T")
PAGE = 200
BACKTEST_PAGE = 2_000
SHOWN_MAX = 1_000
Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with your name.", prompt=True)]
RulesFile = Annotated[
    Path | None,
    typer.Argument(metavar="[RULES.yaml]", help="Rules to try; else those in force."),
]


def why(
    order: Order,
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Say why an order was held, or not: each rule that counted, what it saw, what it added.

    For example:

      emporion fraud why ord_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b
    """
    from emporion.contracts.fraud import ScreeningOf
    from emporion.kernel.ids import OrderId

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = ScreeningOf(order_id=OrderId(order))
    found = _ask(target, lambda fraud: fraud.get_screening(request))
    print(
        f"{found.order_id} ({found.amount}, {found.user_id}): {found.verdict}, "
        f"{found.score} of {found.threshold} points, by version {found.rules_version} of the rules"
    )
    if found.fired:
        rows = [(each.weight, each.name, each.kind, each.says) for each in found.fired]
        show(("points", "rule", "kind", "what it saw"), rows)


def reviews(
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """List the orders on hold, the longest waiting first.

    For example:

      emporion fraud reviews
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    found = _ask(target, _every_review)
    if not found:
        print("no order is on hold")
        return
    for each in found:
        since = f"{each.opened_at:%Y-%m-%d %H:%M}"
        print(f"{each.order_id}  {each.amount}, {each.score} points, since {since}")


async def _every_review(fraud: "FraudService") -> Any:
    from emporion.contracts.fraud import ListReviews
    from emporion.platform.operating import pages

    async def turn(cursor: str) -> Any:
        page = await fraud.list_reviews(ListReviews(limit=PAGE, cursor=cursor))
        return page.reviews, page.next_cursor

    return await pages(turn, SHOWN_MAX)


def release(  # noqa: PLR0913 - each is an option of the command line
    order: Order,
    *,
    reason: Why,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Let an order on hold go. Safe to repeat: the first reason stands.

    For example:

      emporion fraud release ord_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --reason "she called"
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    _decide("release", order, reason=reason, target=target)


def reject(  # noqa: PLR0913 - each is an option of the command line
    order: Order,
    *,
    reason: Why,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Call an order on hold off: its stock is released, its money goes back. Safe to repeat.

    For example:

      emporion fraud reject ord_0193a1b2c3d47e5f8a9b0c1d2e3f4a5b --reason "a stolen card"
    """
    target = target_of(data, url, email=operator_email, password=operator_password)
    _decide("reject", order, reason=reason, target=target)


def _decide(act: str, order: str, *, reason: str, target: "Target") -> None:
    from emporion.contracts.fraud import Decide
    from emporion.kernel.ids import OrderId

    request = Decide(order_id=OrderId(order), reason=reason)
    review = _ask(target, lambda fraud: getattr(fraud, act)(request))
    print(f"{order} is {review.status} by {review.decided_by}: {review.reason}")


def rules(
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="Which; those in force if none.")
    ] = None,
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Print the rules as a file that you can change, try with `backtest` and store with `set`.

    For example:

      emporion fraud rules > rules.yaml
    """
    from emporion.contracts.fraud import RulesOf
    from emporion.platform.rules_file import written

    target = target_of(data, url, email=operator_email, password=operator_password)
    print(written(_ask(target, lambda fraud: fraud.get_rules(RulesOf(version=version)))), end="")


def set_(  # noqa: PLR0913 - each is an option of the command line
    file: Annotated[Path, typer.Argument(metavar="RULES.yaml", help="The rules to store.")],
    *,
    note: Annotated[str, typer.Option(help="Why; kept with the version.")] = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Judge orders by these rules from now on. Try them with `backtest` first.

    Refused when somebody stored others since the file was printed: its `based_on` says since when.

    For example:

      emporion fraud set rules.yaml --note "more cards are tried out at night"
    """
    from emporion.platform.rules_file import read_rules

    target = target_of(data, url, email=operator_email, password=operator_password)
    request = read_rules(file).to_put(note)
    stored = _ask(target, lambda fraud: fraud.put_rules(request))
    print(f"version {stored.version} of the rules is in force")


def backtest(
    file: RulesFile = None,
    *,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Try rules on all past orders, each by what was known when it was placed. Changes nothing.

    Says how many orders would be held, and what people made of those that were: released ones
    are what the rules would cost, rejected ones what they would save.

    For example:

      emporion fraud rules > rules.yaml      change the file, then
      emporion fraud backtest rules.yaml
    """
    from emporion.platform.rules_file import read_rules

    target = target_of(data, url, email=operator_email, password=operator_password)
    proposed = read_rules(file) if file else None
    found = _ask(target, lambda fraud: _whole_backtest(fraud, proposed))
    print(f"{found.screened} orders: {found.held} would be held, {found.were_held} were")
    rows = [
        ("held, and released by a person", found.released),
        ("held, and rejected by a person", found.rejected),
        ("held, and still open", found.open),
        ("newly held", found.newly_held),
        ("no longer held", found.no_longer_held),
    ]
    show(("of these", "orders"), rows)
    for order_id in found.orders:
        print(f"newly held: {order_id}")


async def _whole_backtest(fraud: "FraudService", proposed: Any) -> "BacktestPage":
    """The sums of all pages."""
    from emporion.contracts.fraud import Backtest
    from emporion.platform.rules_file import added

    asked = proposed.to_try() if proposed else {}
    page = total = await fraud.backtest(Backtest(**asked, limit=BACKTEST_PAGE))
    while page.next_cursor:
        page = await fraud.backtest(Backtest(**asked, limit=BACKTEST_PAGE, cursor=page.next_cursor))
        total = added(total, page)
    return total


def _ask(target: "Target", work: "Callable[[FraudService], Awaitable[T]]") -> T:
    from emporion.contracts.fraud import FraudService

    return consulted(target, lambda clients: work(clients.get(FraudService)))

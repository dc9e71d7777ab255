"""`emporion analytics`: orders, revenue and conversion over time, and what sells."""

from collections.abc import Sequence
from datetime import UTC, datetime
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
from emporion.platform.cli.tables import show

if TYPE_CHECKING:
    from emporion.contracts.analytics import Figures

STARTS = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d"}
"""By step, how the beginning of a bucket is written."""
RANKINGS = ("units", "revenue")
Since = Annotated[datetime | None, typer.Option(help="From then on, UTC.", show_default=False)]
Until = Annotated[
    datetime | None, typer.Option(help="Until before then, UTC. [default: now]", show_default=False)
]
Zone = Annotated[str, typer.Option(help="Whose days and hours.", metavar="ZONE")]
Currency = Annotated[str, typer.Option(help="Only this one, e.g. EUR.", show_default=False)]


def figures(  # noqa: PLR0913 - each is an option of the command line
    *,
    step: Annotated[str, typer.Option(help="minute, hour or day.")] = "day",
    since: Since = None,
    until: Until = None,
    time_zone: Zone = "UTC",
    currency: Currency = "",
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show orders, revenue, refunds and refusals by minute, hour or day.

    Without --since it is an hour of minutes, a day of hours, or 30 days. For example:

      emporion analytics figures --step hour --time-zone Europe/Vienna

      emporion analytics figures --since 2026-11-01 --until 2026-12-01
    """
    from zoneinfo import ZoneInfo

    from emporion.contracts.analytics import AnalyticsService, AskFigures, Step

    request = AskFigures(
        since=_utc(since),
        until=_utc(until),
        step=Step(_one_of(tuple(STARTS), step, "--step")),
        time_zone=time_zone,
        currency=currency or None,
    )
    target = target_of(data, url, email=operator_email, password=operator_password)
    series = consulted(target, lambda clients: clients.get(AnalyticsService).figures(request))
    zone = ZoneInfo(series.time_zone)
    rows: list[Sequence[object]] = []
    for bucket in series.buckets:
        start = bucket.start.astimezone(zone).strftime(STARTS[step])
        rows += _rows(start, bucket.figures)
    columns = ("from", "checkouts", "paid", "units", "revenue", "net")
    show(columns, [*rows, *_rows("all of it", series.total)])
    for one in series.total.takings:
        average = f"an order is {one.average} on average; " if one.average else ""
        print(f"{one.currency}: {average}{one.refunds:,} refunds of {one.refunded}")
    for refusal in series.total.refusals:
        print(f"refused as {refusal.reason}: {refusal.orders:,}")


def funnel(  # noqa: PLR0913 - each is an option of the command line
    *,
    since: Since = None,
    until: Until = None,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show how many checkouts became money, and why the others were refused.

    For example:

      emporion analytics funnel --since 2026-11-01
    """
    from emporion.contracts.analytics import AnalyticsService, AskFunnel

    request = AskFunnel(since=_utc(since), until=_utc(until))
    target = target_of(data, url, email=operator_email, password=operator_password)
    found = consulted(target, lambda clients: clients.get(AnalyticsService).funnel(request))
    stages = [(one.stage.value, f"{one.orders:,}", _percent(one.share)) for one in found.stages]
    refused = [(f"refused: {one.reason}", f"{one.orders:,}", "") for one in found.refusals]
    show(("stage", "orders", "of those before"), [*stages, *refused])
    print(f"{found.registered:,} people signed up")


def products(  # noqa: PLR0913 - each is an option of the command line
    *,
    by: Annotated[str, typer.Option(help="units or revenue.")] = "revenue",
    since: Since = None,
    until: Until = None,
    currency: Currency = "",
    limit: Annotated[int, typer.Option(help="Of each currency.", min=1, max=100)] = 10,
    data: Data = DEFAULT_DATA,
    url: RunningUrl = "",
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
) -> None:
    """Show what sells most, in each currency.

    For example:

      emporion analytics products --by units --limit 20
    """
    from emporion.contracts.analytics import AnalyticsService, AskProducts, Ranking

    request = AskProducts(
        since=_utc(since),
        until=_utc(until),
        order_by=Ranking(_one_of(RANKINGS, by, "--by")),
        currency=currency or None,
        limit=limit,
    )
    target = target_of(data, url, email=operator_email, password=operator_password)
    found = consulted(target, lambda clients: clients.get(AnalyticsService).top_products(request))
    rows = [(one.sku, f"{one.orders:,}", f"{one.units:,}", one.revenue) for one in found.products]
    show(("product", "orders", "units", "revenue"), rows)


def _rows(start: str, figures: "Figures") -> list[Sequence[object]]:
    """A line for each currency; those of no currency stand on the first."""
    decided = (start, f"{figures.checkouts:,}")
    if not figures.takings:
        return [(*decided, "0", "0", "", "")]
    return [
        (
            *(("", "") if place else decided),
            f"{one.orders:,}",
            f"{one.units:,}",
            one.revenue,
            one.net,
        )
        for place, one in enumerate(figures.takings)
    ]


def _one_of(known: Sequence[str], word: str, option: str) -> str:
    if word not in known:
        refuse(f"{option}: {word!r} is none; there are {', '.join(known)}")
    return word


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"

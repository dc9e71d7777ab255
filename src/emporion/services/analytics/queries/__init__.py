"""What can be asked of the figures."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from emporion.contracts.analytics import (
    AskFigures,
    AskFunnel,
    AskProducts,
    BadPeriod,
    Bucket,
    FigureSeries,
    Funnel,
    FunnelStage,
    Product,
    Ranking,
    Stage,
    TopProducts,
    UnknownTimeZone,
)
from emporion.kernel.clock import Clock, to_datetime, to_instant_ms
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.services.analytics.domain import buckets
from emporion.services.analytics.domain.buckets import DAY_S, Cut, Run
from emporion.services.analytics.domain.facts import CANCELLED, QUARTER_S, REGISTERED, SOLD
from emporion.services.analytics.ports import Counted, FigureStore, Zones
from emporion.services.analytics.queries.figures import (
    IN_MONEY,
    added_up,
    currencies_in,
    figures_of,
    refusals_in,
)

FUNNEL_S_MAX = 400 * DAY_S
PRODUCTS_S_MAX = 92 * DAY_S
USUAL_S = 30 * DAY_S
LAST_S = to_instant_ms(datetime(3000, 1, 1, tzinfo=UTC)) // 1000


class Period(NamedTuple):
    """From an instant until before another, in seconds since the epoch."""

    since_s: int
    until_s: int


class Queries:
    """Reads of what is committed."""

    def __init__(self, store: FigureStore, zones: Zones, clock: Clock) -> None:
        self._store = store
        self._zones = zones
        self._clock = clock

    async def figures(self, request: AskFigures) -> FigureSeries:
        """The period cut into buckets. Raises UnknownTimeZone or BadPeriod."""
        cut = Cut(request.step.value)
        zone = self._zones.zone(request.time_zone)
        if zone is None:
            raise UnknownTimeZone(f"there is no time zone {request.time_zone!r}", field="time_zone")
        period = self._period(
            request.since,
            request.until,
            usual_s=buckets.USUAL_S[cut],
            longest_s=buckets.LONGEST_S[cut],
        )
        bounds = buckets.edges(*period, cut, zone=zone)
        runs = buckets.runs(bounds)
        everything = await self._store.counted(runs, grain_s=buckets.grain_of(cut))
        counted = _only(everything, request.currency)
        currencies = [request.currency] if request.currency else currencies_in(counted)
        by_bucket: dict[int, list[Counted]] = {}
        for one in counted:
            by_bucket.setdefault(one.bucket, []).append(one)
        return FigureSeries(
            since=_instant(bounds[0]),
            until=_instant(bounds[-1]),
            step=request.step,
            time_zone=request.time_zone,
            total=figures_of(added_up(counted), currencies),
            buckets=[
                Bucket(
                    start=_instant(start_s),
                    figures=figures_of(by_bucket.get(number, ()), currencies),
                )
                for number, (start_s, _) in enumerate(pairwise(bounds))
            ],
        )

    async def funnel(self, request: AskFunnel) -> Funnel:
        """How many checkouts became money. Raises BadPeriod."""
        since_s, until_s = self._quarters(request.since, request.until, longest_s=FUNNEL_S_MAX)
        run = Run(0, since_s, until_s, until_s - since_s)
        counted = await self._store.counted([run], grain_s=QUARTER_S)
        figures = figures_of(counted, ())
        numbers = {
            Stage.CHECKOUTS: figures.checkouts,
            Stage.PAID: _number(counted, SOLD),
            Stage.KEPT: _number(counted, SOLD) - _number(counted, CANCELLED),
        }
        return Funnel(
            since=_instant(since_s),
            until=_instant(until_s),
            registered=_number(counted, REGISTERED),
            stages=_stages(numbers),
            refusals=refusals_in(counted),
        )

    async def top_products(self, request: AskProducts) -> TopProducts:
        """What sells most. Raises BadPeriod."""
        since_s, until_s = self._quarters(request.since, request.until, longest_s=PRODUCTS_S_MAX)
        found = await self._store.products(
            since_s,
            until_s,
            by_units=request.order_by is Ranking.UNITS,
            currency=request.currency,
            limit=request.limit,
        )
        return TopProducts(
            since=_instant(since_s),
            until=_instant(until_s),
            products=[
                Product(
                    sku=Sku(one.sku),
                    orders=one.sum.number,
                    units=one.sum.units,
                    revenue=Money(one.sum.amount_minor, one.currency),
                )
                for one in found
            ],
        )

    def _quarters(
        self, since: datetime | None, until: datetime | None, *, longest_s: int
    ) -> Period:
        period = self._period(since, until, usual_s=USUAL_S, longest_s=longest_s)
        return Period(*buckets.quarters(*period))

    def _period(
        self, since: datetime | None, until: datetime | None, *, usual_s: int, longest_s: int
    ) -> Period:
        """What is asked for, to the second. Raises BadPeriod."""
        until_ms = self._clock.now_ms() if until is None else to_instant_ms(until)
        until_s = -(-until_ms // 1000)
        since_s = until_s - usual_s if since is None else to_instant_ms(since) // 1000
        if not 0 <= since_s < until_s <= LAST_S:
            raise BadPeriod("until comes after since, both from 1970 to 3000", field="until")
        if until_s - since_s > longest_s:
            days = longest_s // DAY_S
            raise BadPeriod(f"it may be {days} days long at most, cut like this", field="until")
        return Period(since_s, until_s)


def _only(counted: Sequence[Counted], currency: str | None) -> Sequence[Counted]:
    """Without the money in other currencies, if one is asked for."""
    if currency is None:
        return counted
    return [one for one in counted if one.what not in IN_MONEY or one.label == currency]


def _stages(numbers: dict[Stage, int]) -> list[FunnelStage]:
    stages: list[FunnelStage] = []
    before: int | None = None
    for stage, orders in numbers.items():
        share = orders / before if before else None
        stages.append(FunnelStage(stage=stage, orders=orders, share=share))
        before = orders
    return stages


def _number(counted: Sequence[Counted], what: str) -> int:
    return sum(one.sum.number for one in counted if one.what == what)


def _instant(at_s: int) -> datetime:
    return to_datetime(at_s * 1000)

"""Analytics: orders, revenue and conversion over time, and what sells."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import Message, Reply, Request, Service, get, query, staff
from emporion.contracts.words import Instant, SkuRef
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.money import Money

TimeZone = Annotated[
    str,
    Meta(
        max_length=64,
        description="Whose days and hours: an IANA name.",
        examples=["Europe/Vienna"],
    ),
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", examples=["EUR"])]


class UnknownTimeZone(InvalidArgument):
    """There is no time zone of that name (field `time_zone`)."""

    slug = "unknown-time-zone"
    title = "There is no time zone of that name"


class BadPeriod(InvalidArgument):
    """It ends before it begins, or is longer than its step allows (field `until`)."""

    slug = "bad-period"
    title = "This period cannot be told"


class Step(StrEnum):
    """How long a bucket is: at most a day of minutes, 31 days of hours, 400 days of days."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class AskFigures(Request, frozen=True, kw_only=True):
    """Which period, cut how.

    It is widened to whole buckets. Without `until` it ends now; without `since` it is an hour of
    minutes, a day of hours, or 30 days.
    """

    since: Instant | None = None
    until: Instant | None = None
    step: Step = Step.DAY
    time_zone: TimeZone = "UTC"
    currency: Currency | None = None


class AskFunnel(Request, frozen=True, kw_only=True):
    """Which period, at most 400 days, widened to whole quarters of an hour; by default 30 days."""

    since: Instant | None = None
    until: Instant | None = None


class Ranking(StrEnum):
    """What makes a product a top product."""

    UNITS = "units"
    REVENUE = "revenue"


class AskProducts(Request, frozen=True, kw_only=True):
    """Which period, at most 92 days, widened to whole quarters of an hour; by default 30 days."""

    since: Instant | None = None
    until: Instant | None = None
    order_by: Ranking = Ranking.REVENUE
    currency: Currency | None = None
    limit: Annotated[int, Meta(ge=1, le=100, description="Products of each currency.")] = 10


class Takings(Message, frozen=True, kw_only=True):
    """Orders and money in one currency.

    `revenue` is what the orders of the period cost when they were taken; `refunded` went back in
    the period, whenever the order was; `net` is the difference. `average` is revenue by order.
    """

    currency: str
    orders: int
    units: int
    revenue: Money
    average: Money | None
    cancelled: int
    refunds: int
    refunded: Money
    net: Money


class Refusals(Message, frozen=True, kw_only=True):
    """How many orders were refused for one reason: the problem document's slug."""

    reason: str
    orders: int


class Figures(Message, frozen=True, kw_only=True):
    """What happened in a period.

    `checkouts` are orders that were decided: taken (`orders`) or refused (`rejected`); `conversion`
    is the share that was taken, absent where there was none. Amounts are never added up over
    currencies.
    """

    checkouts: int
    orders: int
    rejected: int
    cancelled: int
    registered: int
    conversion: float | None
    takings: list[Takings]
    refusals: list[Refusals]


class Bucket(Message, frozen=True, kw_only=True):
    """A part of the period, from `start` to the next one's."""

    start: Instant
    figures: Figures


class FigureSeries(Reply, frozen=True, kw_only=True):
    """The period cut into buckets, none left out, each with every currency of the period."""

    since: Instant
    until: Instant
    step: Step
    time_zone: str
    total: Figures
    buckets: list[Bucket]


class Stage(StrEnum):
    """A step of the funnel."""

    CHECKOUTS = "checkouts"
    """Orders that were asked for and decided."""
    PAID = "paid"
    """Stock was held and the money captured."""
    KEPT = "kept"
    """Not called off afterwards, in the period."""


class FunnelStage(Message, frozen=True, kw_only=True):
    """How many came so far, and which share of the stage before; absent where that has none."""

    stage: Stage
    orders: int
    share: float | None


class Funnel(Reply, frozen=True, kw_only=True):
    """From checkout to money kept, and why the rest was refused.

    It begins where the first event is: with the checkout. What is put into carts is not announced.
    """

    since: Instant
    until: Instant
    registered: int
    stages: list[FunnelStage]
    refusals: list[Refusals]


class Product(Message, frozen=True, kw_only=True):
    """What was sold of a SKU in one currency: later cancellations not taken off."""

    sku: SkuRef
    orders: int
    units: int
    revenue: Money


class TopProducts(Reply, frozen=True, kw_only=True):
    """The most of each currency first; equal ones by name."""

    since: Instant
    until: Instant
    products: list[Product]


class AnalyticsService(Service, Protocol):
    """Orders, revenue and conversion over time."""

    NAME: ClassVar[str] = "analytics"
    SUMMARY: ClassVar[str] = "Orders, revenue and conversion over time, and what sells."

    @query(
        access=staff("analytics:read"),
        rest=get("/api/analytics/figures"),
        raises=(UnknownTimeZone, BadPeriod),
    )
    async def figures(self, request: AskFigures) -> FigureSeries:
        """Orders, revenue and refusals by minute, hour or day, gaps filled with zero.

        Everything counts at its own time, however late it was heard of. Raises UnknownTimeZone or
        BadPeriod.
        """

    @query(
        access=staff("analytics:read"),
        rest=get("/api/analytics/funnel"),
        raises=(BadPeriod,),
    )
    async def funnel(self, request: AskFunnel) -> Funnel:
        """How many checkouts became money. Raises BadPeriod."""

    @query(
        access=staff("analytics:read"),
        rest=get("/api/analytics/products"),
        raises=(BadPeriod,),
    )
    async def top_products(self, request: AskProducts) -> TopProducts:
        """What sells most. Raises BadPeriod."""

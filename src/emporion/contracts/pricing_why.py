"""Why a price: the words in which the catalogue and orders explain what something costs."""

from typing import Annotated, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Message,
    Reply,
    Request,
    Service,
    get,
    internal,
    query,
    staff,
)
from emporion.contracts.pricing import DetailKind, PriceDetail, PricedLine
from emporion.contracts.words import Instant, Sku, SkuRef
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money


class ListPriceOf(Request, frozen=True, kw_only=True):
    """Of which SKU, today."""

    sku: Sku


class PriceRule(Message, frozen=True, kw_only=True):
    """A promotion, a country's taxes or a way of delivery as it stands.

    Args:
        ref: the promotion's or delivery's id, or the country.
        says: what it does, in a sentence.
        since: when it was set up like this; None: before that was recorded.
    """

    kind: DetailKind
    ref: str
    name: str
    says: str
    since: Instant | None


class WhyListPrice(Reply, frozen=True, kw_only=True):
    """Why a unit costs what it costs today.

    Args:
        since: when it got this price; None: before that was recorded.
        before: what it cost until then, if it was sold before.
        rules: what may be taken off it or come on top, at most 200 of each kind.
    """

    sku: Sku
    name: str
    price: Money
    since: Instant | None
    before: Money | None
    says: str
    rules: list[PriceRule]


class ExplainPrices(Request, frozen=True, kw_only=True):
    """A basket as it was priced at an instant: its lines, and the details of its total."""

    at: Instant
    lines: Annotated[list[PricedLine], Meta(min_length=1, max_length=200)]
    details: list[PriceDetail]


class WhyLine(Message, frozen=True, kw_only=True):
    """Why a line of an order costs what it costs.

    Args:
        since: since when the catalogue had that price when it was ordered; None: not recorded.
        price_now: of a unit today; None: it is not sold any more.
        is_changed: whether that is another one.
    """

    sku: SkuRef
    name: str
    quantity: int
    unit_price: Money
    total: Money
    says: str
    since: Instant | None
    price_now: Money | None
    is_changed: bool


class WhyDetail(Message, frozen=True, kw_only=True):
    """Why a detail of an order's total is what it is.

    Args:
        ref: the promotion's, delivery's or gift card's id, or the country of a tax.
        says: the rule as it stood then, and the step of rounding.
        since: when the rule was set up like that; None: before that was recorded.
        is_changed: whether the rule is another one today.
        now: what it says today, if it is another one.
    """

    kind: DetailKind
    name: str
    ref: str
    amount: Money
    is_included: bool
    says: str
    since: Instant | None
    is_changed: bool
    now: str


class PricesExplained(Reply, frozen=True, kw_only=True):
    """Why a basket cost what it cost."""

    lines: list[WhyLine]
    details: list[WhyDetail]


class WhyOfPrices(Service, Protocol):
    """The part of `CatalogService` that says why something costs what it costs."""

    @query(access=staff("catalog:write"), rest=get("/api/prices/why/{sku}"), raises=(NotFound,))
    async def why_price(self, request: ListPriceOf) -> WhyListPrice:
        """Since when a SKU has its price, and what may change it: promotions, taxes, deliveries.

        Codes of promotions are told. Raises NotFound when nothing is sold under it.
        """

    @query(access=internal())
    async def explain_prices(self, request: ExplainPrices) -> PricesExplained:
        """Why a basket cost what it cost: prices and rules as they were then, and what changed."""

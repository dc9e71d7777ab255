"""Orders: why one costs what it costs."""

from typing import Protocol

from emporion.contracts.contract import Reply, Request, Service, get, owner, query
from emporion.contracts.pricing_why import WhyDetail, WhyLine
from emporion.contracts.words import Instant, OrderId
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money


class PriceOfOrder(Request, frozen=True, kw_only=True):
    """Of which order."""

    order_id: OrderId


class WhyOrderPrice(Reply, frozen=True, kw_only=True):
    """Why an order costs what it costs: by the prices and rules of the instant it was priced at.

    `details` that are not included add up to the total. `is_changed`: whether any price or rule
    is another one today.
    """

    order_id: OrderId
    priced_at: Instant
    total: Money
    lines: list[WhyLine]
    details: list[WhyDetail]
    is_changed: bool


class PricesOfOrders(Service, Protocol):
    """The part of `OrderService` that says why an order costs what it costs."""

    @query(
        access=owner("orders:read"),
        rest=get("/api/orders/{order_id}/why-price"),
        raises=(NotFound,),
    )
    async def why_order_price(self, request: PriceOfOrder) -> WhyOrderPrice:
        """Each price and each step of an order's total, as it was, and whether it changed since.

        Raises NotFound, also for another customer's order.
        """

"""Recommendation: what is bought together, counted in real orders."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

import msgspec
from msgspec import Meta

from emporion.contracts.contract import Message, Reply, Request, Service, anyone, get, query
from emporion.contracts.words import Sku, SkuRef

Limit = Annotated[int, Meta(ge=1, le=50, description="How many to recommend, 1..50.")]
MinOrders = Annotated[
    int,
    Meta(
        ge=1,
        le=1_000_000,
        description="In how many orders two things must have been bought together before that "
        "counts: below it, chance decides.",
    ),
]


class Reason(StrEnum):
    """Why something is recommended."""

    BOUGHT_TOGETHER = "bought_together"
    """More often with what was asked about than by chance."""
    BEST_SELLER = "best_seller"
    """In more orders than other things: what is said when nothing better is known."""


class RecommendFor(Request, frozen=True, kw_only=True):
    """What goes with one SKU, known or not."""

    sku: Sku
    limit: Limit = 10
    min_orders: MinOrders = 5


class RecommendForBasket(Request, frozen=True, kw_only=True):
    """What goes with the SKUs of a basket, at most 25 of them; without any: best sellers."""

    skus: Annotated[list[Sku], Meta(max_length=25, examples=[["espresso"]])] = msgspec.field(
        default_factory=list
    )
    limit: Limit = 10
    min_orders: MinOrders = 5


class Recommended(Message, frozen=True, kw_only=True):
    """A SKU, why, and on what evidence.

    Bought together with the SKU `with_sku` in `orders` orders: `support` is their share of all
    orders, `confidence` their share of the orders with `with_sku`, `lift` how many times that is
    what chance would give. A best seller is in `orders` orders, a share of `support`.
    """

    sku: SkuRef
    reason: Reason
    orders: int
    support: float
    with_sku: SkuRef | None = None
    confidence: float | None = None
    lift: float | None = None


class Recommendations(Reply, frozen=True, kw_only=True):
    """The best first: bought together by falling lift, then best sellers up to `limit`.

    `orders` is the number of orders that were counted.
    """

    orders: int
    recommended: list[Recommended]


class RecommendationService(Service, Protocol):
    """Bought together, from real orders."""

    NAME: ClassVar[str] = "recommendation"
    SUMMARY: ClassVar[str] = "What is bought together, counted in real orders."

    @query(
        access=anyone("browsing needs no account"),
        rest=get("/api/recommendations/{sku}"),
    )
    async def recommend(self, request: RecommendFor) -> Recommendations:
        """What is bought together with a SKU; best sellers where too little is known of it."""

    @query(
        access=anyone("browsing needs no account"),
        rest=get("/api/recommendations"),
    )
    async def recommend_for_basket(self, request: RecommendForBasket) -> Recommendations:
        """What is bought together with any SKU of a basket, and is not in it.

        Write `?skus=espresso&skus=scone`. What goes with several of them counts by the one that
        it goes with best.
        """

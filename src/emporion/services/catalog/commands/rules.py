"""What staff can set up about prices: promotions, taxes, ways of delivery."""

from datetime import datetime

from emporion.contracts.pricing import (
    BadPromotion,
    Deliveries,
    PromotionKind,
    PromotionsUsed,
    PutDelivery,
    PutPromotion,
    PutTaxes,
    TaxTable,
    UsePromotions,
)
from emporion.contracts.pricing import Promotion as PromotionReply
from emporion.kernel.clock import to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.kernel.money import MINOR_DIGITS
from emporion.services.catalog.domain.basket import Delivery, Taxes
from emporion.services.catalog.domain.promotion import FOREVER_MS, Kind, Promotion
from emporion.services.catalog.ports import RulesStore, UseStore
from emporion.services.catalog.queries.baskets import StandingRules
from emporion.services.catalog.queries.rules import RuleQueries, promotion_of

PROMOTIONS_OPEN_MAX = 200
"""All that are open are looked at for every basket."""


class RuleCommands:
    """Changes of what is taken off and what comes on top."""

    def __init__(
        self, store: RulesStore, uses: UseStore, *, standing: StandingRules, queries: RuleQueries
    ) -> None:
        self._store = store
        self._uses = uses
        self._standing = standing
        self._queries = queries

    async def put_promotion(self, request: PutPromotion) -> PromotionReply:
        """See CatalogService.put_promotion."""
        promotion = _promotion(request)
        uses = await self._store.put_promotion(
            promotion, open_max=PROMOTIONS_OPEN_MAX, at_ms=self._standing.now_ms()
        )
        self._standing.changed()
        return promotion_of(promotion, uses)

    async def archive_promotion(self, promotion_id: str) -> PromotionReply:
        """See CatalogService.archive_promotion."""
        found = await self._store.archive_promotion(promotion_id, at_ms=self._standing.now_ms())
        if found is None:
            raise NotFound(f"there is no promotion {promotion_id}")
        self._standing.changed()
        return promotion_of(*found)

    async def put_taxes(self, request: PutTaxes) -> TaxTable:
        """See CatalogService.put_taxes."""
        by_category = {one.category: one.rate_bp for one in request.categories}
        await self._store.put_taxes(
            Taxes(request.country, request.standard_bp, by_category, request.is_included),
            at_ms=self._standing.now_ms(),
        )
        self._standing.changed()
        return await self._queries.taxes()

    async def put_delivery(self, request: PutDelivery) -> Deliveries:
        """See CatalogService.put_delivery."""
        await self._store.put_delivery(
            Delivery(
                request.delivery_id,
                request.name,
                request.price.currency,
                request.price.amount_minor,
                tuple(request.countries),
                request.free_from_minor,
                request.is_archived,
            ),
            at_ms=self._standing.now_ms(),
        )
        self._standing.changed()
        return await self._queries.deliveries("")

    async def use(self, request: UsePromotions) -> PromotionsUsed:
        """See CatalogService.use_promotions."""
        is_used = await self._uses.use(request.order_id, request.user_id, request.promotion_ids)
        return PromotionsUsed(is_used=is_used)

    async def free(self, request: UsePromotions) -> PromotionsUsed:
        """See CatalogService.free_promotions."""
        await self._uses.free(request.order_id, request.promotion_ids)
        return PromotionsUsed(is_used=False)


def _promotion(request: PutPromotion) -> Promotion:
    """The promotion asked for. Raises BadPromotion when it could not work."""
    _refuse_unfit(request)
    starts_at_ms, ends_at_ms = _ms(request.starts_at, 0), _ms(request.ends_at, FOREVER_MS)
    if ends_at_ms <= starts_at_ms:
        raise BadPromotion("it ends before it starts", field="ends_at")
    return Promotion(
        request.promotion_id,
        request.name,
        Kind(request.kind.value),
        percent_bp=request.percent_bp,
        amount_minor=request.amount_minor,
        buy=request.buy,
        get=request.get,
        currency=request.currency,
        skus=tuple(request.skus),
        categories=tuple(request.categories),
        code=request.code.upper(),
        starts_at_ms=starts_at_ms,
        ends_at_ms=ends_at_ms,
        basket_minor_min=request.basket_minor_min,
        priority=request.priority,
        is_combinable=request.is_combinable,
        uses_max=request.uses_max,
        uses_per_user_max=request.uses_per_user_max,
    )


_WANTED = {
    PromotionKind.PERCENT: ("percent_bp",),
    PromotionKind.AMOUNT: ("amount_minor", "currency"),
    PromotionKind.BUY_GET: ("buy", "get"),
}
"""What belongs to a kind of promotion, and to it alone; a currency may narrow any."""


def _refuse_unfit(request: PutPromotion) -> None:
    wanted = _WANTED[request.kind]
    for field in ("percent_bp", "amount_minor", "buy", "get", "currency"):
        given = bool(getattr(request, field))
        if field in wanted and not given:
            raise BadPromotion(f"a promotion of kind {request.kind} needs {field}", field=field)
        if field not in wanted and given and field != "currency":
            raise BadPromotion(f"{field} does not belong to kind {request.kind}", field=field)
    if request.currency and request.currency not in MINOR_DIGITS:
        raise BadPromotion("not a currency of ISO 4217", field="currency")
    if request.basket_minor_min and not request.currency:
        raise BadPromotion("a minimum is an amount: say its currency", field="currency")


def _ms(instant: datetime | None, default: int) -> int:
    return to_instant_ms(instant) if instant else default

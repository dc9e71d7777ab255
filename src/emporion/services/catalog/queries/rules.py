"""What staff set up about prices, as it stands."""

from emporion.contracts.pricing import (
    CategoryRate,
    CountryTaxes,
    Deliveries,
    DeliveryOption,
    ListPromotions,
    PromotionKind,
    PromotionPage,
    TaxTable,
)
from emporion.contracts.pricing import Promotion as PromotionReply
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money
from emporion.services.catalog.domain.promotion import FOREVER_MS, Promotion
from emporion.services.catalog.ports import RulesStore


class RuleQueries:
    """Promotions, taxes and ways of delivery."""

    def __init__(self, store: RulesStore) -> None:
        self._store = store

    async def promotion(self, promotion_id: str) -> PromotionReply:
        """One of them. Raises NotFound."""
        found = await self._store.promotion(promotion_id)
        if found is None:
            raise NotFound(f"there is no promotion {promotion_id}")
        return promotion_of(*found)

    async def promotions(self, request: ListPromotions) -> PromotionPage:
        """By id, page by page. Raises UnknownCursor."""
        if request.cursor and await self._store.promotion(request.cursor) is None:
            raise UnknownCursor
        found = await self._store.promotions(
            is_archived=request.is_archived, after=request.cursor, limit=request.limit + 1
        )
        page = found[: request.limit]
        return PromotionPage(
            promotions=[promotion_of(*one) for one in page],
            next_cursor=page[-1][0].promotion_id if len(found) > len(page) else "",
        )

    async def taxes(self) -> TaxTable:
        """Of all countries."""
        rules = await self._store.rules()
        return TaxTable(
            countries=[
                CountryTaxes(
                    country=one.country,
                    standard_bp=one.standard_bp,
                    categories=[
                        CategoryRate(category=category, rate_bp=rate_bp)
                        for category, rate_bp in one.by_category.items()
                    ],
                    is_included=one.is_included,
                )
                for one in rules.taxes.values()
            ]
        )

    async def deliveries(self, country: str) -> Deliveries:
        """All, or those that go to a country."""
        rules = await self._store.rules()
        return Deliveries(
            deliveries=[
                DeliveryOption(
                    delivery_id=one.delivery_id,
                    name=one.name,
                    price=Money(one.price_minor, one.currency),
                    countries=list(one.countries),
                    free_from_minor=one.free_from_minor,
                    is_archived=one.is_archived,
                )
                for one in rules.deliveries.values()
                if not country or one.serves(country, one.currency)
            ]
        )


def promotion_of(promotion: Promotion, uses: int) -> PromotionReply:
    """A promotion in the words of the contract."""
    return PromotionReply(
        promotion_id=promotion.promotion_id,
        name=promotion.name,
        kind=PromotionKind(promotion.kind.value),
        percent_bp=promotion.percent_bp,
        amount_minor=promotion.amount_minor,
        buy=promotion.buy,
        get=promotion.get,
        currency=promotion.currency,
        skus=list(promotion.skus),
        categories=list(promotion.categories),
        code=promotion.code,
        starts_at=to_datetime(promotion.starts_at_ms) if promotion.starts_at_ms else None,
        ends_at=(to_datetime(promotion.ends_at_ms) if promotion.ends_at_ms < FOREVER_MS else None),
        basket_minor_min=promotion.basket_minor_min,
        priority=promotion.priority,
        is_combinable=promotion.is_combinable,
        uses_max=promotion.uses_max,
        uses_per_user_max=promotion.uses_per_user_max,
        uses=uses,
        is_archived=promotion.is_archived,
    )

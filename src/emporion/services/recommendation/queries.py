"""What can be asked: what to buy besides."""

from collections.abc import Sequence

from emporion.contracts.recommendation import Reason, Recommendations, Recommended
from emporion.kernel.ids import Sku
from emporion.services.recommendation.domain import Together, strongest
from emporion.services.recommendation.ports import CountStore, Evidence, Seller


class Queries:
    """Reads of what is committed."""

    def __init__(self, store: CountStore) -> None:
        self._store = store

    async def recommend(
        self, basket: Sequence[Sku], *, min_orders: int, limit: int
    ) -> Recommendations:
        """What goes with the basket and is not in it, filled up with best sellers."""
        basket = tuple(dict.fromkeys(basket))
        found = await self._store.evidence(basket, min_orders=min_orders, limit=limit + len(basket))
        together = strongest(found.together, basket, found.orders)[:limit]
        taken = {*basket, *(one.other for one in together)}
        rest = [one for one in found.sellers if one.sku not in taken]
        return Recommendations(
            orders=found.orders,
            recommended=[
                *(_together(one, found) for one in together),
                *(_seller(one, found) for one in rest[: limit - len(together)]),
            ],
        )


def _together(one: Together, found: Evidence) -> Recommended:
    return Recommended(
        sku=one.other,
        reason=Reason.BOUGHT_TOGETHER,
        orders=one.orders,
        support=one.support(found.orders),
        with_sku=one.sku,
        confidence=one.confidence,
        lift=one.lift(found.orders),
    )


def _seller(one: Seller, found: Evidence) -> Recommended:
    return Recommended(
        sku=one.sku,
        reason=Reason.BEST_SELLER,
        orders=one.orders,
        support=one.orders / found.orders,
    )

"""Answers the recommendation contract."""

from emporion.contracts.recommendation import (
    Recommendations,
    RecommendationService,
    RecommendFor,
    RecommendForBasket,
)
from emporion.services.recommendation.queries import Queries


class RecommendationApi(RecommendationService):
    """The contract, answered by queries: nobody tells what is bought together, orders do."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def recommend(self, request: RecommendFor) -> Recommendations:
        return await self._queries.recommend(
            [request.sku], min_orders=request.min_orders, limit=request.limit
        )

    async def recommend_for_basket(self, request: RecommendForBasket) -> Recommendations:
        return await self._queries.recommend(
            request.skus, min_orders=request.min_orders, limit=request.limit
        )

"""Answers the analytics contract."""

from emporion.contracts.analytics import (
    AnalyticsService,
    AskFigures,
    AskFunnel,
    AskProducts,
    FigureSeries,
    Funnel,
    TopProducts,
)
from emporion.services.analytics.queries import Queries


class AnalyticsApi(AnalyticsService):
    """The contract, answered by queries: nobody tells figures, events do."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def figures(self, request: AskFigures) -> FigureSeries:
        return await self._queries.figures(request)

    async def funnel(self, request: AskFunnel) -> Funnel:
        return await self._queries.funnel(request)

    async def top_products(self, request: AskProducts) -> TopProducts:
        return await self._queries.top_products(request)

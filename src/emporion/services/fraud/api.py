"""Answers the fraud contract."""

from emporion.chassis.calls.context import caller
from emporion.contracts.fraud import (
    Decide,
    FraudService,
    ListReviews,
    ListScreenings,
    Review,
    ReviewPage,
    Screening,
    ScreeningOf,
    ScreeningPage,
)
from emporion.services.fraud.commands.reviews import Reviews
from emporion.services.fraud.queries import Queries


class FraudApi(FraudService):
    """The contract, answered by commands and queries."""

    def __init__(self, queries: Queries, reviews: Reviews) -> None:
        self._queries = queries
        self._reviews = reviews

    async def list_screenings(self, request: ListScreenings) -> ScreeningPage:
        return await self._queries.screenings(request)

    async def get_screening(self, request: ScreeningOf) -> Screening:
        return await self._queries.screening(request.order_id)

    async def list_reviews(self, request: ListReviews) -> ReviewPage:
        return await self._queries.reviews(request)

    async def get_review(self, request: ScreeningOf) -> Review:
        return await self._queries.review(request.order_id)

    async def release(self, request: Decide) -> Review:
        await self._reviews.release(request, caller().user_id)
        return await self._queries.review(request.order_id)

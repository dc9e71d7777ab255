"""Answers the fraud contract."""

from emporion.chassis.calls.context import caller
from emporion.contracts.fraud import (
    Backtest,
    BacktestPage,
    Decide,
    FraudService,
    ListReviews,
    ListScreenings,
    PutRules,
    Review,
    ReviewPage,
    RuleSet,
    RulesOf,
    Screening,
    ScreeningOf,
    ScreeningPage,
)
from emporion.services.fraud.commands.reviews import Reviews
from emporion.services.fraud.commands.rules import RuleCommands
from emporion.services.fraud.queries.orders import Queries
from emporion.services.fraud.queries.rules import RuleQueries, view


class FraudApi(FraudService):
    """The contract, answered by commands and queries."""

    def __init__(
        self,
        queries: Queries,
        rule_queries: RuleQueries,
        *,
        reviews: Reviews,
        rules: RuleCommands,
    ) -> None:
        self._queries = queries
        self._rule_queries = rule_queries
        self._reviews = reviews
        self._rules = rules

    async def list_screenings(self, request: ListScreenings) -> ScreeningPage:
        return await self._queries.screenings(request)

    async def get_screening(self, request: ScreeningOf) -> Screening:
        return await self._queries.screening(request.order_id)

    async def list_reviews(self, request: ListReviews) -> ReviewPage:
        return await self._queries.reviews(request)

    async def get_review(self, request: ScreeningOf) -> Review:
        return await self._queries.review(request.order_id)

    async def release(self, request: Decide) -> Review:
        await self._reviews.release(request, caller().subject)
        return await self._queries.review(request.order_id)

    async def reject(self, request: Decide) -> Review:
        await self._reviews.reject(request, caller().subject)
        return await self._queries.review(request.order_id)

    async def get_rules(self, request: RulesOf) -> RuleSet:
        return await self._rule_queries.get(request.version)

    async def put_rules(self, request: PutRules) -> RuleSet:
        return view(await self._rules.put(request, caller().subject))

    async def backtest(self, request: Backtest) -> BacktestPage:
        return await self._rule_queries.backtest(request)

"""Puts the recommendation service together."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.recommendation import RecommendationService
from emporion.services.recommendation.adapters.sql import SqlCounts
from emporion.services.recommendation.api import RecommendationApi
from emporion.services.recommendation.events import Reactions, subscriptions
from emporion.services.recommendation.queries import Queries


def build(needs: Needs) -> Assembly:
    """The service, not started. It calls nobody, and nobody who sells calls it."""
    store = SqlCounts(needs.database)
    return Assembly(
        contract=RecommendationService,
        implementation=RecommendationApi(Queries(store)),
        subscriptions=subscriptions(Reactions(store)),
        shed_first=True,
    )

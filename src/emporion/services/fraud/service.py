"""Puts the fraud service together."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.fraud import FraudService
from emporion.services.fraud.adapters.sql import SqlRuleBook, SqlScreenings
from emporion.services.fraud.api import FraudApi
from emporion.services.fraud.commands.reviews import Reviews
from emporion.services.fraud.commands.screening import Screener
from emporion.services.fraud.events import Reactions, subscriptions
from emporion.services.fraud.queries import Queries


def build(needs: Needs) -> Assembly:
    """The service, not started."""
    clock = needs.runtime.clock
    store = SqlScreenings()
    reviews = Reviews(needs.database, store, clock)
    return Assembly(
        contract=FraudService,
        implementation=FraudApi(Queries(needs.database, store), reviews),
        subscriptions=subscriptions(Reactions(Screener(store, SqlRuleBook(), clock))),
        shed_first=True,
    )

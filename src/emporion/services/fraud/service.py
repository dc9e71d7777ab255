"""Puts the fraud service together."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.notes import SealedNotes
from emporion.chassis.sealing.people import People
from emporion.contracts.fraud import FraudService
from emporion.contracts.order import OrderService
from emporion.contracts.vault import VaultService
from emporion.services.fraud.adapters.sql import SqlRuleBook, SqlScreenings
from emporion.services.fraud.api import FraudApi
from emporion.services.fraud.commands.reviews import ReviewBooks, Reviews, ReviewSteps
from emporion.services.fraud.commands.rules import RuleCommands
from emporion.services.fraud.commands.screening import Screener
from emporion.services.fraud.events import Reactions, subscriptions
from emporion.services.fraud.queries.orders import Queries
from emporion.services.fraud.queries.rules import RuleQueries
from emporion.services.fraud.sagas import reject_order

REVIEWS = "fraud.review"
"""The field of the reasons of reviews, as it is authenticated with what is sealed: for ever."""


def build(needs: Needs) -> Assembly:
    """The service, not started."""
    clock = needs.runtime.clock
    store, book = SqlScreenings(), SqlRuleBook()
    steps = ReviewSteps(store, clock)
    notes = SealedNotes(People(needs.clients.get(VaultService), clock), REVIEWS)
    saga = reject_order(steps, needs.clients.get(OrderService))
    reviews = Reviews(
        ReviewBooks(needs.database, steps, notes),
        sagas=needs.sagas,
        runtime=needs.runtime,
        reject_order=saga,
    )
    implementation = FraudApi(
        Queries(needs.database, store, notes),
        RuleQueries(needs.database, book, store),
        reviews=reviews,
        rules=RuleCommands(needs.database, book, clock),
    )
    return Assembly(
        contract=FraudService,
        implementation=implementation,
        subscriptions=subscriptions(Reactions(Screener(store, book, clock))),
        sagas=(saga,),
        shed_first=True,
    )

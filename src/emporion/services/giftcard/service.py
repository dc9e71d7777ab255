"""Puts the gift card service together."""

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.giftcard import GiftCardService
from emporion.services.giftcard.adapters.cards import SqlCards
from emporion.services.giftcard.adapters.spending import SqlGuesses, SqlSpendings
from emporion.services.giftcard.api import GiftCardApi
from emporion.services.giftcard.commands.cards import CardCommands
from emporion.services.giftcard.commands.spending import SpendingCommands
from emporion.services.giftcard.domain import CodeKey
from emporion.services.giftcard.ports import Stores
from emporion.services.giftcard.queries import Queries

EXPIRY = "giftcard: expiry"


def build(needs: Needs) -> Assembly:
    """The service, not started. The setting `gift_card_key` is what codes are hashed with."""
    database, runtime = needs.database, needs.runtime
    key = CodeKey(needs.settings.get("gift_card_key", ""))
    stores = Stores(SqlCards(), SqlSpendings(), SqlGuesses())
    commands = CardCommands(database, stores.cards, runtime=runtime, key=key)
    spending = SpendingCommands(database, stores, clock=runtime.clock, key=key)
    queries = Queries(database, stores.cards, clock=runtime.clock, key=key)
    alarm = Alarm(EXPIRY, runtime, commands.expire_due)
    return Assembly(
        contract=GiftCardService,
        implementation=GiftCardApi(commands, spending, queries, alarm=alarm),
        alarms=(alarm,),
    )

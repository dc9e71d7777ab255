"""Answers the gift card contract."""

from emporion.chassis.calls.context import caller
from emporion.chassis.runtime.alarm import Alarm
from emporion.contracts.contract import Empty
from emporion.contracts.giftcard import (
    AdjustGiftCard,
    FindGiftCards,
    FoundGiftCards,
    GiftCard,
    GiftCardBalance,
    GiftCardByCode,
    GiftCardEntries,
    GiftCardOf,
    GiftCardPage,
    GiftCardService,
    GiftCardsSpent,
    IssuedGiftCard,
    IssueGiftCard,
    ListGiftCardEntries,
    ListGiftCards,
    ReturnToGiftCards,
    SpendGiftCards,
    VoidGiftCard,
)
from emporion.services.giftcard.commands.cards import CardCommands
from emporion.services.giftcard.commands.spending import SpendingCommands
from emporion.services.giftcard.domain import shown
from emporion.services.giftcard.queries import Queries


class GiftCardApi(GiftCardService):
    """The contract, answered by commands and queries. `alarm` expires cards in their time."""

    def __init__(
        self,
        cards: CardCommands,
        spending: SpendingCommands,
        queries: Queries,
        *,
        alarm: Alarm,
    ) -> None:
        self._cards = cards
        self._spending = spending
        self._queries = queries
        self._alarm = alarm

    async def issue_card(self, request: IssueGiftCard) -> IssuedGiftCard:
        card, code = await self._cards.issue(request, caller().subject)
        self._alarm.poke()
        return IssuedGiftCard(card=self._queries.view(card), code=shown(code))

    async def list_cards(self, request: ListGiftCards) -> GiftCardPage:
        return await self._queries.cards(request)

    async def get_card(self, request: GiftCardOf) -> GiftCard:
        return await self._queries.card(request.card_id)

    async def list_entries(self, request: ListGiftCardEntries) -> GiftCardEntries:
        return await self._queries.entries(request)

    async def void_card(self, request: VoidGiftCard) -> GiftCard:
        return self._queries.view(await self._cards.void(request, caller().subject))

    async def adjust_card(self, request: AdjustGiftCard) -> GiftCard:
        return self._queries.view(await self._cards.adjust(request, caller().subject))

    async def card_balance(self, request: GiftCardByCode) -> GiftCardBalance:
        return await self._queries.balance(request.code)

    async def find_cards(self, request: FindGiftCards) -> FoundGiftCards:
        return await self._spending.find(request)

    async def spend_cards(self, request: SpendGiftCards) -> GiftCardsSpent:
        return GiftCardsSpent(is_spent=await self._spending.spend(request))

    async def undo_spending(self, request: SpendGiftCards) -> GiftCardsSpent:
        await self._spending.undo(request)
        self._alarm.poke()
        return GiftCardsSpent(is_spent=False)

    async def return_to_cards(self, request: ReturnToGiftCards) -> Empty:
        await self._spending.give_back(request)
        self._alarm.poke()
        return Empty()

"""A small working stand-in for the gift card service: balances in memory, idempotent."""

from typing import Any

from emporion.contracts.contract import Empty
from emporion.contracts.giftcard import (
    FindGiftCards,
    FoundGiftCard,
    FoundGiftCards,
    GiftCardService,
    GiftCardsSpent,
    ReturnToGiftCards,
    SpendGiftCards,
)
from emporion.contracts.giftcard_refusals import GiftCardNotEnough, UnknownGiftCard
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import GiftCardId, OrderId
from emporion.kernel.money import Money


def card_id(code: str) -> GiftCardId:
    """The id of the card with that code."""
    return GiftCardId(f"gft_{code.lower():0>32}")


def gift_cards() -> Any:
    """The service: only the methods that the order service calls."""
    kind: Any = GiftCards
    return kind()


class GiftCards(GiftCardService):
    """Cards by code; `stolen` is taken off each between finding and spending it."""

    def __init__(self) -> None:
        self.balances: dict[str, Money] = {}
        self.spent: dict[OrderId, SpendGiftCards] = {}
        self.undone: set[OrderId] = set()
        self.calls: list[str] = []
        self.outages = 0
        self.stolen_minor = 0
        self.returned: dict[str, ReturnToGiftCards] = {}

    def put(self, code: str, amount_minor: int, currency: str = "EUR") -> None:
        """A card."""
        self.balances[card_id(code)] = Money(amount_minor, currency)

    def balance_minor(self, code: str) -> int:
        """What is on it."""
        return self.balances[card_id(code)].amount_minor

    async def find_cards(self, request: FindGiftCards) -> FoundGiftCards:
        self.calls.append("find")
        found = []
        for code in dict.fromkeys(request.codes):
            balance = self.balances.get(card_id(code))
            if balance is None:
                raise UnknownGiftCard
            if not balance.amount_minor:
                raise GiftCardNotEnough(card=code)
            found.append(FoundGiftCard(card_id=card_id(code), ending=code, balance=balance))
        return FoundGiftCards(cards=found)

    async def spend_cards(self, request: SpendGiftCards) -> GiftCardsSpent:
        self._reach("spend")
        if request.order_id in self.undone:
            return GiftCardsSpent(is_spent=False)
        if request.order_id not in self.spent:
            for share in request.shares:
                self.balances[share.card_id] -= Money(self.stolen_minor, share.amount.currency)
            if any(
                self.balances[share.card_id].amount_minor < share.amount.amount_minor
                for share in request.shares
            ):
                raise GiftCardNotEnough(card="")
            self.spent[request.order_id] = request
            for share in request.shares:
                self.balances[share.card_id] -= share.amount
        return GiftCardsSpent(is_spent=True)

    async def undo_spending(self, request: SpendGiftCards) -> GiftCardsSpent:
        self._reach("undo")
        self.undone.add(request.order_id)
        spent = self.spent.pop(request.order_id, None)
        for share in spent.shares if spent else ():
            self.balances[share.card_id] += share.amount
        return GiftCardsSpent(is_spent=False)

    async def return_to_cards(self, request: ReturnToGiftCards) -> Empty:
        self._reach("return")
        if request.refund_id not in self.returned:
            self.returned[request.refund_id] = request
            for share in request.shares:
                self.balances[share.card_id] += share.amount
        return Empty()

    def _reach(self, call: str) -> None:
        self.calls.append(call)
        if self.outages:
            self.outages -= 1
            raise Unavailable

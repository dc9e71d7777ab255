"""What orders do with gift cards: find them by their codes, spend them, give back."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.giftcard import (
    FindGiftCards,
    FoundGiftCard,
    FoundGiftCards,
    ReturnToGiftCards,
    SpendGiftCards,
)
from emporion.contracts.giftcard_refusals import (
    MoreThanSpent,
    NoGiftCardKey,
    TooManyCodes,
    UnknownGiftCard,
)
from emporion.kernel.clock import Clock
from emporion.kernel.errors import ResourceExhausted
from emporion.kernel.money import Money
from emporion.services.giftcard.commands.announcing import announce
from emporion.services.giftcard.commands.expiring import write_off_overdue
from emporion.services.giftcard.commands.obstacles import require_no_obstacle
from emporion.services.giftcard.domain import Card, CodeKey, Kind, Share, Spending, Why, normal_code
from emporion.services.giftcard.ports import Stores


class SpendingCommands:
    """Each in one transaction that holds the cards it is about, in the order of their ids."""

    def __init__(self, database: Database, stores: Stores, *, clock: Clock, key: CodeKey) -> None:
        self._database = database
        self._cards = stores.cards
        self._spendings = stores.spendings
        self._guesses = stores.guesses
        self._clock = clock
        self._key = key

    async def find(self, request: FindGiftCards) -> FoundGiftCards:
        """See GiftCardService.find_cards.

        One person's codes are looked at one request after the other: those sent all at once are
        slowed down like those sent in a row.
        """
        if not self._key.is_set:
            raise NoGiftCardKey
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> list[Card] | ResourceExhausted | None:
            guesses = await self._guesses.find(tx, request.user_id)
            if wait_s := guesses.wait_s(now_ms):
                return TooManyCodes(retry_after_s=wait_s)
            hashes = [self._key.hash(normal_code(code)) for code in request.codes]
            found = [await self._cards.of_code(tx, code_hash) for code_hash in hashes]
            cards = [card for card in found if card]
            if len(cards) < len(found):
                await self._guesses.put(tx, request.user_id, guesses.another(now_ms))
                return None  # an error would undo the count
            return cards

        cards = await self._database.transaction(work)
        if isinstance(cards, ResourceExhausted):
            raise cards
        if cards is None:
            raise UnknownGiftCard
        for card in cards:
            require_no_obstacle(card, 1, now_ms)
        return FoundGiftCards(cards=[_found(card) for card in dict.fromkeys(cards)])

    async def spend(self, request: SpendGiftCards) -> bool:
        """See GiftCardService.spend_cards; whether the order has spent them."""
        now_ms = self._clock.now_ms()
        why = Why(Kind.SPENT, now_ms, request.order_id, actor=request.user_id)

        async def work(tx: Tx) -> bool:
            held = await self._cards.hold(tx, [share.card_id for share in request.shares])
            known = await self._spendings.is_spent(tx, request.order_id)
            if known is not None:
                return known
            await self._spendings.note(tx, request.order_id, request.user_id, is_spent=True)
            for share in request.shares:
                amount_minor = share.amount.amount_minor
                card = held.get(share.card_id)
                if card is None or card.currency != share.amount.currency:
                    raise UnknownGiftCard
                require_no_obstacle(card, amount_minor, now_ms)
                held[share.card_id] = await self._cards.move(tx, card, -amount_minor, why=why)
                spending = Spending(card.card_id, amount_minor)
                await self._spendings.add(tx, request.order_id, spending)
            return True

        return await self._database.transaction(work)

    async def undo(self, request: SpendGiftCards) -> None:
        """See GiftCardService.undo_spending."""
        now_ms = self._clock.now_ms()
        why = Why(Kind.UNDONE, now_ms, request.order_id)

        async def work(tx: Tx) -> None:
            held = await self._cards.hold(tx, [share.card_id for share in request.shares])
            if await self._spendings.is_spent(tx, request.order_id) is False:
                return
            await self._spendings.note(tx, request.order_id, request.user_id, is_spent=False)
            back = list[Money]()
            for spending in await self._spendings.of_order(tx, request.order_id):
                if left_minor := spending.left_minor:
                    card = await self._credit(tx, held[spending.card_id], left_minor, why=why)
                    await self._spendings.save(tx, request.order_id, spending.undone())
                    back.append(Money(left_minor, card.currency))
            await announce(tx, request.order_id, back, at_ms=now_ms)

        await self._database.transaction(work)

    async def give_back(self, request: ReturnToGiftCards) -> None:
        """See GiftCardService.return_to_cards."""
        now_ms = self._clock.now_ms()
        order_id, refund_id = request.order_id, request.refund_id
        why = Why(Kind.RETURNED, now_ms, order_id, reason=refund_id)
        back = [Share(share.card_id, share.amount.amount_minor) for share in request.shares]

        async def work(tx: Tx) -> None:
            held = await self._cards.hold(tx, [card_id for card_id, _ in back])
            if await self._spendings.is_returned(tx, refund_id):
                return
            spent = {one.card_id: one for one in await self._spendings.of_order(tx, order_id)}
            for card_id, amount_minor in back:
                spending = spent.get(card_id, Spending(card_id, 0))
                if amount_minor > spending.left_minor:
                    raise MoreThanSpent(f"{spending.left_minor} minor units are left of {card_id}")
                held[card_id] = await self._credit(tx, held[card_id], amount_minor, why=why)
                spent[card_id] = spending.returned(amount_minor)
                await self._spendings.save(tx, order_id, spent[card_id])
            await self._spendings.add_return(tx, order_id, refund_id, back=back)
            amounts = [share.amount for share in request.shares]
            await announce(tx, order_id, amounts, at_ms=now_ms, refund_id=refund_id)

        await self._database.transaction(work)

    async def _credit(self, tx: Tx, card: Card, amount_minor: int, *, why: Why) -> Card:
        """Money comes back to a card that is held: what it lost by expiring does not."""
        card = await write_off_overdue(tx, self._cards, card, now_ms=why.at_ms)
        return await self._cards.move(tx, card.revived(why.at_ms), amount_minor, why=why)


def _found(card: Card) -> FoundGiftCard:
    balance = Money(card.balance_minor, card.currency)
    return FoundGiftCard(card_id=card.card_id, ending=card.ending, balance=balance)

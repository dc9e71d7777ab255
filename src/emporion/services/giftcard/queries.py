"""What can be asked about gift cards."""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts import giftcard as contract
from emporion.contracts.giftcard_refusals import NoGiftCardKey, UnknownGiftCard
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import GIFT_CARD, has_prefix
from emporion.kernel.money import Money
from emporion.services.giftcard.domain import (
    FOREVER_MS,
    Card,
    CodeKey,
    Entry,
    Status,
    normal_code,
)
from emporion.services.giftcard.ports import CardStore, PageOfCards

_NEWEST = 2**63 - 1
_DIGITS_MAX = 18


class Queries:
    """Reads of what is committed."""

    def __init__(self, database: Database, cards: CardStore, *, clock: Clock, key: CodeKey) -> None:
        self._database = database
        self._cards = cards
        self._clock = clock
        self._key = key

    async def card(self, card_id: str) -> contract.GiftCard:
        """See GiftCardService.get_card."""

        async def work(tx: Tx) -> Card:
            return await self._known(tx, card_id)

        return self.view(await self._database.read(work))

    async def cards(self, request: contract.ListGiftCards) -> contract.GiftCardPage:
        """See GiftCardService.list_cards."""
        if request.cursor and not has_prefix(request.cursor, GIFT_CARD):
            raise UnknownCursor
        status = Status(request.status.value) if request.status else None
        wanted = PageOfCards(status, request.currency, request.cursor, request.limit + 1)

        async def work(tx: Tx) -> list[Card]:
            return await self._cards.page(tx, wanted)

        found = await self._database.read(work)
        page = found[: request.limit]
        return contract.GiftCardPage(
            cards=[self.view(card) for card in page],
            next_cursor=page[-1].card_id if len(found) > len(page) else "",
        )

    async def entries(self, request: contract.ListGiftCardEntries) -> contract.GiftCardEntries:
        """See GiftCardService.list_entries."""
        below = _below(request.cursor)

        async def work(tx: Tx) -> tuple[Card, list[Entry]]:
            card = await self._known(tx, request.card_id)
            entries = await self._cards.entries(
                tx, request.card_id, below=below, limit=request.limit + 1
            )
            return card, entries

        card, found = await self._database.read(work)
        page = found[: request.limit]
        return contract.GiftCardEntries(
            entries=[_entry(entry, card.currency) for entry in page],
            next_cursor=str(page[-1].version) if len(found) > len(page) else "",
        )

    async def balance(self, code: str) -> contract.GiftCardBalance:
        """See GiftCardService.card_balance."""
        if not self._key.is_set:
            raise NoGiftCardKey
        code_hash = self._key.hash(normal_code(code))

        async def work(tx: Tx) -> Card | None:
            return await self._cards.of_code(tx, code_hash)

        card = await self._database.read(work)
        if card is None:
            raise UnknownGiftCard
        told = self.view(card)
        return contract.GiftCardBalance(
            ending=told.ending,
            status=told.status,
            balance=told.balance,
            expires_at=told.expires_at,
        )

    def view(self, card: Card) -> contract.GiftCard:
        """A card as staff see it, now."""
        expires_at_ms = card.expires_at_ms
        return contract.GiftCard(
            card_id=card.card_id,
            ending=card.ending,
            status=contract.GiftCardStatus(card.standing(self._clock.now_ms()).value),
            balance=Money(card.balance_minor, card.currency),
            expires_at=to_datetime(expires_at_ms) if expires_at_ms < FOREVER_MS else None,
            note=card.note,
            issued_at=to_datetime(card.issued_at_ms),
            issued_by=card.issued_by,
        )

    async def _known(self, tx: Tx, card_id: str) -> Card:
        card = await self._cards.find(tx, card_id)
        if card is None:
            raise NotFound(f"there is no gift card {card_id}")
        return card


def _below(cursor: str) -> int:
    if not cursor:
        return _NEWEST
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS_MAX):
        raise UnknownCursor
    return int(cursor)


def _entry(entry: Entry, currency: str) -> contract.GiftCardEntry:
    why = entry.why
    return contract.GiftCardEntry(
        kind=contract.GiftCardEntryKind(why.kind.value),
        amount=Money(entry.amount_minor, currency),
        balance=Money(entry.balance_minor, currency),
        order_id=why.order_id,
        reason=why.reason,
        actor=why.actor,
        at=to_datetime(why.at_ms),
    )

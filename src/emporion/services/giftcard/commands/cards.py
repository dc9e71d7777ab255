"""What staff do with gift cards: issue, block, adjust; and what time does: expire."""

from datetime import datetime

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.idempotency import FingerprintDiffers, once
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.giftcard import AdjustGiftCard, IssueGiftCard, VoidGiftCard
from emporion.contracts.giftcard_refusals import BadGiftCard, NoGiftCardKey
from emporion.contracts.refusals import KeyReused
from emporion.kernel.clock import to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import GIFT_CARD, GiftCardId
from emporion.services.giftcard.commands.expiring import write_off_overdue
from emporion.services.giftcard.commands.obstacles import require_no_obstacle
from emporion.services.giftcard.domain import (
    BALANCE_MINOR_MAX,
    FOREVER_MS,
    Card,
    CodeKey,
    Kind,
    Status,
    Why,
    ending,
    new_code,
)
from emporion.services.giftcard.ports import CardStore

EXPIRED_BATCH = 100
_SECRET_BYTES = 20


class CardCommands:
    """Changes of cards that no order asks for."""

    def __init__(
        self, database: Database, cards: CardStore, *, runtime: Runtime, key: CodeKey
    ) -> None:
        self._database = database
        self._cards = cards
        self._runtime = runtime
        self._key = key

    async def issue(self, request: IssueGiftCard, actor: str) -> tuple[Card, str]:
        """See GiftCardService.issue_card; the card and its code, in one piece."""
        if not self._key.is_set:
            raise NoGiftCardKey
        now_ms = self._runtime.clock.now_ms()
        code = new_code(self._runtime.random.token(_SECRET_BYTES))
        card = Card(
            GiftCardId(self._runtime.ids.new(GIFT_CARD)),
            self._key.hash(code),
            ending(code),
            request.amount.currency,
            _worth(request.amount.amount_minor),
            Status.ACTIVE,
            _expiry_ms(request.expires_at, now_ms),
            version=1,
            note=request.note,
            issued_at_ms=now_ms,
            issued_by=actor,
        )
        why = Why(Kind.ISSUED, now_ms, reason=request.note, actor=actor)
        await self._database.transaction(lambda tx: self._cards.add(tx, card, why))
        return card, code

    async def void(self, request: VoidGiftCard, actor: str) -> Card:
        """See GiftCardService.void_card."""
        why = Why(Kind.VOIDED, self._runtime.clock.now_ms(), reason=request.reason, actor=actor)

        async def work(tx: Tx) -> Card:
            card = await self._held(tx, request.card_id)
            if card.status is Status.VOID and not card.balance_minor:
                return card
            void = card._replace(status=Status.VOID)
            return await self._cards.move(tx, void, -card.balance_minor, why=why)

        return await self._database.transaction(work)

    async def adjust(self, request: AdjustGiftCard, actor: str) -> Card:
        """See GiftCardService.adjust_card."""
        amount, now_ms = request.amount, self._runtime.clock.now_ms()
        if not amount.amount_minor:
            raise BadGiftCard("an adjustment changes something", field="amount")
        why = Why(Kind.ADJUSTED, now_ms, reason=request.reason, actor=actor)
        key = f"adjust:{request.card_id}:{request.idempotency_key}"
        content = f"{amount.amount_minor} {amount.currency} {request.reason}".encode()

        async def work(tx: Tx) -> Card:
            held = await self._held(tx, request.card_id)

            async def move() -> None:
                _require_fit(held, request, now_ms)
                await self._cards.move(tx, held, amount.amount_minor, why=why)

            await once(tx, key, content, now_ms=now_ms, work=move)
            return await self._held(tx, request.card_id)

        try:
            return await self._database.transaction(work)
        except FingerprintDiffers as error:
            raise KeyReused from error

    async def expire_due(self) -> int | None:
        """Write off what is on cards whose time is over; when the next one's is (ms)."""
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> int | None:
            overdue = await self._cards.overdue(tx, now_ms, EXPIRED_BATCH)
            for card in (await self._cards.hold(tx, overdue)).values():
                await write_off_overdue(tx, self._cards, card, now_ms=now_ms)
            return await self._cards.next_expiry_ms(tx)

        return await self._database.transaction(work)

    async def _held(self, tx: Tx, card_id: str) -> Card:
        held = await self._cards.hold(tx, [card_id])
        if card_id not in held:
            raise NotFound(f"there is no gift card {card_id}")
        return held[card_id]


def _worth(amount_minor: int) -> int:
    if not 0 < amount_minor <= BALANCE_MINOR_MAX:
        raise BadGiftCard(f"a card is worth 1 to {BALANCE_MINOR_MAX} minor units", field="amount")
    return amount_minor


def _expiry_ms(expires_at: datetime | None, now_ms: int) -> int:
    expires_at_ms = FOREVER_MS if expires_at is None else to_instant_ms(expires_at)
    if expires_at_ms <= now_ms:
        raise BadGiftCard("it would have expired already", field="expires_at")
    return expires_at_ms


def _require_fit(card: Card, request: AdjustGiftCard, now_ms: int) -> None:
    amount = request.amount
    if amount.currency != card.currency:
        raise BadGiftCard(f"the card is in {card.currency}", field="amount")
    if card.balance_minor + amount.amount_minor > BALANCE_MINOR_MAX:
        raise BadGiftCard(f"a card holds at most {BALANCE_MINOR_MAX}", field="amount")
    require_no_obstacle(card, -amount.amount_minor, now_ms)

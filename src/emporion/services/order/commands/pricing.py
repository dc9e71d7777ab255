"""What an order costs today, who pays how much of it, and why: before anything is done."""

from collections.abc import Sequence

from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.catalog import CatalogService, UnknownSku
from emporion.contracts.giftcard import (
    FindGiftCards,
    FoundGiftCard,
    GiftCardService,
    GiftCardShare,
)
from emporion.contracts.giftcard_refusals import UNPAYABLE
from emporion.contracts.inventory import Line
from emporion.contracts.order import PricedLine
from emporion.contracts.order_carts import GiftCardPays, Ordering, SplitTotal, TotalSplit
from emporion.contracts.payment_tokens import NoPaymentToken
from emporion.contracts.pricing import (
    BasketQuote,
    CodeNotApplicable,
    CodeUsedUp,
    DetailKind,
    NoDelivery,
    PriceDetail,
    QuoteBasket,
    UnknownCode,
)
from emporion.contracts.pricing import PricedLine as Quoted
from emporion.kernel.errors import InvalidArgument
from emporion.kernel.ids import ORDER, GiftCardId, OrderId, UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order.commands.steps import TakeOrder
from emporion.services.order.domain import CARD_NAMED, Share, shares_of

UNPRICED = (
    NoPaymentToken,
    UnknownSku,
    CurrencyMismatch,
    UnknownCode,
    CodeNotApplicable,
    CodeUsedUp,
    NoDelivery,
    *UNPAYABLE,
)
"""Why a basket has no price today, or cannot be paid like that."""


class Pricing:
    """Asks the catalogue for prices, and for gift cards only when an order names some."""

    def __init__(self, runtime: Runtime, catalog: CatalogService, cards: GiftCardService) -> None:
        self._runtime = runtime
        self._catalog = catalog
        self._cards = cards

    async def priced(self, lines: Sequence[Line], request: Ordering, user_id: UserId) -> TakeOrder:
        """A new order at today's prices. Raises what is in UNPRICED."""
        quote = await self._catalog.quote_basket(
            QuoteBasket(
                user_id=user_id,
                lines=list(lines),
                codes=request.codes,
                country=request.country,
                delivery=request.delivery,
            )
        )
        found = await self._found(request.gift_cards, user_id) if request.gift_cards else ()
        shares = _shares(found, quote.total) if found else []
        if not request.payment_token:
            _require_paid(quote.total, shares)
        return TakeOrder(
            order_id=OrderId(self._runtime.ids.new(ORDER)),
            user_id=user_id,
            lines=[_line(line) for line in quote.lines],
            total=quote.total,
            payment_token=request.payment_token,
            created_at_ms=self._runtime.clock.now_ms(),
            details=_explained(quote, shares, found) if shares else quote.details,
            counted=quote.counted,
            cards=shares,
        )

    async def split(self, request: SplitTotal, user_id: UserId) -> TotalSplit:
        """See OrderService.split_total."""
        if request.total.amount_minor < 0:
            raise InvalidArgument("a total is not below zero", field="total")
        found = await self._found(request.gift_cards, user_id)
        shares = {share.card_id: share.amount for share in _shares(found, request.total)}
        nothing = Money.zero(request.total.currency)
        return TotalSplit(
            cards=[
                GiftCardPays(
                    ending=card.ending,
                    balance=card.balance,
                    pays=shares.get(card.card_id, nothing),
                )
                for card in found
            ],
            rest=_rest(request.total, list(shares.values())),
        )

    async def _found(self, codes: list[str], user_id: UserId) -> Sequence[FoundGiftCard]:
        found = await self._cards.find_cards(FindGiftCards(user_id=user_id, codes=codes))
        return found.cards


def shares_in(details: Sequence[PriceDetail]) -> list[GiftCardShare]:
    """What gift cards paid, as the explanation of a total tells it."""
    return [
        GiftCardShare(card_id=GiftCardId(detail.ref), amount=detail.amount)
        for detail in details
        if detail.kind is DetailKind.GIFT_CARD
    ]


def _require_paid(total: Money, shares: Sequence[GiftCardShare]) -> None:
    """Raises NoPaymentToken when gift cards do not pay all of it."""
    left = _rest(total, [share.amount for share in shares])
    if left.amount_minor:
        raise NoPaymentToken(f"{left} is left to pay", left=str(left))


def _rest(total: Money, paid: Sequence[Money]) -> Money:
    return Money(total.amount_minor - sum(each.amount_minor for each in paid), total.currency)


def _shares(found: Sequence[FoundGiftCard], total: Money) -> list[GiftCardShare]:
    """Raises CurrencyMismatch for a card in another currency."""
    for card in found:
        if card.balance.currency != total.currency:
            raise CurrencyMismatch(
                f"the gift card that ends in {card.ending} is in {card.balance.currency}"
            )
    balances = [Share(card.card_id, card.balance.amount_minor) for card in found]
    return [
        GiftCardShare(card_id=card_id, amount=Money(minor, total.currency))
        for card_id, minor in shares_of(total.amount_minor, balances)
    ]


def _explained(
    quote: BasketQuote, shares: Sequence[GiftCardShare], found: Sequence[FoundGiftCard]
) -> list[PriceDetail]:
    """The explanation of the total, with who pays how much of it at its end."""
    goods = PriceDetail(kind=DetailKind.GOODS, name="", ref="", amount=quote.total)
    endings = {card.card_id: card.ending for card in found}
    return [
        *(quote.details or [goods]),
        *(
            PriceDetail(
                kind=DetailKind.GIFT_CARD,
                name=f"{CARD_NAMED}{endings[share.card_id]}",
                ref=share.card_id,
                amount=share.amount,
                is_included=True,
            )
            for share in shares
        ),
    ]


def _line(line: Quoted) -> PricedLine:
    return PricedLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        off=line.off,
        tax=line.tax,
    )

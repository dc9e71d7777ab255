"""Gift cards at the checkout: which ones, what each pays, and what is left to be paid otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emporion.contracts.giftcard_refusals import UNPAYABLE, UnknownGiftCard
from emporion.contracts.order import OrderService
from emporion.contracts.order_carts import SplitTotal
from emporion.kernel.errors import EmporionError, InvalidArgument, ResourceExhausted
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.web.forms import message
from emporion.web.visit import Visit

CARDS_MAX: Final = 5
CODE_LETTERS: Final = 20
ENDING_LETTERS: Final = 4
REFUSED: Final = (*UNPAYABLE, CurrencyMismatch, InvalidArgument)
_LIKE: Final = str.maketrans("OIL", "011", " -")


@dataclass(frozen=True, slots=True)
class CardShown:
    """A card of the form. Without amounts it is not known now what became of it."""

    code: str
    ending: str
    balance: Money | None = None
    pays: Money | None = None


@dataclass(frozen=True, slots=True)
class Tender:
    """Cards that pay, what they leave, and what is wrong with one that does not pay."""

    cards: Sequence[CardShown]
    rest: Money
    wrong: str = ""

    @property
    def codes(self) -> list[str]:
        """The codes of the cards, as an order names them."""
        return [card.code for card in self.cards]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be paid otherwise."""
        return bool(self.cards) and not self.rest.amount_minor


def normal(code: str) -> str:
    """A code as it is compared: without gaps, and without letters that look like digits."""
    return code.upper().translate(_LIKE)


def codes_in(values: Sequence[str], *, without: str) -> tuple[str, ...]:
    """The codes that a form carries, each once, without the card that ends like that."""
    codes = dict.fromkeys(normal(value) for value in values if len(normal(value)) == CODE_LETTERS)
    kept = [code for code in codes if not without or code[-ENDING_LETTERS:] != without]
    return tuple(kept[:CARDS_MAX])


def unsure(codes: Sequence[str], rest: Money) -> Tender:
    """The cards of a form whose order may have spent them already: nothing is asked."""
    return Tender([CardShown(code, code[-ENDING_LETTERS:]) for code in codes], rest)


async def tendered(visit: Visit, codes: Sequence[str], typed: str, *, total: Money) -> Tender:
    """What the cards pay of a total; a code that was just typed comes last.

    A card that cannot pay is left out, and said. Raises Unavailable and its like.
    """
    new = normal(typed)
    wanted, wrong = [code for code in codes if code != new], ""
    if new:
        wrong = _unlike(new, wanted)
        wanted += [] if wrong else [new]
    while wanted and total.amount_minor:
        try:
            split = await visit.ask(OrderService).split_total(
                message(
                    SplitTotal,
                    total={"amount_minor": total.amount_minor, "currency": total.currency},
                    gift_cards=wanted,
                )
            )
        except ResourceExhausted as error:
            return Tender(unsure(codes, total).cards, total, wrong or _said(error))
        except REFUSED as error:
            wrong = _said(error)
            wanted = _without(wanted, error, new)
            new = ""
        else:
            shown = [
                CardShown(code, card.ending, card.balance, card.pays)
                for code, card in zip(wanted, split.cards, strict=True)
            ]
            return Tender(shown, split.rest, wrong)
    return Tender(unsure(wanted, total).cards, total, wrong)


def _unlike(code: str, others: Sequence[str]) -> str:
    """Why this cannot be one more code; empty when it can."""
    if len(code) != CODE_LETTERS or not (code.isascii() and code.isalnum()):
        return f"A code has {CODE_LETTERS} letters and digits."
    if len(others) >= CARDS_MAX:
        return f"At most {CARDS_MAX} gift cards pay an order."
    return ""


def _without(codes: Sequence[str], refusal: EmporionError, new: str) -> list[str]:
    """The cards that are left: without the one that is named, or the new one, or any."""
    ending = str(refusal.fields.get("card", ""))
    if ending:
        return [code for code in codes if code[-ENDING_LETTERS:] != ending]
    return [code for code in codes if code != new] if new else []


def _said(refusal: EmporionError) -> str:
    ending = str(refusal.fields.get("card", ""))
    if ending:
        return f"{refusal.title} (it ends in {ending})."
    if isinstance(refusal, CurrencyMismatch):
        return f"{refusal.detail[:1].upper()}{refusal.detail[1:]}."
    if isinstance(refusal, UnknownGiftCard):
        return f"{refusal.title}. Look whether it is typed as it is printed."
    return f"{refusal.title}."

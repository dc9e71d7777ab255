"""Refusals in words, for the page on which they happen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emporion.contracts.inventory import OutOfStock
from emporion.contracts.order import CalledOff
from emporion.contracts.order_carts import CartChanged
from emporion.contracts.payment import PaymentDeclined
from emporion.kernel.errors import EmporionError, ResourceExhausted
from emporion.kernel.ids import Sku
from emporion.web.storefront.pricing import Priced


@dataclass(frozen=True, slots=True)
class Said:
    """What happened, what it means, and details as a list."""

    title: str
    text: str
    details: tuple[str, ...] = ()


_KEPT: Final = "Nothing was charged, and your cart is as it was."


def said_of(refusal: EmporionError, priced: Priced) -> Said:
    """What to say about a refused order."""
    if not refusal.is_outcome_known:
        return _UNKNOWN
    if isinstance(refusal, OutOfStock):
        return Said("Not everything is there any more", _KEPT, _shortages(refusal, priced))
    return _WORDS.get(type(refusal)) or Said(refusal.title, f"{refusal.detail}. {_KEPT}")


SPLIT_ANEW: Final = Said(
    "Your gift cards pay something else than before",
    "Look at what is left to pay; nothing has been ordered yet.",
)
"""Somebody spent from a card, or the price changed, since the page was shown."""
_UNKNOWN: Final = Said(
    "We do not know yet whether the order went through",
    "Send it again: it is recognised, and made and paid once only.",
)
_WORDS: Final[Mapping[type[EmporionError], Said]] = {
    PaymentDeclined: Said("The payment was declined", f"{_KEPT} Try another way to pay."),
    CartChanged: Said(
        "Your cart has changed since this page was shown",
        "Look through it once more; nothing has been ordered yet.",
    ),
    CalledOff: Said("The order was called off", _KEPT),
    ResourceExhausted: Said(
        "Very many people are ordering right now", f"{_KEPT} Try again in a moment."
    ),
}


def _shortages(refusal: OutOfStock, priced: Priced) -> tuple[str, ...]:
    """What is short, by its name: `Croissant: 3 left, 5 wanted`."""
    names = {line.sku: line.priced.name for line in priced.lines if line.priced is not None}
    shortages = refusal.fields.get("shortages")
    if not isinstance(shortages, list | tuple):
        return ()
    return tuple(
        f"{names.get(Sku(str(it['sku'])), it['sku'])}: "
        f"{it['available']} left, {it['wanted']} wanted"
        for it in shortages
        if isinstance(it, dict)
    )

"""How the total of an order is split: gift cards first, the payment method the rest."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from emporion.kernel.ids import GiftCardId


class Share(NamedTuple):
    """What a gift card pays, or gets back."""

    card_id: GiftCardId
    amount_minor: int


def shares_of(total_minor: int, balances: Iterable[Share]) -> tuple[Share, ...]:
    """What each card pays of a total, given its balance: the first ones whole, the last in part.

    Together never more than the total, and less only when every card is used up.
    """
    shares, left_minor = list[Share](), total_minor
    for card_id, balance_minor in balances:
        share_minor = min(balance_minor, left_minor)
        if share_minor:
            shares.append(Share(card_id, share_minor))
        left_minor -= share_minor
    return tuple(shares)


def total_of_shares(shares: Sequence[Share]) -> int:
    """What the cards pay together."""
    return sum(share.amount_minor for share in shares)

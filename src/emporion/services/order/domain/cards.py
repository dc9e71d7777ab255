"""What gift cards pay of an order, and what of a refund goes back to them.

Cards pay first, in the order in which they are named; the payment method pays the rest. Money goes
back the other way round: to the payment method as far as it was charged and has not got it back,
then to the cards, the last one first. So a card never gets more than it gave, and neither does the
payment method; and when all of an order comes back, each has exactly what it gave.
"""

from collections.abc import Iterable, Sequence

from emporion.kernel.ids import GiftCardId
from emporion.services.order.domain.events import Detail, Share
from emporion.services.order.domain.returns import Return

CARD_NAMED = "Gift card that ends in "
"""How the detail of a card is named, before the last four characters of its code."""
GIFT_CARD = "gift_card"
"""The kind of detail that says what a card paid."""


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


def total_of_shares(shares: Iterable[Share]) -> int:
    """What the cards pay, or get back, together."""
    return sum(share.amount_minor for share in shares)


def shares_paid(details: Iterable[Detail]) -> tuple[Share, ...]:
    """What cards paid, as the explanation of a total tells it."""
    return tuple(
        Share(GiftCardId(detail.ref), detail.amount.amount_minor)
        for detail in details
        if detail.kind == GIFT_CARD
    )


def shares_back(
    refund_minor: int, *, total_minor: int, paid: Sequence[Share], returns: Iterable[Return]
) -> tuple[Share, ...]:
    """What of a refund goes back to cards, given what they paid of a total, and other returns."""
    charged_minor = total_minor - total_of_shares(paid)
    left = dict(paid)
    for other in returns:
        charged_minor -= other.refund_minor - total_of_shares(other.to_cards)
        for card_id, minor in other.to_cards:
            left[card_id] -= minor
    rest_minor = refund_minor - min(refund_minor, charged_minor)
    return shares_of(rest_minor, [Share(card_id, left[card_id]) for card_id in reversed(left)])

"""Why a gift card is refused: refusals of `contracts.giftcard`."""

from emporion.kernel.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)


class UnknownGiftCard(NotFound):
    """There is no gift card with this code."""

    slug = "unknown-gift-card"
    title = "There is no gift card with this code"


class GiftCardExpired(FailedPrecondition):
    """The card was good until an instant that has passed (field `card`: how its code ends)."""

    slug = "gift-card-expired"
    title = "The gift card has expired"


class GiftCardVoid(FailedPrecondition):
    """The shop has blocked the card (field `card`: how its code ends)."""

    slug = "gift-card-void"
    title = "The gift card is blocked"


class GiftCardNotEnough(FailedPrecondition):
    """The card holds nothing, or less than what is to be taken from it.

    The field `card` says how its code ends. An order that meets this was counted with a balance
    that somebody else has spent since: ask for the balance, and order again.
    """

    slug = "gift-card-not-enough"
    title = "There is not enough on the gift card"


class BadGiftCard(InvalidArgument):
    """A card that nobody could spend, or a change of nothing (field `field`)."""

    slug = "bad-gift-card"
    title = "The gift card cannot be like this"


class MoreThanSpent(FailedPrecondition):
    """More would go back to a card than its order took from it and has not got back."""

    slug = "more-than-spent"
    title = "This is more than was spent from the gift card"


class TooManyCodes(ResourceExhausted):
    """Somebody tried codes that do not exist; `retry_after_s` says for how long they wait."""

    slug = "too-many-gift-card-codes"
    title = "Too many gift card codes were tried; wait a moment"


class NoGiftCardKey(FailedPrecondition):
    """The shop has no key to keep codes with: gift cards are off until it has one."""

    slug = "no-gift-card-key"
    title = "Gift cards are not set up"


UNUSABLE = (UnknownGiftCard, GiftCardExpired, GiftCardVoid, GiftCardNotEnough)
"""Why a card cannot be spent."""
UNPAYABLE = (*UNUSABLE, TooManyCodes, NoGiftCardKey)
"""Why nothing can be paid with the codes that somebody gives."""

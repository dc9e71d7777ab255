"""Why a card cannot be spent, in the words of the contract."""

from emporion.contracts.giftcard_refusals import GiftCardExpired, GiftCardNotEnough, GiftCardVoid
from emporion.kernel.errors import FailedPrecondition
from emporion.services.giftcard.domain import Card, Obstacle

_REFUSALS: dict[Obstacle, type[FailedPrecondition]] = {
    Obstacle.EXPIRED: GiftCardExpired,
    Obstacle.VOID: GiftCardVoid,
    Obstacle.NOT_ENOUGH: GiftCardNotEnough,
}


def require_no_obstacle(card: Card, amount_minor: int, now_ms: int) -> None:
    """Raises GiftCardExpired, GiftCardVoid, or GiftCardNotEnough to take so much off the card."""
    obstacle = card.obstacle(amount_minor, now_ms)
    if obstacle is not None:
        raise _REFUSALS[obstacle](f"the card that ends in {card.ending}", card=card.ending)

"""How a card expires: what was on it is written off."""

from emporion.chassis.data.database import Tx
from emporion.services.giftcard.domain import Card, Kind, Status, Why
from emporion.services.giftcard.ports import CardStore


async def write_off_overdue(tx: Tx, cards: CardStore, card: Card, *, now_ms: int) -> Card:
    """A card that is held, after its expiry is written down if that is due; raises as `move`."""
    if not card.is_overdue(now_ms):
        return card
    expired = card._replace(status=Status.EXPIRED)
    return await cards.move(tx, expired, -card.balance_minor, why=Why(Kind.EXPIRED, now_ms))

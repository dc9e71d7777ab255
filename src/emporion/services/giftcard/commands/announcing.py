"""What is announced when money goes back to gift cards."""

from collections.abc import Sequence

from emporion.chassis.data.database import Tx
from emporion.contracts.giftcard import GiftCardsRefunded
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import OrderId
from emporion.kernel.money import Money


async def announce(
    tx: Tx, order_id: OrderId, amounts: Sequence[Money], *, at_ms: int, refund_id: str = ""
) -> None:
    """Money went back to an order's cards: all of it, or by that refund. Nothing is no news."""
    if not amounts:
        return
    await tx.publish(
        GiftCardsRefunded(
            order_id=order_id,
            refund_id=refund_id,
            amount=sum(amounts[1:], amounts[0]),
            refunded_at=to_datetime(at_ms),
        )
    )

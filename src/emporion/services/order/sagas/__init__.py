"""Transactions over several services: taking an order, calling one off, refunding a return."""

from emporion.services.order.sagas.orders import (
    cancel_gift_card_order,
    cancel_order,
    create_gift_card_order,
    create_order,
    create_promoted_order,
)
from emporion.services.order.sagas.returns import refund_gift_card_return, refund_return

__all__ = [
    "cancel_gift_card_order",
    "cancel_order",
    "create_gift_card_order",
    "create_order",
    "create_promoted_order",
    "refund_gift_card_return",
    "refund_return",
]

"""How far an order is, in words and steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emporion.contracts.order import Order, OrderSummary
from emporion.contracts.order_desk import OrderStatus

STEPS: Final = ("Placed", "Paid", "On its way", "Delivered")


@dataclass(frozen=True, slots=True)
class Progress:
    """What to say of a status.

    Args:
        badge: a word or two.
        title, text: a sentence as a heading, and what it means.
        kind: `right`, `wait` or `wrong`, for the colour of the badge beside its word.
        steps: how many of STEPS are done; 0: the steps do not apply any more.
    """

    badge: str
    title: str
    text: str
    kind: str
    steps: int


_WORDS: Final[Mapping[OrderStatus, Progress]] = {
    OrderStatus.PENDING: Progress(
        "Being settled",
        "We are settling your order",
        "Stock and payment are being confirmed. This page follows by itself.",
        "wait",
        1,
    ),
    OrderStatus.CANCELLING: Progress(
        "Being called off",
        "We are calling your order off",
        "What was begun for it is being undone.",
        "wait",
        0,
    ),
    OrderStatus.PAID: Progress(
        "Paid",
        "Thank you: your order is paid",
        "It is being packed. A confirmation is on its way to your mailbox.",
        "right",
        2,
    ),
    OrderStatus.PARTLY_SHIPPED: Progress(
        "Partly on its way", "A part of your order is on its way", "The rest follows.", "right", 3
    ),
    OrderStatus.SHIPPED: Progress(
        "On its way", "Your order is on its way", "All of it has left.", "right", 3
    ),
    OrderStatus.DELIVERED: Progress(
        "Delivered", "Your order has arrived", "All of it was delivered.", "right", 4
    ),
    OrderStatus.REJECTED: Progress(
        "Not fulfilled",
        "Your order could not be fulfilled",
        "Nothing is held for it and nothing was charged.",
        "wrong",
        0,
    ),
    OrderStatus.CANCELLED: Progress(
        "Called off", "Your order was called off", "The money goes back to you.", "wrong", 0
    ),
    OrderStatus.RETURNED: Progress(
        "Returned", "Everything came back to us", "Its money is being given back.", "wait", 0
    ),
    OrderStatus.REFUNDED: Progress(
        "Refunded", "Your money was given back", "Everything came back to us.", "right", 0
    ),
}
_OVER: Final = frozenset(
    {
        OrderStatus.DELIVERED,
        OrderStatus.REJECTED,
        OrderStatus.CANCELLED,
        OrderStatus.REFUNDED,
    }
)


def progress_of(order: Order | OrderSummary) -> Progress:
    """What to say of an order."""
    return _WORDS[order.status]


def is_over(order: Order) -> bool:
    """Whether nothing more is to be expected while somebody looks on."""
    return order.status in _OVER

"""Where orders stand, and how staff find them: messages of `contracts.order`."""

from enum import StrEnum

from emporion.contracts.contract import Message, Reply, Request
from emporion.contracts.words import Cursor, Instant, OrderId, PageSize, UserId
from emporion.kernel.money import Money

SCANNED_MAX = 20_000
"""So many orders are looked at for one page."""


class OrderStatus(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    """Taken, not decided yet: stock or payment is being settled."""
    CANCELLING = "cancelling"
    """Called off before it was decided: what was done for it is being undone."""
    PAID = "paid"
    """Stock is held and the money is captured."""
    REJECTED = "rejected"
    """Could not be fulfilled; `refusal` says why. Nothing is held, nothing was charged."""
    CANCELLED = "cancelled"
    """Called off after it was paid; the money is (being) refunded."""
    PARTLY_SHIPPED = "partly_shipped"
    """Some of its units have left."""
    SHIPPED = "shipped"
    """All of its units have left."""
    DELIVERED = "delivered"
    """All of its units have arrived."""
    RETURNED = "returned"
    """All of its units came back; their money is being given back."""
    REFUNDED = "refunded"
    """All of its units came back, and all of its money was given back."""


class FindOrders(Request, frozen=True, kw_only=True):
    """Which of everybody's orders, newest first; every condition that is given has to hold.

    `since` and `until`: begun from then on, and before then.
    """

    status: OrderStatus | None = None
    user_id: UserId | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class FoundOrder(Message, frozen=True, kw_only=True):
    """An order in a list, with whose it is."""

    order_id: OrderId
    user_id: UserId
    status: OrderStatus
    total: Money
    units: int
    created_at: Instant
    updated_at: Instant


class FoundOrders(Reply, frozen=True, kw_only=True):
    """A page of orders.

    At most 20,000 orders are looked at for one: it may be short, even empty, and `next_cursor`
    still go on. That is empty on the last one.
    """

    orders: list[FoundOrder]
    next_cursor: str

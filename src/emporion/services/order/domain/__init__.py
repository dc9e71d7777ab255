"""The rules of orders and carts."""

from emporion.services.order.domain.carts import LINES_MAX, UNITS_PER_LINE_MAX, is_overfull
from emporion.services.order.domain.events import (
    SOLD,
    Cancelled,
    Cleared,
    Created,
    Delivered,
    OrderEvent,
    OrderLine,
    Paid,
    PartlyDelivered,
    PartlyShipped,
    Rejected,
    Shipped,
    Status,
    Units,
)
from emporion.services.order.domain.order import EmptyOrder, NotOrdered, Order, Priced, total_of

__all__ = [
    "LINES_MAX",
    "SOLD",
    "UNITS_PER_LINE_MAX",
    "Cancelled",
    "Cleared",
    "Created",
    "Delivered",
    "EmptyOrder",
    "NotOrdered",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Paid",
    "PartlyDelivered",
    "PartlyShipped",
    "Priced",
    "Rejected",
    "Shipped",
    "Status",
    "Units",
    "is_overfull",
    "total_of",
]

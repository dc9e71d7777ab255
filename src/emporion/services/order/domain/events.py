"""What happens to an order, and where it then stands."""

from enum import StrEnum
from typing import NamedTuple

from emporion.kernel.ids import GiftCardId, ReturnId, ShipmentId, Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.kernel.value import Value


class Status(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    PENDING = "pending"
    CANCELLING = "cancelling"
    PAID = "paid"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    REFUNDED = "refunded"


SOLD = (
    Status.PAID,
    Status.PARTLY_SHIPPED,
    Status.SHIPPED,
    Status.DELIVERED,
    Status.RETURNED,
    Status.REFUNDED,
)
"""The statuses of an order that has, or had, its stock, and whose money was kept."""


class OrderLine(Value, frozen=True, gc=False, omit_defaults=True):
    """So many units of a SKU at the price of the day.

    Args:
        off_minor: what promotions took off.
        tax_minor: the tax in its price, or on top of it.
        total_minor: what is paid for the line; None: the units at their price.
    """

    sku: Sku
    name: str
    quantity: int
    unit_price: Money
    off_minor: int = 0
    tax_minor: int = 0
    total_minor: int | None = None

    @property
    def total(self) -> Money:
        """What is paid for it."""
        if self.total_minor is None:
            return self.unit_price.times(self.quantity)
        return Money(self.total_minor, self.unit_price.currency)


class Detail(Value, frozen=True, gc=False):
    """A line of the explanation of a total; it is part of it unless it is included elsewhere."""

    kind: str
    name: str
    ref: str
    amount: Money
    is_included: bool


class Created(Value, frozen=True, gc=False, omit_defaults=True):
    """Somebody ordered; stock and money are being settled."""

    user_id: UserId
    lines: tuple[OrderLine, ...]
    total: Money
    details: tuple[Detail, ...] = ()


class Paid(Value, frozen=True, gc=False):
    """The stock is held and the money captured."""


class CallOffAsked(Value, frozen=True, gc=False):
    """It was called off before it was decided: whatever was done for it is undone."""

    reason: str


class Rejected(Value, frozen=True, gc=False):
    """The order could not be fulfilled; what had been done for it was undone."""

    slug: str
    detail: str


class Cancelled(Value, frozen=True, gc=False):
    """A paid order was called off."""

    reason: str


class Units(NamedTuple):
    """So many units of a SKU."""

    sku: Sku
    quantity: int


class Cleared(Value, frozen=True, gc=False):
    """A shipment may leave; from here on the order cannot be called off."""

    shipment_id: ShipmentId


class PartlyShipped(Value, frozen=True, gc=False):
    """Some units left, others have still to leave."""

    shipment_id: ShipmentId
    units: tuple[Units, ...]


class Shipped(Value, frozen=True, gc=False):
    """The last units left."""

    shipment_id: ShipmentId
    units: tuple[Units, ...]


class PartlyDelivered(Value, frozen=True, gc=False):
    """A shipment arrived, others have still to."""

    shipment_id: ShipmentId


class Delivered(Value, frozen=True, gc=False):
    """The last shipment arrived."""

    shipment_id: ShipmentId


class Counted(NamedTuple):
    """Units that came back: restocked or written off, and what they are worth."""

    sku: Sku
    quantity: int
    is_restocked: bool
    refund_minor: int


class ReturnRequested(Value, frozen=True, gc=False):
    """The owner wants to send units back. `key` makes the request repeatable."""

    return_id: ReturnId
    key: str
    units: tuple[Units, ...]
    reason: str
    at_ms: int


class ReturnApproved(Value, frozen=True, gc=False):
    """They may come."""

    return_id: ReturnId


class ReturnRefused(Value, frozen=True, gc=False):
    """They are not taken back."""

    return_id: ReturnId
    reason: str


class Share(NamedTuple):
    """What a gift card pays, or gets back."""

    card_id: GiftCardId
    amount_minor: int


class ReturnReceived(Value, frozen=True, gc=False, omit_defaults=True):
    """They came and were counted: their money is on its way, this much of it to gift cards."""

    return_id: ReturnId
    warehouse_id: WarehouseId
    counted: tuple[Counted, ...]
    to_cards: tuple[Share, ...] = ()


class AllReturned(Value, frozen=True, gc=False, omit_defaults=True):
    """The last units of the order came back and were counted."""

    return_id: ReturnId
    warehouse_id: WarehouseId
    counted: tuple[Counted, ...]
    to_cards: tuple[Share, ...] = ()


class ReturnReopened(Value, frozen=True, gc=False):
    """Its refund was refused, and nothing was given back: it can be received again."""

    return_id: ReturnId
    reason: str


class ReturnRefunded(Value, frozen=True, gc=False):
    """The money of a return was given back, and its units are on the shelf or written off."""

    return_id: ReturnId


class AllRefunded(Value, frozen=True, gc=False):
    """The money of the last return of an order that came back whole was given back."""

    return_id: ReturnId


OrderEvent = (
    Created
    | Paid
    | Rejected
    | CallOffAsked
    | Cancelled
    | Cleared
    | PartlyShipped
    | Shipped
    | PartlyDelivered
    | Delivered
    | ReturnRequested
    | ReturnApproved
    | ReturnRefused
    | ReturnReceived
    | AllReturned
    | ReturnReopened
    | ReturnRefunded
    | AllRefunded
)

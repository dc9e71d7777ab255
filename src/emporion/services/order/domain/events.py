"""What happens to an order, and where it then stands."""

from enum import StrEnum
from typing import NamedTuple

from emporion.kernel.ids import ShipmentId, Sku, UserId
from emporion.kernel.money import Money
from emporion.kernel.value import Value


class Status(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    PENDING = "pending"
    PAID = "paid"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


SOLD = (Status.PAID, Status.PARTLY_SHIPPED, Status.SHIPPED, Status.DELIVERED)
"""The statuses of an order that has its stock and whose money is kept."""


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


OrderEvent = (
    Created
    | Paid
    | Rejected
    | Cancelled
    | Cleared
    | PartlyShipped
    | Shipped
    | PartlyDelivered
    | Delivered
)

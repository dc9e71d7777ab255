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


class OrderLine(Value, frozen=True, gc=False):
    """So many units of a SKU at the price of the day."""

    sku: Sku
    name: str
    quantity: int
    unit_price: Money


class Created(Value, frozen=True, gc=False):
    """Somebody ordered; stock and money are being settled."""

    user_id: UserId
    lines: tuple[OrderLine, ...]
    total: Money


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

"""The rules of an order: pure, no clock, no storage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, Self

from emporion.kernel.aggregate import Aggregate, NotInThisState
from emporion.kernel.errors import FailedPrecondition, InvalidArgument
from emporion.kernel.ids import OrderId, ShipmentId, Sku, UserId
from emporion.kernel.money import CurrencyMismatch, Money
from emporion.services.order.domain.events import (
    Cancelled,
    Cleared,
    Created,
    Delivered,
    Detail,
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

_PENDING = Status.PENDING
_NONE: frozenset[ShipmentId] = frozenset()


class EmptyOrder(InvalidArgument):
    """An order has at least one line."""

    slug = "empty-order"
    title = "The order has no lines"


class NotOrdered(FailedPrecondition):
    """More units than were ordered, or than have left."""

    slug = "not-ordered"
    title = "So many units were not ordered"


class UnexplainedTotal(InvalidArgument):
    """The lines cost more than what is paid in all."""

    slug = "unexplained-total"
    title = "The total does not follow from its parts"


class Priced(Protocol):
    """So many units at a price each: what a total is made of."""

    @property
    def unit_price(self) -> Money:
        """The price of one."""
        ...

    @property
    def quantity(self) -> int:
        """How many."""
        ...


class Order(Aggregate[OrderEvent]):
    """An order, folded from its events."""

    START = Status.DRAFT
    LIFECYCLE = {  # noqa: RUF012 - the base declares it ClassVar
        # state before             event      state after
        (Status.DRAFT, Created): Status.PENDING,
        (Status.PENDING, Paid): Status.PAID,
        (Status.PENDING, Rejected): Status.REJECTED,
        (Status.PAID, Cancelled): Status.CANCELLED,
        (Status.PAID, Cleared): Status.PAID,
        (Status.PARTLY_SHIPPED, Cleared): Status.PARTLY_SHIPPED,
        (Status.PAID, PartlyShipped): Status.PARTLY_SHIPPED,
        (Status.PARTLY_SHIPPED, PartlyShipped): Status.PARTLY_SHIPPED,
        (Status.PAID, Shipped): Status.SHIPPED,
        (Status.PARTLY_SHIPPED, Shipped): Status.SHIPPED,
        (Status.PARTLY_SHIPPED, PartlyDelivered): Status.PARTLY_SHIPPED,
        (Status.SHIPPED, PartlyDelivered): Status.SHIPPED,
        (Status.SHIPPED, Delivered): Status.DELIVERED,
    }

    user_id: UserId
    lines: tuple[OrderLine, ...] = ()
    details: tuple[Detail, ...] = ()
    total: Money
    refusal: Rejected | None = None

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.cleared: frozenset[ShipmentId] = _NONE
        self.shipments: dict[ShipmentId, tuple[Units, ...]] = {}
        self.arrived: frozenset[ShipmentId] = _NONE

    @classmethod
    def as_opened(cls, order_id: OrderId) -> Self:
        """An order that was opened and nothing since, without what was ordered."""
        order = cls(order_id)
        order.status, order.version = _PENDING, 1
        return order

    @property
    def order_id(self) -> OrderId:
        """The order's id."""
        return OrderId(self.id)

    @property
    def units(self) -> int:
        """All units of all lines."""
        return sum(line.quantity for line in self.lines)

    def create(
        self, user_id: UserId, lines: tuple[OrderLine, ...], details: tuple[Detail, ...] = ()
    ) -> None:
        """Take an order. Without details its total is the sum of its lines.

        Raises EmptyOrder, CurrencyMismatch, or UnexplainedTotal.
        """
        total = explained(lines, details) if details else total_of(lines)
        self.record(Created(user_id, lines, total, details))

    def pay(self) -> None:
        """Stock is held and money captured. Raises NotInThisState."""
        self.record(Paid())

    def reject(self, slug: str, detail: str) -> None:
        """It cannot be fulfilled. Raises NotInThisState."""
        self.record(Rejected(slug, detail))

    def cancel(self, reason: str) -> None:
        """Call off a paid order of which nothing leaves. Raises NotInThisState."""
        if self.cleared:
            raise NotInThisState(f"a shipment of {self.id} leaves", state=str(self.status))
        self.record(Cancelled(reason))

    def clear(self, shipment_id: ShipmentId) -> None:
        """A shipment is about to leave; repeatable. Raises NotInThisState."""
        if shipment_id not in self.cleared:
            self.record(Cleared(shipment_id))

    def ship(self, shipment_id: ShipmentId, units: tuple[Units, ...]) -> None:
        """A shipment left; repeatable. Raises NotOrdered or NotInThisState."""
        if shipment_id in self.shipments:
            return
        left = self.shipped()
        left.update(dict(units))
        if any(number > self.ordered()[sku] for sku, number in left.items()):
            raise NotOrdered(f"more than {self.id} ordered would have left with {shipment_id}")
        is_all = left.total() == self.units
        self.record(Shipped(shipment_id, units) if is_all else PartlyShipped(shipment_id, units))

    def deliver(self, shipment_id: ShipmentId) -> None:
        """A shipment arrived; repeatable. Raises NotOrdered or NotInThisState."""
        if shipment_id in self.arrived:
            return
        if shipment_id not in self.shipments:
            raise NotOrdered(f"{shipment_id} did not leave for {self.id}")
        is_last = self.status is Status.SHIPPED and len(self.arrived) + 1 == len(self.shipments)
        self.record(Delivered(shipment_id) if is_last else PartlyDelivered(shipment_id))

    def ordered(self) -> Counter[Sku]:
        """The units of each SKU over all lines."""
        ordered: Counter[Sku] = Counter()
        for line in self.lines:
            ordered[line.sku] += line.quantity
        return ordered

    def shipped(self) -> Counter[Sku]:
        """The units of each SKU that have left."""
        return _counted(self.shipments.values())

    def delivered(self) -> Counter[Sku]:
        """The units of each SKU that have arrived."""
        return _counted(self.shipments[each] for each in self.arrived)

    def on_created(self, event: Created) -> None:
        """Take over who ordered what."""
        self.user_id, self.lines, self.total = event.user_id, event.lines, event.total
        self.details = event.details

    def on_cleared(self, event: Cleared) -> None:
        """It cannot be called off any more."""
        self.cleared |= {event.shipment_id}

    def on_partly_shipped(self, event: PartlyShipped) -> None:
        """Remember what left."""
        self.shipments[event.shipment_id] = event.units

    def on_shipped(self, event: Shipped) -> None:
        """Remember what left."""
        self.shipments[event.shipment_id] = event.units

    def on_partly_delivered(self, event: PartlyDelivered) -> None:
        """Remember what arrived."""
        self.arrived |= {event.shipment_id}

    def on_delivered(self, event: Delivered) -> None:
        """Remember what arrived."""
        self.arrived |= {event.shipment_id}

    def on_rejected(self, event: Rejected) -> None:
        """Remember why."""
        self.refusal = event


def explained(lines: Sequence[OrderLine], details: Sequence[Detail]) -> Money:
    """The sum of the details, of which the lines are a part and the delivery the rest.

    Raises EmptyOrder, CurrencyMismatch or UnexplainedTotal.
    """
    total = Money.zero(total_of(lines).currency)
    for detail in details:
        total = total if detail.is_included else total + detail.amount
    paid_minor = sum(line.total.amount_minor for line in lines)
    if not 0 <= paid_minor <= total.amount_minor:
        raise UnexplainedTotal(f"{total} in all, and {paid_minor} minor units for the lines")
    return total


def total_of(lines: Sequence[Priced]) -> Money:
    """The sum of the lines, exact. Raises EmptyOrder or CurrencyMismatch."""
    if not lines:
        raise EmptyOrder
    currency = lines[0].unit_price.currency
    amount_minor = 0
    for line in lines:
        price = line.unit_price
        if price.currency != currency:
            raise CurrencyMismatch(f"{currency} and {price.currency} in one order")
        amount_minor += price.amount_minor * line.quantity
    return Money(amount_minor, currency)


def _counted(shipments: Iterable[tuple[Units, ...]]) -> Counter[Sku]:
    counted: Counter[Sku] = Counter()
    for units in shipments:
        counted.update(dict(units))
    return counted

"""The rules of an order: pure, no clock, no storage."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from emporion.kernel.aggregate import Aggregate, NotInThisState
from emporion.kernel.errors import FailedPrecondition
from emporion.kernel.ids import OrderId, ReturnId, ShipmentId, Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.services.order.domain.events import (
    AllRefunded,
    AllReturned,
    CallOffAsked,
    Cancelled,
    Cleared,
    Counted,
    Created,
    Delivered,
    Detail,
    OrderEvent,
    OrderLine,
    Paid,
    PartlyDelivered,
    PartlyShipped,
    Rejected,
    ReturnApproved,
    ReturnReceived,
    ReturnRefunded,
    ReturnRefused,
    ReturnReopened,
    ReturnRequested,
    Share,
    Shipped,
    Status,
    Units,
)
from emporion.services.order.domain.returns import (
    AboutAReturn,
    NotReturnable,
    Piece,
    ReturnAction,
    Returns,
    ReturnStatus,
    priced,
    require_expected,
    units_of,
)
from emporion.services.order.domain.totals import explained, total_of

_PENDING = Status.PENDING
_NONE: frozenset[ShipmentId] = frozenset()


class NotOrdered(FailedPrecondition):
    """More units than were ordered, or than have left."""

    slug = "not-ordered"
    title = "So many units were not ordered"


_OF_A_RETURN = (
    ReturnRequested,
    ReturnApproved,
    ReturnRefused,
    ReturnReceived,
    ReturnReopened,
    ReturnRefunded,
)
_ON_ITS_WAY = (Status.PARTLY_SHIPPED, Status.SHIPPED, Status.DELIVERED)


class Order(Aggregate[OrderEvent]):
    """An order, folded from its events."""

    START = Status.DRAFT
    LIFECYCLE = {  # noqa: RUF012 - the base declares it ClassVar
        # state before             event      state after
        (Status.DRAFT, Created): Status.PENDING,
        (Status.PENDING, Paid): Status.PAID,
        (Status.PENDING, Rejected): Status.REJECTED,
        (Status.PENDING, CallOffAsked): Status.CANCELLING,
        (Status.CANCELLING, Rejected): Status.REJECTED,
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
        **{(status, event): status for event in _OF_A_RETURN for status in _ON_ITS_WAY},
        (Status.DELIVERED, AllReturned): Status.RETURNED,
        (Status.RETURNED, ReturnReopened): Status.DELIVERED,
        (Status.RETURNED, ReturnRefunded): Status.RETURNED,
        (Status.RETURNED, AllRefunded): Status.REFUNDED,
    }

    user_id: UserId
    lines: tuple[OrderLine, ...] = ()
    details: tuple[Detail, ...] = ()
    total: Money
    refusal: Rejected | None = None
    refusal_asked: str = ""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.cleared: frozenset[ShipmentId] = _NONE
        self.shipments: dict[ShipmentId, tuple[Units, ...]] = {}
        self.arrived: frozenset[ShipmentId] = _NONE
        self.returns = Returns()

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

    def ask_call_off(self, reason: str) -> None:
        """Call off an order that is not decided yet. Raises NotInThisState."""
        self.record(CallOffAsked(reason))

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

    def ask_return(self, asked: ReturnRequested) -> ReturnId:
        """The owner wants to send units back; repeatable under the same key.

        Returns the id of the return that has the key. Raises DifferentReturn, TooManyReturns,
        NotReturnable or NotInThisState.
        """
        known = self.returns.under(asked)
        if known is not None:
            return known.return_id
        returnable = self.delivered()
        returnable.subtract(self.returns.bound())
        if any(units > returnable[sku] for sku, units in asked.units):
            raise NotReturnable(f"so many units of {self.id} cannot be returned")
        self.record(asked)
        return asked.return_id

    def approve_return(self, return_id: ReturnId) -> None:
        """They may come; repeatable. Raises NotInThisState."""
        if self.returns[return_id].status is not ReturnStatus.APPROVED:
            self.record(ReturnApproved(return_id))

    def refuse_return(self, return_id: ReturnId, reason: str) -> None:
        """They are not taken back; repeatable. Raises NotInThisState."""
        if self.returns[return_id].status is not ReturnStatus.REFUSED:
            self.record(ReturnRefused(return_id, reason))

    def priced(self, return_id: ReturnId, pieces: Sequence[Piece]) -> tuple[Counted, ...]:
        """What was counted, with its refund. Raises NotExpected, NothingCounted, NotInThisState."""
        self.returns.require(return_id, ReturnAction.RECEIVE)
        require_expected(self.returns[return_id].units, pieces)
        paid: dict[Sku, tuple[int, int]] = {}
        for line in self.lines:
            units, paid_minor = paid.get(line.sku, (0, 0))
            paid[line.sku] = (units + line.quantity, paid_minor + line.total.amount_minor)
        counted = priced(pieces, paid=paid, before=self.returns.counted())
        if not self._is_last_return(counted):
            return counted
        *others, last = counted  # what was paid beside the lines comes with the last unit
        rest_minor = self.total.amount_minor - sum(minor for _, minor in paid.values())
        return (*others, last._replace(refund_minor=last.refund_minor + rest_minor))

    def receive_return(
        self,
        return_id: ReturnId,
        warehouse_id: WarehouseId,
        counted: tuple[Counted, ...],
        *,
        to_cards: tuple[Share, ...] = (),
    ) -> None:
        """They came and were counted. Raises NotInThisState."""
        self.returns.require(return_id, ReturnAction.RECEIVE)
        kind = AllReturned if self._is_last_return(counted) else ReturnReceived
        self.record(kind(return_id, warehouse_id, counted, to_cards))

    def _is_last_return(self, counted: Iterable[Counted]) -> bool:
        all_ = (*self.returns.counted(), *counted)
        return sum(each.quantity for each in all_) == self.units

    def reopen_return(self, return_id: ReturnId, reason: str) -> None:
        """Its refund was refused. Raises NotInThisState."""
        self.record(ReturnReopened(return_id, reason))

    def refund_return(self, return_id: ReturnId) -> None:
        """Its money was given back. Raises NotInThisState."""
        is_more_to_come = self.returns.has_refund_under_way_beside(return_id)
        is_last = self.status is Status.RETURNED and not is_more_to_come
        self.record(AllRefunded(return_id) if is_last else ReturnRefunded(return_id))

    def ordered(self) -> Counter[Sku]:
        """The units of each SKU over all lines."""
        return units_of([(Units(line.sku, line.quantity),) for line in self.lines])

    def shipped(self) -> Counter[Sku]:
        """The units of each SKU that have left."""
        return units_of(self.shipments.values())

    def delivered(self) -> Counter[Sku]:
        """The units of each SKU that have arrived."""
        return units_of(self.shipments[each] for each in self.arrived)

    def on_created(self, event: Created) -> None:
        """Take over who ordered what."""
        self.user_id, self.lines, self.total = event.user_id, event.lines, event.total
        self.details = event.details

    def on_cleared(self, event: Cleared) -> None:
        """It cannot be called off any more."""
        self.cleared |= {event.shipment_id}

    def _on_left(self, event: PartlyShipped | Shipped) -> None:
        self.shipments[event.shipment_id] = event.units

    def _on_arrived(self, event: PartlyDelivered | Delivered) -> None:
        self.arrived |= {event.shipment_id}

    on_partly_shipped = on_shipped = _on_left
    on_partly_delivered = on_delivered = _on_arrived

    def on_return_requested(self, event: ReturnRequested) -> None:
        """One more return."""
        self.returns.add(event)

    def _on_return(self, event: AboutAReturn) -> None:
        self.returns.fold(event)

    on_return_approved = on_return_refused = on_return_received = on_all_returned = _on_return
    on_return_reopened = on_return_refunded = on_all_refunded = _on_return

    def on_call_off_asked(self, event: CallOffAsked) -> None:
        """Remember why it was called off."""
        self.refusal_asked = event.reason

    def on_rejected(self, event: Rejected) -> None:
        """Remember why."""
        self.refusal = event

"""The rules of a payment: taken once for an order, never given back beyond that, never revived."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Self

from emporion.kernel.aggregate import Aggregate, NotInThisState
from emporion.kernel.errors import Conflict, InvalidArgument
from emporion.kernel.ids import OrderId, PaymentId, UserId
from emporion.kernel.money import Money
from emporion.services.payment.domain.events import (
    Attempted,
    Authorised,
    Captured,
    Declined,
    PartRefunded,
    PaymentEvent,
    RefundBegun,
    RefundDropped,
    Refunded,
    Returned,
    TakenLate,
    Voided,
)
from emporion.services.payment.domain.names import order_id_of, payment_id_of
from emporion.services.payment.domain.refunds import (
    NO_REFUNDS,
    UNDO,
    DifferentRefund,
    MoreThanIsLeft,
    Refund,
    RefundState,
    require_refundable,
)

RECHECK_DELAYS_MS = (60_000, 600_000, 3_600_000, 86_400_000)
"""How long after it was voided a payment is looked up at the provider again: a charge that was
still on its way when it was undone would come to light then."""


class NothingToCharge(InvalidArgument):
    """The amount is zero or less."""

    slug = "nothing-to-charge"
    title = "There is nothing to charge"


class NoPaymentMethod(InvalidArgument):
    """A charge came without a payment token."""

    slug = "no-payment-method"
    title = "There is no payment method to charge"


class DifferentCharge(Conflict):
    """The order has a payment of another person or amount: this request is not about it."""

    slug = "different-charge"
    title = "The order was charged differently"


class Status(StrEnum):
    """Where a payment stands."""

    NEW = "new"
    """Nothing is known about it."""
    PENDING = "pending"
    """The provider was asked and has not answered: it may or may not have taken the money."""
    AUTHORISED = "authorised"
    """The provider holds the money: it can be captured, or let go."""
    CAPTURED = "captured"
    DECLINED = "declined"
    REFUNDED = "refunded"
    OWED = "owed"
    """The provider said no, and took the money after all: it is to go back."""
    VOIDED = "voided"
    """Undone before a charge was known: a tombstone, so that no later charge can happen."""


_NEW, _PENDING = Status.NEW, Status.PENDING


class Payment(Aggregate[PaymentEvent]):
    """The one payment of an order."""

    START = Status.NEW
    LIFECYCLE: ClassVar[Mapping[tuple[StrEnum, type], StrEnum]] = {
        # state before        event        state after
        (Status.NEW, Attempted): Status.PENDING,
        (Status.NEW, Authorised): Status.AUTHORISED,
        (Status.NEW, Captured): Status.CAPTURED,
        (Status.NEW, Declined): Status.DECLINED,
        (Status.NEW, Voided): Status.VOIDED,
        (Status.PENDING, Authorised): Status.AUTHORISED,
        (Status.PENDING, Captured): Status.CAPTURED,
        (Status.PENDING, Declined): Status.DECLINED,
        (Status.PENDING, Voided): Status.VOIDED,
        (Status.AUTHORISED, Captured): Status.CAPTURED,
        (Status.AUTHORISED, Declined): Status.DECLINED,
        (Status.AUTHORISED, Voided): Status.VOIDED,
        (Status.CAPTURED, RefundBegun): Status.CAPTURED,
        (Status.CAPTURED, PartRefunded): Status.CAPTURED,
        (Status.CAPTURED, RefundDropped): Status.CAPTURED,
        (Status.CAPTURED, Refunded): Status.REFUNDED,
        (Status.DECLINED, TakenLate): Status.OWED,
        (Status.OWED, Refunded): Status.REFUNDED,
        (Status.VOIDED, Returned): Status.REFUNDED,
    }

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.order_id = order_id_of(PaymentId(id_))
        self.user_id = UserId("")
        self.amount: Money | None = None
        self.refunded_minor = 0
        self.refunds = NO_REFUNDS
        self.reference = ""
        self.decline_reason = ""

    @classmethod
    def of(cls, order_id: OrderId) -> Self:
        """The payment of an order, with nothing known about it yet."""
        return cls(payment_id_of(order_id))

    @property
    def is_open(self) -> bool:
        """Whether the provider's answer can still decide it."""
        return self.status is _NEW or self.status is _PENDING

    def attempt(self, user_id: UserId, amount: Money) -> None:
        """The provider did not answer. Raises NotInThisState unless nothing was known."""
        self.record(Attempted(user_id, amount))

    def authorise(self, user_id: UserId, amount: Money, *, reference: str) -> None:
        """The provider holds the money. Raises NotInThisState, DifferentCharge."""
        self._require_same(user_id, amount)
        self.record(Authorised(user_id, amount, reference))

    def capture(self, user_id: UserId, amount: Money, *, reference: str) -> None:
        """The provider took the money. Raises NotInThisState, DifferentCharge."""
        self._require_same(user_id, amount)
        self.record(Captured(user_id, amount, reference))

    def decline(self, user_id: UserId, amount: Money, *, reason: str) -> None:
        """The provider said no. Raises NotInThisState, DifferentCharge."""
        self._require_same(user_id, amount)
        self.record(Declined(user_id, amount, reason))

    def take_late(self, *, reference: str) -> None:
        """The provider took the money it had declined. Raises NotInThisState."""
        self.record(TakenLate(self._amount(), reference))

    def void(self, user_id: UserId, amount: Money) -> None:
        """Undo what is not known to have happened. Raises NotInThisState, DifferentCharge."""
        self._require_same(user_id, amount)
        self.record(Voided(user_id, amount))

    @property
    def left(self) -> Money:
        """What may still go back: captured, and neither given back nor on its way.

        Raises NotInThisState when no amount is known.
        """
        amount = self._amount()
        if self.status is not Status.CAPTURED:
            return Money.zero(amount.currency)
        return amount - Money(self.refunded_minor + self.refunds.open_minor, amount.currency)

    def begin_refund(self, refund_id: str, amount: Money, reason: str) -> None:
        """Put an amount aside to be given back; the same id again changes nothing.

        Raises NothingToRefund, CurrencyMismatch, MoreThanIsLeft, TooManyRefunds, and
        DifferentRefund when the id stands for another amount.
        """
        require_refundable(amount)
        known = self.refunds.of(refund_id)
        if known is None:
            left = self.left
            if (left - amount).amount_minor < 0:
                raise MoreThanIsLeft(left)
            if refund_id != UNDO:
                self.refunds.require_room()
            self.record(RefundBegun(refund_id, amount, reason))
        elif Money(known.amount_minor, self._amount().currency) != amount:
            raise DifferentRefund(refund_id=refund_id)

    def end_refund(self, refund_id: str, *, reference: str) -> None:
        """That refund reached the customer; nothing when it is settled. Raises NotInThisState."""
        amount = self._open_amount(refund_id)
        if amount is None:
            return
        if self.refunded_minor + amount.amount_minor == self._amount().amount_minor:
            self.record(Refunded(amount, reference, refund_id))
        else:
            self.record(PartRefunded(refund_id, amount, reference))

    def drop_refund(self, refund_id: str, *, reason: str) -> None:
        """The provider refused that refund for ever; nothing when it is settled."""
        amount = self._open_amount(refund_id)
        if amount is not None:
            self.record(RefundDropped(refund_id, amount, reason))

    def return_owed(self, *, reference: str) -> None:
        """What was taken after a decline went back. Raises NotInThisState unless it is owed."""
        if self.status is not Status.OWED:
            raise NotInThisState(f"{self.id} is {self.status}; nothing is owed")
        self.record(Refunded(self._amount(), reference))

    def give_back(self, *, charge_reference: str, refund_reference: str) -> None:
        """A charge came to light after voiding; its money went back. Raises NotInThisState."""
        self.record(Returned(self._amount(), charge_reference, refund_reference))

    def on_attempted(self, event: Attempted) -> None:
        """Take over who and how much."""
        self.user_id, self.amount = event.user_id, event.amount

    def on_authorised(self, event: Authorised) -> None:
        """Take over who, how much and the provider's reference."""
        self.user_id, self.amount = event.user_id, event.amount
        self.reference = event.reference

    def on_captured(self, event: Captured) -> None:
        """Take over who, how much and the provider's reference."""
        self.user_id, self.amount = event.user_id, event.amount
        self.reference = event.reference

    def on_declined(self, event: Declined) -> None:
        """Take over who, how much and why not."""
        self.user_id, self.amount = event.user_id, event.amount
        self.decline_reason = event.reason

    def on_taken_late(self, event: TakenLate) -> None:
        """Take over the provider's reference; why it said no before stays."""
        self.reference = event.reference

    def on_voided(self, event: Voided) -> None:
        """Take over who and how much was undone."""
        self.user_id, self.amount = event.user_id, event.amount

    def on_refund_begun(self, event: RefundBegun) -> None:
        """Put it aside."""
        refund = Refund(event.amount.amount_minor, RefundState.BEGUN, event.reason)
        self.refunds = self.refunds.with_(event.refund_id, refund)

    def on_part_refunded(self, event: PartRefunded) -> None:
        """Some of it went back."""
        self.refunds = self.refunds.settled(event.refund_id, RefundState.DONE, event.reference)
        self.refunded_minor += event.amount.amount_minor

    def on_refund_dropped(self, event: RefundDropped) -> None:
        """It is ours to give back again."""
        self.refunds = self.refunds.settled(event.refund_id, RefundState.DROPPED, event.reason)

    def on_refunded(self, event: Refunded) -> None:
        """The last of it went back; before there were parts, nothing was begun first."""
        self.refunds = self.refunds.settled(event.refund_id, RefundState.DONE, event.reference)
        self.refunded_minor += event.amount.amount_minor

    def on_returned(self, event: Returned) -> None:
        """It was taken, and all of it went back."""
        self.refunded_minor = event.amount.amount_minor
        self.reference = event.charge_reference

    def _require_same(self, user_id: UserId, amount: Money) -> None:
        require_chargeable(amount)
        if self.amount is not None and (self.user_id != user_id or self.amount != amount):
            raise DifferentCharge

    def _open_amount(self, refund_id: str) -> Money | None:
        known = self.refunds.of(refund_id)
        if known is None:
            raise NotInThisState(f"{self.id} has no refund {refund_id!r}")
        return Money(known.amount_minor, self._amount().currency) if known.is_open else None

    def _amount(self) -> Money:
        if self.amount is None:
            raise NotInThisState(f"{self.id} is {self.status}; there is nothing to give back")
        return self.amount


def require_chargeable(amount: Money) -> None:
    """Raises NothingToCharge unless the amount is more than zero."""
    if amount.amount_minor <= 0:
        raise NothingToCharge(f"{amount} is not an amount to charge")


def next_recheck_ms(voided_at_ms: int, now_ms: int) -> int | None:
    """When to look at the provider again for a charge of a voided payment; None: never again."""
    for delay_ms in RECHECK_DELAYS_MS:
        if voided_at_ms + delay_ms > now_ms:
            return voided_at_ms + delay_ms
    return None

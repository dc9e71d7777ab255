"""What payment announces. It reacts to nobody: charges and refunds are asked for."""

from collections.abc import Callable, Mapping

from emporion.contracts.contract import Event
from emporion.contracts.payment import PaymentCaptured, PaymentRefunded
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import PaymentId
from emporion.services.payment.domain import (
    Captured,
    PartRefunded,
    Payment,
    PaymentEvent,
    Refunded,
    Returned,
    TakenLate,
)


def captured(payment: Payment, event: PaymentEvent, at_ms: int) -> PaymentCaptured:
    """Money was taken."""
    return PaymentCaptured(
        payment_id=PaymentId(payment.id),
        order_id=payment.order_id,
        amount=event.amount,
        captured_at=to_datetime(at_ms),
    )


def refunded(payment: Payment, event: PaymentEvent, at_ms: int) -> PaymentRefunded:
    """Money went back."""
    return PaymentRefunded(
        payment_id=PaymentId(payment.id),
        order_id=payment.order_id,
        refund_id=event.refund_id if isinstance(event, PartRefunded | Refunded) else "",
        amount=event.amount,
        refunded_at=to_datetime(at_ms),
    )


Announcement = Callable[[Payment, PaymentEvent, int], Event]
ANNOUNCED: Mapping[type[PaymentEvent], tuple[Announcement, ...]] = {
    # domain event  integration events
    Captured: (captured,),
    TakenLate: (captured,),
    PartRefunded: (refunded,),
    Refunded: (refunded,),
    Returned: (captured, refunded),
}


def announcements(payment: Payment, at_ms: int) -> list[Event]:
    """The integration events of a payment's pending domain events, in order."""
    return [
        announce(payment, event, at_ms)
        for event in payment.pending
        for announce in ANNOUNCED.get(type(event), ())
    ]

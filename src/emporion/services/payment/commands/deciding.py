"""What a provider's answer or an undo makes of a payment, and what a recorded one answers."""

from emporion.contracts.payment import Charge, PaymentDeclined, PaymentVoided
from emporion.kernel.errors import Unavailable
from emporion.services.payment.domain import DifferentCharge, Payment, Status
from emporion.services.payment.ports import Answer, Approval, Decline, StoredPayment

UNTAKEN = frozenset({Status.NEW, Status.PENDING, Status.AUTHORISED})
"""Not known to be captured: undoing voids it first, and then looks at the provider."""


def decide(payment: Payment, answer: Answer, about: Charge | StoredPayment) -> None:
    """Take over the provider's answer, unless the payment is decided already."""
    if not payment.is_open:
        return
    match answer:
        case Approval(reference=reference, is_held=True):
            payment.authorise(about.user_id, about.amount, reference=reference)
        case Approval(reference=reference):
            payment.capture(about.user_id, about.amount, reference=reference)
        case Decline(reason=reason):
            payment.decline(about.user_id, about.amount, reason=reason)


def void(payment: Payment, request: Charge) -> None:
    """Undo what is not known to be taken; nothing when it is decided already."""
    if payment.status in UNTAKEN:
        payment.void(request.user_id, request.amount)


def settled(stored: StoredPayment, request: Charge | None) -> StoredPayment:
    """The answer to a charge, by what is recorded. Raises the refusal, or Unavailable."""
    match stored.status:
        case Status.CAPTURED | Status.AUTHORISED:
            if request is not None:
                require_same(stored, request)
            return stored
        case Status.DECLINED | Status.OWED:
            raise PaymentDeclined(reason=stored.decline_reason)
        case Status.REFUNDED if stored.decline_reason:  # the same answer as before
            raise PaymentDeclined(reason=stored.decline_reason)
        case Status.VOIDED | Status.REFUNDED:
            raise PaymentVoided
        case Status.PENDING | Status.NEW:
            raise Unavailable("the payment provider has not answered yet")


def require_same(stored: StoredPayment, request: Charge) -> None:
    """Raises DifferentCharge when the request is about another person or amount."""
    if stored.user_id != request.user_id or stored.amount != request.amount:
        raise DifferentCharge(order_id=request.order_id)

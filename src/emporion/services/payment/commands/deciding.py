"""What a provider's answer or an undo makes of a payment, and what a recorded one answers."""

import logging

from emporion.contracts.payment import Charge, PaymentDeclined, PaymentVoided
from emporion.kernel.errors import Unavailable
from emporion.services.payment.domain import DifferentCharge, Payment, Status, refund_id_of
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Decline,
    ReturnedThere,
    Standing,
    StoredPayment,
)

_log = logging.getLogger(__name__)
MADE_THERE = "made at the provider"
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


def follow(payment: Payment, standing: Standing, known: StoredPayment) -> None:
    """Take over where the provider says the money is; nothing when that is recorded already."""
    if payment.is_open or payment.status is Status.AUTHORISED:
        _follow_charge(payment, standing, known)
    elif payment.status is Status.DECLINED and standing.is_taken:
        payment.take_late(reference=standing.reference)
    if payment.status is Status.CAPTURED:
        for refund in standing.returned:
            _follow_refund(payment, refund)


def _follow_charge(payment: Payment, standing: Standing, known: StoredPayment) -> None:
    who, amount = known.user_id, known.amount
    if standing.is_taken:
        payment.capture(who, amount, reference=standing.reference)
    elif standing.is_held and payment.is_open:
        payment.authorise(who, amount, reference=standing.reference)
    elif not standing.is_held:
        payment.decline(who, amount, reason=standing.reason)


def _follow_refund(payment: Payment, refund: ReturnedThere) -> None:
    """One that we asked for is at its end; one that somebody made at the provider is ours now."""
    refund_id = refund_id_of(refund.key)
    if refund_id is None:
        refund_id = refund.reference
        if payment.refunds.of(refund_id) is None:
            if payment.left.amount_minor < refund.amount.amount_minor:
                _log.error("%s: refund %s of the provider exceeds it", payment.id, refund_id)
                return
            payment.begin_refund(refund_id, refund.amount, MADE_THERE)
    if payment.refunds.of(refund_id) is not None:
        payment.end_refund(refund_id, reference=refund.reference)


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

"""Take what the provider holds for an order, or let go of it."""

from emporion.kernel.errors import FailedPrecondition
from emporion.services.payment import domain
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.domain import Payment, Status
from emporion.services.payment.ports import PaymentProvider, StoredPayment

REASON_LENGTH_MAX = 100


class Holds:
    """Authorised payments. Whoever calls is in the order's lane."""

    def __init__(self, recorder: Recorder, provider: PaymentProvider) -> None:
        self._recorder = recorder
        self._provider = provider

    async def capture(self, held: StoredPayment) -> StoredPayment:
        """Take it, or find that it is not held any more; the row says which.

        Raises Unavailable while the provider's answer is unknown.
        """
        try:
            approval = await self._provider.capture(
                key=domain.capture_key(held.order_id),
                reference=held.reference,
                amount=held.amount,
            )
        except FailedPrecondition as error:
            reason = error.detail[:REASON_LENGTH_MAX]
            return await self._recorder.change(
                held.order_id, lambda payment: _decline(payment, held, reason)
            )
        return await self._recorder.change(
            held.order_id, lambda payment: _capture(payment, held, approval.reference)
        )

    async def release(self, voided: StoredPayment, reference: str) -> None:
        """Let go of what is held for a payment that is undone. Raises Unavailable."""
        await self._provider.void(key=domain.void_key(voided.order_id), reference=reference)


def _capture(payment: Payment, held: StoredPayment, reference: str) -> None:
    if payment.status is Status.AUTHORISED:
        payment.capture(held.user_id, held.amount, reference=reference)


def _decline(payment: Payment, held: StoredPayment, reason: str) -> None:
    if payment.status is Status.AUTHORISED:
        payment.decline(held.user_id, held.amount, reason=reason)

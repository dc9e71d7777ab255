"""Give captured money back, in parts or all that is left, each refund with effect once.

A refund is put aside in a transaction of its own before the provider is asked. So its amount under
its key never changes, the sum of all refunds stays within what was taken however many come at
once, and one whose answer was lost is found and asked for again until it is known.
"""

from collections.abc import Callable, Sequence

from emporion.contracts.payment import RefundExceedsCapture, RefundPart, RefundRefused
from emporion.kernel.errors import FailedPrecondition, Unavailable
from emporion.kernel.money import Money
from emporion.services.payment import domain
from emporion.services.payment.commands.deciding import MADE_THERE
from emporion.services.payment.commands.lanes import Lanes
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.domain import (
    UNDO,
    MoreThanIsLeft,
    Payment,
    Refund,
    RefundState,
    Status,
)
from emporion.services.payment.ports import PaymentProvider, StoredPayment

REASON_LENGTH_MAX = 100
WHY_UNDONE = "the payment is undone"


class RefundCommands:
    """Refunds of captured payments.

    Args:
        poke: called when a refund was left open, so that somebody takes it up.
    """

    def __init__(
        self,
        recorder: Recorder,
        provider: PaymentProvider,
        *,
        lanes: Lanes,
        poke: Callable[[], None],
    ) -> None:
        self._recorder = recorder
        self._provider = provider
        self._lanes = lanes
        self._poke = poke

    async def refund_part(self, request: RefundPart) -> StoredPayment:
        """See PaymentService.refund_part."""
        async with self._lanes.of(request.order_id):
            stored, payment = await self._begin(request)
            if payment.refunds.by_id[request.refund_id].is_open:
                stored, payment = await self._settle(stored, payment, request.refund_id)
        refund = payment.refunds.by_id[request.refund_id]
        if refund.state is RefundState.DROPPED:
            raise RefundRefused(reason=refund.note)
        return stored

    async def undo(self, captured: StoredPayment) -> StoredPayment:
        """Give back all that is left. Its caller is in the order's lane.

        First every part on its way is brought to its end, as one that is dropped leaves more. It
        ends because a payment has a bounded number of refunds, and each round settles some.
        """
        while True:
            stored, payment = await self._begin_undo(captured)
            open_ids = payment.refunds.open_ids
            if not open_ids:
                return stored
            stored = await self._settle_these(stored, payment, open_ids)
            if stored.status is Status.REFUNDED:
                return stored

    async def settle_open(self, captured: StoredPayment) -> StoredPayment:
        """Bring every refund on its way to its end. Its caller is in the order's lane."""
        stored, payment = await self._recorder.decide(captured.order_id, _look)
        return await self._settle_these(stored, payment, payment.refunds.open_ids)

    async def repeat(self, captured: StoredPayment) -> None:
        """Ask for every refund whose money the provider has not sent. In the order's lane."""
        order_id = captured.order_id
        await self.settle_open(captured)
        _, payment = await self._recorder.decide(order_id, _look)
        standing = await self._provider.look(order_id=order_id, reference=captured.reference)
        sent = {each.key for each in standing.returned} if standing else set()
        for refund_id, refund in payment.refunds.by_id.items():
            is_ours = refund.state is RefundState.DONE and refund.reason != MADE_THERE
            if is_ours and domain.refund_key(order_id, refund_id) not in sent:
                await self._provider.refund(
                    key=domain.refund_key(order_id, refund_id),
                    reference=captured.reference,
                    amount=Money(refund.amount_minor, captured.amount.currency),
                )

    async def _begin(self, request: RefundPart) -> tuple[StoredPayment, Payment]:
        def begin(payment: Payment) -> None:
            if payment.status is Status.NEW:
                raise _exceeds(Money.zero(request.amount.currency))
            if payment.status is Status.PENDING:
                raise Unavailable("the payment provider has not answered yet")
            payment.begin_refund(request.refund_id, request.amount, request.reason)

        try:
            return await self._recorder.decide(request.order_id, begin)
        except MoreThanIsLeft as error:
            raise _exceeds(error.left) from error

    async def _begin_undo(self, captured: StoredPayment) -> tuple[StoredPayment, Payment]:
        def begin(payment: Payment) -> None:
            if payment.left.amount_minor and not payment.refunds.open_ids:
                payment.begin_refund(UNDO, payment.left, WHY_UNDONE)

        return await self._recorder.decide(captured.order_id, begin)

    async def _settle_these(
        self, stored: StoredPayment, payment: Payment, ids: Sequence[str]
    ) -> StoredPayment:
        for refund_id in ids:
            if refund_id in payment.refunds.open_ids:
                stored, payment = await self._settle(stored, payment, refund_id)
        return stored

    async def _settle(
        self, stored: StoredPayment, payment: Payment, refund_id: str
    ) -> tuple[StoredPayment, Payment]:
        """Ask the provider for a refund on its way, and record what it answers."""
        is_settled = False
        try:
            settle = await self._ask(stored, payment.refunds.by_id[refund_id], refund_id)
            outcome = await self._recorder.decide(stored.order_id, settle)
            is_settled = True
        finally:
            if not is_settled:
                self._poke()
        return outcome

    async def _ask(
        self, stored: StoredPayment, refund: Refund, refund_id: str
    ) -> Callable[[Payment], None]:
        """The provider's answer, as what to record. Raises Unavailable while it is unknown."""
        try:
            reversal = await self._provider.refund(
                key=domain.refund_key(stored.order_id, refund_id),
                reference=stored.reference,
                amount=Money(refund.amount_minor, stored.amount.currency),
            )
        except FailedPrecondition as error:
            if refund_id == UNDO:  # who undoes never gives up
                raise
            reason = error.detail[:REASON_LENGTH_MAX]
            return lambda payment: payment.drop_refund(refund_id, reason=reason)
        return lambda payment: payment.end_refund(refund_id, reference=reversal.reference)


def _look(_: Payment) -> None:
    """Change nothing."""


def _exceeds(left: Money) -> RefundExceedsCapture:
    return RefundExceedsCapture(
        f"{left} are left to give back", left_minor=left.amount_minor, currency=left.currency
    )

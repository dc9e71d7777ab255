"""Money at the provider that nobody waits for: found, and given back or let go."""

import logging

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId
from emporion.services.payment import domain
from emporion.services.payment.commands.deciding import decide, follow
from emporion.services.payment.commands.holds import Holds
from emporion.services.payment.commands.lanes import Lanes
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.commands.refunds import RefundCommands
from emporion.services.payment.domain import Payment, Status
from emporion.services.payment.ports import (
    Answer,
    Approval,
    PaymentProvider,
    Standing,
    StoredPayment,
)

_log = logging.getLogger(__name__)


class Strays:
    """Answers that come on their own, and payments to be looked at again.

    Methods with a StoredPayment are for callers in the lane of its order.
    """

    def __init__(
        self, recorder: Recorder, provider: PaymentProvider, runtime: Runtime, *, lanes: Lanes
    ) -> None:
        self._recorder = recorder
        self.provider = provider
        self._clock = runtime.clock
        self._lanes = lanes
        self.holds = Holds(recorder, provider)
        self.rechecks = Alarm("give back stray money", runtime, self.give_back_stray)
        self.refunds = RefundCommands(recorder, provider, lanes=lanes, poke=self.rechecks.poke)

    async def hear(self, key: str, answer: Answer) -> None:
        """Take an answer that came on its own: late, or once more. Effect once.

        One for a charge of which nothing is recorded yet is left to the charge's own retry,
        which gets the same answer. Money that the provider took after it had declined is written
        down as owed, and goes back as soon as the provider can be reached: the order is given up.
        """
        order_id = domain.order_of_key(key)
        async with self._lanes.of(order_id):
            known = await self._recorder.find(order_id)
            if known is None:
                _log.info("an answer came for %s, of which nothing is recorded yet", order_id)
                return
            if known.status is Status.PENDING:
                known = await self._recorder.change(
                    order_id, lambda payment: decide(payment, answer, known)
                )
            if isinstance(answer, Approval):
                if known.status is Status.DECLINED and answer.is_held:
                    await self.holds.release(known, answer.reference)
                elif known.status is Status.DECLINED:
                    await self._owe(order_id, answer)
                elif known.status is Status.VOIDED:
                    await self.clear(known)

    async def agree(self, order_id: OrderId, reference: str = "") -> bool:
        """Ask the provider where the money of an order is, and record what it says.

        Whatever led here, the outcome depends on the provider's word alone. False: no payment of
        the order is recorded yet, and the provider has something for it, or has not seen it yet.
        Raises Unavailable.
        """
        async with self._lanes.of(order_id):
            known = await self._recorder.find(order_id)
            if known is not None:
                reference = known.reference or reference
            standing = await self.provider.look(order_id=order_id, reference=reference)
            if standing is None:
                return known is not None
            if known is None:
                return not (standing.is_held or standing.is_taken)
            await self._follow(known, standing)
            return True

    async def _follow(self, known: StoredPayment, standing: Standing) -> None:
        known = await self._recorder.change(
            known.order_id, lambda payment: follow(payment, standing, known)
        )
        if known.status is Status.VOIDED and (standing.is_held or standing.is_taken):
            await self.clear(known)
        elif known.status is Status.DECLINED and standing.is_held:
            await self.holds.release(known, standing.reference)
        elif known.status is Status.OWED:
            self.rechecks.poke()
        elif known.status is Status.CAPTURED and known.recheck_at_ms is not None:
            await self.refunds.settle_open(known)

    async def repeat_refunds(self, order_id: OrderId) -> None:
        """Ask again, under their keys, for refunds of our books that the provider does not have."""
        async with self._lanes.of(order_id):
            known = await self._recorder.find(order_id)
            if known is not None and known.status in {Status.CAPTURED, Status.REFUNDED}:
                await self.refunds.repeat(known)

    async def give_back_stray(self) -> int | None:
        """Give back stray money, and settle refunds whose answer was lost; when to look again.

        Stray is what the provider took for voided and declined payments.
        Raises the last error when one could not be given back or looked up; the others were.
        """
        failure: EmporionError | None = None
        for order_id in await self._recorder.due_rechecks():
            try:
                await self._look_again(order_id)
            except EmporionError as error:
                failure = error
                await self._recorder.put_off(order_id)
        if failure is not None:
            raise failure
        return await self._recorder.next_recheck_ms()

    async def _look_again(self, order_id: OrderId) -> None:
        async with self._lanes.of(order_id):
            known = await self._recorder.find(order_id)
            if known is None:
                return
            if known.status is Status.OWED:
                await self.give_back(known)
            elif known.status is Status.VOIDED:
                await self.clear(known)
            elif known.status is Status.CAPTURED:
                await self.refunds.settle_open(known)

    async def _owe(self, order_id: OrderId, approval: Approval) -> None:
        def change(payment: Payment) -> None:
            if payment.status is Status.DECLINED:
                payment.take_late(reference=approval.reference)

        await self._recorder.change(order_id, change)
        self.rechecks.poke()

    async def give_back(self, owed: StoredPayment) -> StoredPayment:
        """Give back what was taken after a decline."""
        reversal = await self.provider.refund(
            key=domain.refund_key(owed.order_id),
            reference=owed.reference,
            amount=owed.amount,
        )

        def change(payment: Payment) -> None:
            if payment.status is Status.OWED:
                payment.return_owed(reference=reversal.reference)

        return await self._recorder.change(owed.order_id, change)

    async def clear(self, voided: StoredPayment) -> StoredPayment:
        """Look for a charge of a voided payment at the provider, and give it back."""
        found = await self.provider.find(key=domain.charge_key(voided.order_id))
        if isinstance(found, Approval) and found.is_held:
            await self.holds.release(voided, found.reference)
            found = None
        if not isinstance(found, Approval):
            await self._recorder.postpone(voided)
            self.rechecks.poke()
            return voided
        reversal = await self.provider.refund(
            key=domain.refund_key(voided.order_id),
            reference=found.reference,
            amount=voided.amount,
        )

        def change(payment: Payment) -> None:
            if payment.status is Status.VOIDED:
                payment.give_back(
                    charge_reference=found.reference, refund_reference=reversal.reference
                )

        return await self._recorder.change(voided.order_id, change)

    def is_due(self, voided: StoredPayment) -> bool:
        """Whether to look at the provider again."""
        at_ms = voided.recheck_at_ms
        return at_ms is not None and at_ms <= self._clock.now_ms()

"""Charge an order and undo the charge, each with effect once.

The provider is never called inside a transaction. A crash between its answer and our record is
healed by asking again with the same key.
"""

import asyncio
import logging

from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.payment import Charge, PaymentDeclined, PaymentVoided
from emporion.kernel.errors import Conflict, EmporionError, Unavailable
from emporion.kernel.ids import OrderId
from emporion.services.payment import domain
from emporion.services.payment.commands.first_sight import FirstSight
from emporion.services.payment.commands.lanes import Lanes
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.commands.refunds import RefundCommands
from emporion.services.payment.domain import DifferentCharge, NoPaymentMethod, Payment, Status
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Decline,
    PaymentProvider,
    StoredPayment,
)

_log = logging.getLogger(__name__)
REASON_LENGTH_MAX = 100


class Commands:
    """Charge and undo."""

    def __init__(
        self,
        recorder: Recorder,
        provider: PaymentProvider,
        runtime: Runtime,
        *,
        is_sole_writer: bool,
    ) -> None:
        self._recorder = recorder
        self._first_sight = FirstSight(runtime.clock.now_ms(), is_sole_writer=is_sole_writer)
        self._provider = provider
        self._runtime = runtime
        self._lanes = Lanes()
        self.rechecks = Alarm("give back stray money", runtime, self.give_back_stray)
        self.refunds = RefundCommands(
            recorder, provider, lanes=self._lanes, poke=self.rechecks.poke
        )

    async def charge(self, request: Charge) -> StoredPayment:
        """See PaymentService.charge."""
        async with self._lanes.of(request.order_id):
            is_new = self._first_sight.is_first(request.order_id)
            known = None if is_new else await self._recorder.find(request.order_id)
            if known is None:
                return await self._charge_first(request)
            if known.status is Status.PENDING:
                _require_same(known, request)
                return await self._settle(request, await self._ask(request))
            return _settled(known, request)

    async def refund(self, request: Charge) -> StoredPayment:
        """See PaymentService.refund.

        What is not known to be captured is voided first, so that no charge can start any more;
        only then the provider is asked whether one is there.
        """
        async with self._lanes.of(request.order_id):
            is_new = self._first_sight.is_first(request.order_id)
            known = None if is_new else await self._recorder.find(request.order_id)
            if known is None or known.status is Status.PENDING:
                known = await self._recorder.change(
                    request.order_id, lambda payment: _void(payment, request)
                )
            _require_same(known, request)
            if known.status is Status.CAPTURED:
                return await self.refunds.undo(known)
            if known.status is Status.OWED:
                return await self._give_back(known)
            if known.status is Status.VOIDED and self._is_recheck_due(known):
                return await self._clear(known)
            return known

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
                    order_id, lambda payment: _decide(payment, answer, known)
                )
            if isinstance(answer, Approval):
                if known.status is Status.DECLINED:
                    await self._owe(order_id, answer)
                elif known.status is Status.VOIDED:
                    await self._clear(known)

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
        if failure is not None:
            raise failure
        return await self._recorder.next_recheck_ms()

    async def _look_again(self, order_id: OrderId) -> None:
        async with self._lanes.of(order_id):
            known = await self._recorder.find(order_id)
            if known is None:
                return
            if known.status is Status.OWED:
                await self._give_back(known)
            elif known.status is Status.VOIDED:
                await self._clear(known)
            elif known.status is Status.CAPTURED:
                await self.refunds.settle_open(known)

    async def _owe(self, order_id: OrderId, approval: Approval) -> None:
        def decide(payment: Payment) -> None:
            if payment.status is Status.DECLINED:
                payment.take_late(reference=approval.reference)

        await self._recorder.change(order_id, decide)
        self.rechecks.poke()

    async def _charge_first(self, request: Charge) -> StoredPayment:
        answer = await self._ask(request)
        payment = Payment.of(request.order_id)
        _decide(payment, answer, request)
        try:
            stored = await self._recorder.add(payment)
        except Conflict:  # another process was first: what it recorded decides
            return await self._settle(request, answer)
        return _settled(stored, request)

    async def _settle(self, request: Charge, answer: Answer) -> StoredPayment:
        """Record the answer, unless the payment was decided meanwhile; the record decides."""
        stored = await self._recorder.change(
            request.order_id, lambda payment: _decide(payment, answer, request)
        )
        if stored.status is Status.VOIDED and isinstance(answer, Approval):
            await self._clear(stored)
        return _settled(stored, request)

    async def _ask(self, request: Charge) -> Answer:
        """The provider's answer; raises Unavailable when it is unknown, and records that."""
        domain.require_chargeable(request.amount)
        token = request.payment_token
        if token is None:
            raise NoPaymentMethod
        try:
            answer = await self._provider.charge(
                key=domain.charge_key(request.order_id),
                amount=request.amount,
                token=token,
            )
        except asyncio.CancelledError:  # the caller's deadline; this task may not wait any more
            _ = self._runtime.tasks.spawn("note an attempt", self._note_attempt(request))
            raise
        except EmporionError as error:
            if not error.is_outcome_known:
                await self._note_attempt(request)
            raise
        if isinstance(answer, Decline):
            return Decline(_without_token(answer.reason, token))
        return answer

    async def _note_attempt(self, request: Charge) -> None:
        def decide(payment: Payment) -> None:
            if payment.status is Status.NEW:
                payment.attempt(request.user_id, request.amount)

        await self._recorder.change(request.order_id, decide)

    async def _give_back(self, owed: StoredPayment) -> StoredPayment:
        reversal = await self._provider.refund(
            key=domain.refund_key(owed.order_id),
            reference=owed.reference,
            amount=owed.amount,
        )

        def decide(payment: Payment) -> None:
            if payment.status is Status.OWED:
                payment.return_owed(reference=reversal.reference)

        return await self._recorder.change(owed.order_id, decide)

    async def _clear(self, voided: StoredPayment) -> StoredPayment:
        """Look for a charge of a voided payment at the provider, and give it back."""
        found = await self._provider.find(key=domain.charge_key(voided.order_id))
        if not isinstance(found, Approval):
            await self._recorder.postpone(voided)
            self.rechecks.poke()
            return voided
        reversal = await self._provider.refund(
            key=domain.refund_key(voided.order_id),
            reference=found.reference,
            amount=voided.amount,
        )

        def decide(payment: Payment) -> None:
            if payment.status is Status.VOIDED:
                payment.give_back(
                    charge_reference=found.reference, refund_reference=reversal.reference
                )

        return await self._recorder.change(voided.order_id, decide)

    def _is_recheck_due(self, voided: StoredPayment) -> bool:
        at_ms = voided.recheck_at_ms
        return at_ms is not None and at_ms <= self._runtime.clock.now_ms()


def _decide(payment: Payment, answer: Answer, about: Charge | StoredPayment) -> None:
    """Take over the provider's answer, unless the payment is decided already."""
    if not payment.is_open:
        return
    match answer:
        case Approval(reference=reference):
            payment.capture(about.user_id, about.amount, reference=reference)
        case Decline(reason=reason):
            payment.decline(about.user_id, about.amount, reason=reason)


def _void(payment: Payment, request: Charge) -> None:
    if payment.is_open:
        payment.void(request.user_id, request.amount)


def _settled(stored: StoredPayment, request: Charge) -> StoredPayment:
    """The answer to a charge, by what is recorded. Raises the refusal, or Unavailable."""
    match stored.status:
        case Status.CAPTURED:
            _require_same(stored, request)
            return stored
        case Status.DECLINED | Status.OWED:
            raise PaymentDeclined(reason=stored.decline_reason)
        case Status.REFUNDED if stored.decline_reason:  # the same answer as before
            raise PaymentDeclined(reason=stored.decline_reason)
        case Status.VOIDED | Status.REFUNDED:
            raise PaymentVoided
        case Status.PENDING | Status.NEW:
            raise Unavailable("the payment provider has not answered yet")


def _require_same(stored: StoredPayment, request: Charge) -> None:
    if stored.user_id != request.user_id or stored.amount != request.amount:
        raise DifferentCharge(order_id=request.order_id)


def _without_token(reason: str, token: str) -> str:
    """A provider's words, bounded, and never with the payment token in them."""
    return reason.replace(token, "[token]")[:REASON_LENGTH_MAX]

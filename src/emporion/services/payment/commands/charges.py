"""Charge an order and undo the charge, each with effect once.

The provider is never called inside a transaction. A crash between its answer and our record is
healed by asking again with the same key.
"""

import asyncio

from emporion.chassis.runtime.ports import Runtime
from emporion.contracts.payment import CaptureHeld, Charge, NotAuthorised
from emporion.contracts.payment_tokens import require_token
from emporion.kernel.errors import Conflict, EmporionError
from emporion.services.payment import domain
from emporion.services.payment.commands.deciding import (
    UNTAKEN,
    decide,
    require_same,
    settled,
    void,
)
from emporion.services.payment.commands.first_sight import FirstSight
from emporion.services.payment.commands.lanes import Lanes
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.commands.strays import Strays
from emporion.services.payment.domain import NoPaymentMethod, Payment, Status
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Decline,
    PaymentProvider,
    StoredPayment,
)

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
        self.strays = Strays(recorder, provider, runtime, lanes=self._lanes)
        self.refunds = self.strays.refunds

    async def charge(self, request: Charge) -> StoredPayment:
        """See PaymentService.charge."""
        async with self._lanes.of(request.order_id):
            is_new = self._first_sight.is_first(request.order_id)
            known = None if is_new else await self._recorder.find(request.order_id)
            if known is None:
                stored = await self._charge_first(request)
            elif known.status is Status.PENDING:
                require_same(known, request)
                stored = await self._settle(request, await self._ask(request))
            else:
                stored = settled(known, request)
            return stored if stored.status is Status.CAPTURED else await self._take(stored)

    async def authorise(self, request: Charge) -> StoredPayment:
        """See PaymentService.authorise."""
        async with self._lanes.of(request.order_id):
            known = await self._recorder.find(request.order_id)
            if known is not None and known.status is not Status.PENDING:
                return settled(known, request)
            if known is not None:
                require_same(known, request)
            return await self._settle(request, await self._ask(request, is_hold=True))

    async def capture(self, request: CaptureHeld) -> StoredPayment:
        """See PaymentService.capture."""
        async with self._lanes.of(request.order_id):
            known = await self._recorder.find(request.order_id)
            if known is None:
                raise NotAuthorised
            return await self._take(settled(known, None))

    async def refund(self, request: Charge) -> StoredPayment:
        """See PaymentService.refund.

        What is not known to be captured is voided first, so that no charge can start any more;
        only then the provider is asked whether one is there.
        """
        async with self._lanes.of(request.order_id):
            is_new = self._first_sight.is_first(request.order_id)
            known = None if is_new else await self._recorder.find(request.order_id)
            if known is None or known.status in UNTAKEN:
                known = await self._recorder.change(
                    request.order_id, lambda payment: void(payment, request)
                )
            require_same(known, request)
            if known.status is Status.CAPTURED:
                return await self.refunds.undo(known)
            if known.status is Status.OWED:
                return await self.strays.give_back(known)
            if known.status is Status.VOIDED and self.strays.is_due(known):
                return await self.strays.clear(known)
            return known

    async def _charge_first(self, request: Charge) -> StoredPayment:
        answer = await self._ask(request)
        payment = Payment.of(request.order_id)
        decide(payment, answer, request)
        try:
            stored = await self._recorder.add(payment)
        except Conflict:  # another process was first: what it recorded decides
            return await self._settle(request, answer)
        return settled(stored, request)

    async def _settle(self, request: Charge, answer: Answer) -> StoredPayment:
        """Record the answer, unless the payment was decided meanwhile; the record decides."""
        stored = await self._recorder.change(
            request.order_id, lambda payment: decide(payment, answer, request)
        )
        if stored.status is Status.VOIDED and isinstance(answer, Approval):
            await self.strays.clear(stored)
        return settled(stored, request)

    async def _take(self, stored: StoredPayment) -> StoredPayment:
        """Captured, as it is or from now on. Raises PaymentDeclined when it is held no more."""
        if stored.status is Status.AUTHORISED:
            stored = await self.strays.holds.capture(stored)
        return settled(stored, None)

    async def _ask(self, request: Charge, *, is_hold: bool = False) -> Answer:
        """The provider's answer; raises Unavailable when it is unknown, and records that."""
        domain.require_chargeable(request.amount)
        token = request.payment_token
        if token is None:
            raise NoPaymentMethod
        require_token(token)
        try:
            obtain = self._provider.authorise if is_hold else self._provider.charge
            answer = await obtain(
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
        def attempt(payment: Payment) -> None:
            if payment.status is Status.NEW:
                payment.attempt(request.user_id, request.amount)

        await self._recorder.change(request.order_id, attempt)


def _without_token(reason: str, token: str) -> str:
    """A provider's words, bounded, and never with the payment token in them."""
    return reason.replace(token, "[token]")[:REASON_LENGTH_MAX]

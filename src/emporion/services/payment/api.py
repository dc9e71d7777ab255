"""Answers the payment contract."""

from emporion.chassis.calls.context import caller
from emporion.contracts.contract import Empty
from emporion.contracts.payment import (
    Balances,
    CaptureHeld,
    Charge,
    LedgerBalances,
    ListPayments,
    Payment,
    PaymentHistory,
    PaymentOf,
    PaymentPage,
    PaymentService,
    PaymentStatus,
    RefundPart,
    TakeWebhook,
)
from emporion.contracts.payment_books import (
    DetectIrregularities,
    Healed,
    HealIrregularity,
    Irregularities,
    ListMovements,
    MovementPage,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.money import Money
from emporion.services.payment.commands.charges import Commands
from emporion.services.payment.commands.detectors import Detectors
from emporion.services.payment.commands.webhooks import Webhooks
from emporion.services.payment.domain import Status, payment_id_of
from emporion.services.payment.ports import StoredPayment
from emporion.services.payment.queries import STAFF_SCOPE, Queries

_STATUS: dict[Status, PaymentStatus] = {
    status: PaymentStatus(status.value) for status in Status if status is not Status.NEW
}


class PaymentApi(PaymentService):
    """The contract, answered by commands and queries."""

    def __init__(
        self, commands: Commands, webhooks: Webhooks, detectors: Detectors, *, queries: Queries
    ) -> None:
        self._commands = commands
        self._detectors = detectors
        self._webhooks = webhooks
        self._queries = queries

    async def charge(self, request: Charge) -> Payment:
        return view(await self._commands.charge(request))

    async def authorise(self, request: Charge) -> Payment:
        return view(await self._commands.authorise(request))

    async def capture(self, request: CaptureHeld) -> Payment:
        return view(await self._commands.capture(request))

    async def refund(self, request: Charge) -> Payment:
        return view(await self._commands.refund(request))

    async def refund_part(self, request: RefundPart) -> Payment:
        return view(await self._commands.refunds.refund_part(request))

    async def detect(self, request: DetectIrregularities) -> Irregularities:
        return await self._detectors.detect(request)

    async def heal(self, request: HealIrregularity) -> Healed:
        return await self._detectors.heal(request)

    async def list_movements(self, request: ListMovements) -> MovementPage:
        return await self._queries.movements(request)

    async def take_webhook(self, request: TakeWebhook) -> Empty:
        await self._webhooks.take(request)
        return Empty()

    async def get_payment(self, request: PaymentOf) -> Payment:
        if request.as_of is not None:
            return view(await self._queries.get_past(request.order_id, request.as_of, caller()))
        stored = await self._queries.get(request.order_id)
        caller().require_owner(stored.user_id, staff_scope=STAFF_SCOPE)
        return view(stored)

    async def payment_of(self, request: PaymentOf) -> Payment:
        return view(await self._queries.get(request.order_id))

    async def payment_history(self, request: PaymentOf) -> PaymentHistory:
        return await self._queries.history(request)

    async def list_payments(self, request: ListPayments) -> PaymentPage:
        page, next_cursor = await self._queries.page(request)
        return PaymentPage(payments=[view(stored) for stored in page], next_cursor=next_cursor)

    async def ledger(self, request: Balances) -> LedgerBalances:
        return await self._queries.ledger()


def view(stored: StoredPayment) -> Payment:
    """A payment as others see it."""
    created_ms, updated_ms = stored.created_at_ms, stored.updated_at_ms
    created_at = to_datetime(created_ms)
    return Payment(
        payment_id=payment_id_of(stored.order_id),
        order_id=stored.order_id,
        user_id=stored.user_id,
        status=_STATUS[stored.status],
        amount=stored.amount,
        refunded=Money(stored.refunded_minor, stored.amount.currency),
        provider_reference=stored.reference,
        created_at=created_at,
        updated_at=created_at if updated_ms == created_ms else to_datetime(updated_ms),
    )

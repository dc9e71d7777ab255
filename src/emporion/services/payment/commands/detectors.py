"""Finds where orders, payments and the provider disagree about money, and puts it right.

It reads what is committed, in pages; what it does goes through the same commands as everything
else, so that a detector that is wrong can do no more than a repeated call.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from emporion.chassis.calls.context import caller
from emporion.chassis.data.database import Database
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts.order import HoldNeeded, OrderOf, OrderService
from emporion.contracts.payment import Charge
from emporion.contracts.payment_books import (
    DetectIrregularities,
    Healed,
    HealIrregularity,
    Irregularities,
    Irregularity,
    IrregularityKind,
    NothingToHeal,
)
from emporion.kernel.clock import to_instant_ms
from emporion.kernel.errors import ResourceExhausted
from emporion.kernel.ids import ORDER, USER, OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment import domain
from emporion.services.payment.commands.charges import Commands
from emporion.services.payment.domain import Status
from emporion.services.payment.ports import PaymentStore, Standing, StoredHealing, StoredPayment

PAGE = 500
FOUND_MAX = 1_000
DEALINGS_MAX = 100_000
WINDOW_MS = 2 * 86_400_000
PATIENCE_MS = 60_000
"""A refund without an end that is younger is on its way."""
NOBODY = UserId(f"{USER}_{'0' * 32}")
"""Whose money it is that came for an order that we do not know."""
_WITHOUT_MONEY = frozenset(
    {Status.PENDING, Status.AUTHORISED, Status.DECLINED, Status.OWED, Status.VOIDED}
)
_KIND = IrregularityKind
_NEEDS_A_PERSON = "the provider has no money for it either: ask the customer, or call the order off"


@dataclass(frozen=True, slots=True)
class PaymentBooks:
    """The payments, their database, and what seals why something is healed."""

    database: Database
    store: PaymentStore
    notes: SealedNotes


class Detectors:
    """Detects and heals."""

    def __init__(
        self,
        books: PaymentBooks,
        commands: Commands,
        *,
        runtime: Runtime,
        orders: OrderService,
    ) -> None:
        self._database = books.database
        self._store = books.store
        self._notes = books.notes
        self._commands = commands
        self._strays = commands.strays
        self._provider = commands.strays.provider
        self._clock = runtime.clock
        self._orders = orders

    async def detect(self, request: DetectIrregularities) -> Irregularities:
        """See PaymentService.detect."""
        now_ms = self._clock.now_ms()
        since_ms = to_instant_ms(request.since) if request.since else now_ms - WINDOW_MS
        theirs = await self._dealings(since_ms)
        found: list[Irregularity] = []
        examined = 0
        async for payment in self._payments(since_ms):
            examined += 1
            found += await self._examined(payment, theirs.pop(payment.order_id, []))
        for order_id, standings in sorted(theirs.items()):
            found += await self._unrecorded(order_id, standings)
        return Irregularities(irregularities=found[:FOUND_MAX], examined=examined)

    async def heal(self, request: HealIrregularity) -> Healed:
        """See PaymentService.heal."""
        before = await self._of(request.order_id, request.kind)
        if before is None:
            raise NothingToHeal
        healing = StoredHealing(
            request.order_id,
            request.kind.value,
            caller().subject,
            await self._sealed(request),
            self._clock.now_ms(),
        )
        await self._database.transaction(lambda tx: self._store.note_healing(tx, healing))
        match request.kind:
            case IrregularityKind.PAID_NO_ORDER:
                await self._give_back(request.order_id, before)
            case IrregularityKind.CAPTURED_TWICE:
                await self._give_surplus_back(request.order_id)
            case IrregularityKind.ORDER_NO_MONEY | IrregularityKind.REFUND_LOST:
                await self._ask_again(request.order_id)
        after = await self._of(request.order_id, request.kind)
        detail = "done" if after is None else after.detail
        if after is not None and request.kind is IrregularityKind.ORDER_NO_MONEY:
            detail = _NEEDS_A_PERSON
        return Healed(
            order_id=request.order_id, kind=request.kind, is_healed=after is None, detail=detail
        )

    async def _sealed(self, request: HealIrregularity) -> str:
        """The reason, sealed; as it is where nobody here knows whose money it is."""
        known = await self._database.read(lambda tx: self._store.find(tx, request.order_id))
        if known is None:
            return request.reason
        return await self._notes.sealed(known.user_id, request.reason)

    async def _of(self, order_id: OrderId, kind: IrregularityKind) -> Irregularity | None:
        made_ms = int(order_id[len(ORDER) + 1 :][:12], 16)
        theirs = (await self._dealings(made_ms)).get(order_id, [])
        known = await self._database.read(lambda tx: self._store.find(tx, order_id))
        found = (
            await self._unrecorded(order_id, theirs)
            if known is None
            else await self._examined(known, theirs, is_patient=False)
        )
        return next((each for each in found if each.kind is kind), None)

    async def _dealings(self, since_ms: int) -> dict[OrderId, list[Standing]]:
        theirs: dict[OrderId, list[Standing]] = {}
        number = 0
        async for standing in self._provider.dealings(since_ms=since_ms):
            number += 1
            if number > DEALINGS_MAX:
                raise ResourceExhausted(f"more than {DEALINGS_MAX} charges; choose a later `since`")
            theirs.setdefault(standing.order_id, []).append(standing)
        return theirs

    async def _payments(self, since_ms: int) -> AsyncIterator[StoredPayment]:
        last = f"{ORDER}_{since_ms:012x}"
        while rows := await self._page_after(last):
            for row in rows:
                yield row
            last = rows[-1].order_id

    async def _page_after(self, last: str) -> list[StoredPayment]:
        return await self._database.read(lambda tx: self._store.rows_after(tx, last, limit=PAGE))

    async def _examined(
        self, payment: StoredPayment, theirs: list[Standing], *, is_patient: bool = True
    ) -> list[Irregularity]:
        order = await self._orders.is_hold_needed(OrderOf(order_id=payment.order_id))
        patience_ms = PATIENCE_MS if is_patient else 0
        age_ms = self._clock.now_ms() - payment.updated_at_ms
        told = [
            (_KIND.PAID_NO_ORDER, _kept_in_vain(payment, order)),
            (_KIND.ORDER_NO_MONEY, _without_money(payment, order)),
            (_KIND.CAPTURED_TWICE, _surplus(theirs, payment.reference)),
            (_KIND.REFUND_LOST, _lost(payment, theirs, is_overdue=age_ms >= patience_ms)),
        ]
        return [
            Irregularity(
                kind=kind,
                order_id=payment.order_id,
                amount=Money(minor, payment.amount.currency),
                detail=f"the payment is {payment.status}",
            )
            for kind, minor in told
            if minor
        ]

    async def _unrecorded(self, order_id: OrderId, theirs: list[Standing]) -> list[Irregularity]:
        """What the provider has for an order without a payment here."""
        kept = [each for each in theirs if each.is_taken and _left_minor(each)]
        if not kept:
            return []
        order = await self._orders.is_hold_needed(OrderOf(order_id=order_id))
        if order.is_needed and not order.is_paid:
            return []  # its saga is at work
        kind = _KIND.ORDER_NO_MONEY if order.is_paid else _KIND.PAID_NO_ORDER
        return [
            Irregularity(
                kind=kind,
                order_id=order_id,
                amount=kept[0].amount,
                detail="the provider has it, and no payment is recorded here",
            )
        ]

    async def _give_back(self, order_id: OrderId, found: Irregularity) -> None:
        known = await self._database.read(lambda tx: self._store.find(tx, order_id))
        await self._commands.refund(
            Charge(
                order_id=order_id,
                user_id=known.user_id if known else NOBODY,
                amount=known.amount if known else found.amount,
            )
        )

    async def _give_surplus_back(self, order_id: OrderId) -> None:
        """What was taken beyond the one charge goes back; it never was in our ledger."""
        known = await self._database.read(lambda tx: self._store.find(tx, order_id))
        made_ms = int(order_id[len(ORDER) + 1 :][:12], 16)
        theirs = (await self._dealings(made_ms)).get(order_id, [])
        for each in _beyond(theirs, known.reference if known else ""):
            await self._provider.refund(
                key=domain.refund_key(order_id, f"surplus-{each.reference}"),
                reference=each.reference,
                amount=Money(_left_minor(each), each.amount.currency),
            )

    async def _ask_again(self, order_id: OrderId) -> None:
        await self._strays.agree(order_id)
        await self._strays.repeat_refunds(order_id)


def _kept_in_vain(payment: StoredPayment, order: HoldNeeded) -> int:
    is_kept = payment.status is Status.CAPTURED and not order.is_needed
    return payment.amount.amount_minor - payment.refunded_minor if is_kept else 0


def _without_money(payment: StoredPayment, order: HoldNeeded) -> int:
    is_undone = payment.status is Status.REFUNDED and payment.parts_minor < payment.refunded_minor
    is_without = payment.status in _WITHOUT_MONEY or is_undone
    return payment.amount.amount_minor if order.is_paid and is_without else 0


def _surplus(theirs: list[Standing], reference: str) -> int:
    return sum(_left_minor(each) for each in _beyond(theirs, reference))


def _beyond(theirs: list[Standing], reference: str) -> list[Standing]:
    """What was taken beside the charge we know; while we know none, any of them may be it."""
    if not reference:
        return []
    return [
        each
        for each in theirs
        if each.is_taken and _left_minor(each) and each.reference != reference
    ]


def _lost(payment: StoredPayment, theirs: list[Standing], *, is_overdue: bool) -> int:
    """What of our refunds the provider does not have, or the other way round."""
    if payment.status not in {Status.CAPTURED, Status.REFUNDED} or not is_overdue:
        return 0
    if payment.status is Status.CAPTURED and payment.recheck_at_ms is not None:
        return payment.amount.amount_minor - payment.refunded_minor
    there = [
        back.amount.amount_minor
        for each in theirs
        if each.reference == payment.reference
        for back in each.returned
    ]
    return abs(payment.refunded_minor - sum(there)) if theirs else 0


def _left_minor(standing: Standing) -> int:
    back = sum(each.amount.amount_minor for each in standing.returned)
    return standing.amount.amount_minor - back

"""PaymentStore in SQL that SQLite and PostgreSQL share."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.eventstore.snapshots import Snapshots
from emporion.chassis.eventstore.store import EventStore, Stored
from emporion.kernel.errors import Internal
from emporion.kernel.ids import OrderId, PaymentId, UserId
from emporion.kernel.money import Money
from emporion.services.payment.domain import (
    REFUND_PATIENCE_MS,
    Attempted,
    Authorised,
    Captured,
    Declined,
    PartRefunded,
    Payment,
    PaymentEvent,
    RefundBegun,
    RefundDropped,
    Refunded,
    Refunds,
    Returned,
    Status,
    TakenLate,
    Voided,
    order_id_of,
    payment_id_of,
    transfers_of,
)
from emporion.services.payment.ports import Posted, StoredHealing, StoredPayment

_COLUMNS = (
    "order_id, user_id, status, amount_minor, currency, refunded_minor, parts_minor, reference,"
    " decline_reason, recheck_at_ms, created_at_ms, updated_at_ms"
)
_FIND = f"SELECT {_COLUMNS} FROM payment WHERE order_id = ?"  # noqa: S608 - constants only
_INSERT = f"INSERT INTO payment ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
_UPDATE = (
    "UPDATE payment SET status = ?, refunded_minor = ?, parts_minor = ?, reference = ?,"
    " decline_reason = ?, recheck_at_ms = ?, updated_at_ms = ? WHERE order_id = ?"
    " RETURNING created_at_ms"
)
_TRANSFER = (
    "INSERT INTO ledger_transfer"
    " (payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms, refund_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_HEALING = "INSERT INTO healing (order_id, kind, actor, reason, at_ms) VALUES (?, ?, ?, ?, ?)"
_HEALINGS = (
    "SELECT order_id, kind, actor, reason, at_ms FROM healing WHERE order_id = ?"
    " ORDER BY seq LIMIT ?"
)
_POSTPONE = "UPDATE payment SET recheck_at_ms = ? WHERE order_id = ? AND recheck_at_ms IS NOT NULL"
_DUE = (
    "SELECT order_id FROM payment WHERE recheck_at_ms IS NOT NULL AND recheck_at_ms <= ?"
    " ORDER BY recheck_at_ms LIMIT ?"
)
_NEXT = "SELECT min(recheck_at_ms) FROM payment WHERE recheck_at_ms IS NOT NULL"
_OLDER = "order_id < ? ORDER BY order_id DESC LIMIT ?"
_PAST_EVERY_ID = "~"
_PAGE = f"SELECT {_COLUMNS} FROM payment WHERE {_OLDER}"  # noqa: S608 - constants only
_PAGE_OF = f"SELECT {_COLUMNS} FROM payment WHERE status = ? AND {_OLDER}"  # noqa: S608 - constants only
_PAGE_OF_UNUSUAL = (
    f"SELECT {_COLUMNS} FROM payment WHERE status = ? AND status <> 'captured' AND {_OLDER}"  # noqa: S608 - constants only
)
_AFTER = f"SELECT {_COLUMNS} FROM payment WHERE order_id > ? ORDER BY order_id LIMIT ?"  # noqa: S608 - constants only
_POSTED = (
    "SELECT debit_account, credit_account, currency, CAST(sum(amount_minor) AS BIGINT), max(seq)"
    " FROM (SELECT * FROM ledger_transfer WHERE seq > ? ORDER BY seq LIMIT ?) AS stretch"
    " GROUP BY debit_account, credit_account, currency"
)


KINDS: Mapping[str, type[PaymentEvent]] = {
    "payment.attempted": Attempted,
    "payment.authorised": Authorised,
    "payment.captured": Captured,
    "payment.declined": Declined,
    "payment.taken_late": TakenLate,
    "payment.refund_begun": RefundBegun,
    "payment.part_refunded": PartRefunded,
    "payment.refund_dropped": RefundDropped,
    "payment.refunded": Refunded,
    "payment.voided": Voided,
    "payment.returned": Returned,
}
"""The stored names of the events: for ever."""
_EARLIER: Mapping[str, type[PaymentEvent]] = {
    name.replace("_", ""): kind for name, kind in KINDS.items() if "_" in name
}
"""Names without a gap, as they were written before; they are read for ever, too."""

SNAPSHOT_EVERY = 100
_STATE = {
    "status": Status,
    "user_id": UserId,
    "amount": Money | None,
    "refunded_minor": int,
    "refunds": Refunds,
    "reference": str,
    "decline_reason": str,
}
_STATE_SHAPE = 2
_VOIDED, _OWED = Status.VOIDED, Status.OWED


class SqlPayments:
    """The port, on one database."""

    def __init__(self) -> None:
        self.events: EventStore[PaymentEvent] = EventStore(
            KINDS, {name: partial(msgspec.convert, type=kind) for name, kind in _EARLIER.items()}
        )
        self.snapshots = Snapshots(
            self.events, Payment, _STATE, shape=_STATE_SHAPE, every=SNAPSHOT_EVERY
        )

    async def find(self, tx: Tx, order_id: OrderId) -> StoredPayment | None:
        row = await tx.fetch_one(_FIND, order_id)
        return _stored(row) if row else None

    async def load(self, tx: Tx, order_id: OrderId) -> Payment:
        return await self.snapshots.load(tx, payment_id_of(order_id))

    async def history(self, tx: Tx, order_id: OrderId) -> list[Stored[PaymentEvent]]:
        return await self.events.load(tx, payment_id_of(order_id))

    def row_of(self, order_id: OrderId, history: Sequence[Stored[PaymentEvent]]) -> StoredPayment:
        events = (stored.event for stored in history)
        payment = Payment.from_history(payment_id_of(order_id), events)
        return _folded(payment, created_at_ms=history[0].at_ms, at_ms=history[-1].at_ms)

    async def save(self, tx: Tx, payment: Payment, *, at_ms: int) -> StoredPayment:
        before = payment.stored_version
        await self.events.append(
            tx, payment.id, payment.pending, expected_version=before, at_ms=at_ms
        )
        await self.snapshots.keep(tx, payment)
        stored = await (_update if before else _insert)(tx, payment, at_ms)
        for event in payment.pending:
            for transfer in transfers_of(event):
                await tx.execute(
                    _TRANSFER,
                    payment.id,
                    transfer.kind,
                    transfer.debit,
                    transfer.credit,
                    transfer.amount.amount_minor,
                    transfer.amount.currency,
                    at_ms,
                    transfer.refund_id,
                )
        return stored

    async def postpone(self, tx: Tx, order_id: OrderId, recheck_at_ms: int | None) -> None:
        await tx.execute(_POSTPONE, recheck_at_ms, order_id)

    async def due_rechecks(self, tx: Tx, now_ms: int, *, limit: int) -> list[OrderId]:
        return [OrderId(row[0]) for row in await tx.fetch(_DUE, now_ms, limit)]

    async def next_recheck_ms(self, tx: Tx) -> int | None:
        row = await tx.fetch_one(_NEXT)
        return row[0] if row else None

    async def page(
        self, tx: Tx, *, status: Status | None, before: str, limit: int
    ) -> list[StoredPayment]:
        start = before or _PAST_EVERY_ID
        if status is None:
            rows = await tx.fetch(_PAGE, start, limit)
        else:
            sql = _PAGE_OF if status is Status.CAPTURED else _PAGE_OF_UNUSUAL
            rows = await tx.fetch(sql, status.value, start, limit)
        return [_stored(row) for row in rows]

    async def rows_after(self, tx: Tx, order_id: str, *, limit: int) -> list[StoredPayment]:
        return [_stored(row) for row in await tx.fetch(_AFTER, order_id, limit)]

    async def movements(
        self, tx: Tx, after: str, *, limit: int
    ) -> tuple[list[tuple[OrderId, list[Stored[PaymentEvent]]]], str]:
        rows = await self.rows_after(tx, after, limit=limit)
        if not rows:
            return [], ""
        first = payment_id_of(OrderId(after)) if after else ""
        proved = await self.events.prove(tx, after=first, until=payment_id_of(rows[-1].order_id))
        found = [(order_id_of(PaymentId(at)), told.events) for at, told in sorted(proved.items())]
        return found, rows[-1].order_id

    async def note_healing(self, tx: Tx, healing: StoredHealing) -> None:
        await tx.execute(
            _HEALING,
            healing.order_id,
            healing.kind,
            healing.actor,
            healing.reason,
            healing.at_ms,
        )

    async def healings(self, tx: Tx, order_id: OrderId, *, limit: int) -> list[StoredHealing]:
        return [StoredHealing(*row) for row in await tx.fetch(_HEALINGS, order_id, limit)]

    async def posted_after(self, tx: Tx, seq: int, *, limit: int) -> Posted:
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        last_seq = seq
        for debit, credit, currency, total, highest in await tx.fetch(_POSTED, seq, limit):
            debited, credited = sums.get((debit, currency), (0, 0))
            sums[debit, currency] = (debited + total, credited)
            debited, credited = sums.get((credit, currency), (0, 0))
            sums[credit, currency] = (debited, credited + total)
            last_seq = max(last_seq, highest)
        return Posted(sums, last_seq)


async def _insert(tx: Tx, payment: Payment, at_ms: int) -> StoredPayment:
    stored = _folded(payment, created_at_ms=at_ms, at_ms=at_ms)
    await tx.execute(
        _INSERT,
        stored.order_id,
        stored.user_id,
        stored.status,
        stored.amount.amount_minor,
        stored.amount.currency,
        stored.refunded_minor,
        stored.parts_minor,
        stored.reference,
        stored.decline_reason,
        stored.recheck_at_ms,
        at_ms,
        at_ms,
    )
    return stored


async def _update(tx: Tx, payment: Payment, at_ms: int) -> StoredPayment:
    row = await tx.fetch_one(
        _UPDATE,
        payment.status,
        payment.refunded_minor,
        payment.refunds.parts_minor,
        payment.reference,
        payment.decline_reason,
        _recheck_at_ms(payment, at_ms),
        at_ms,
        payment.order_id,
    )
    if row is None:
        raise Internal(f"{payment.id} has events and no row")
    return _folded(payment, created_at_ms=row[0], at_ms=at_ms)


def _folded(payment: Payment, *, created_at_ms: int, at_ms: int) -> StoredPayment:
    """The row of a payment that has at least one event."""
    if payment.amount is None:
        raise Internal(f"{payment.id} has no amount")
    return StoredPayment(
        order_id=payment.order_id,
        user_id=payment.user_id,
        status=cast("Status", payment.status),
        amount=payment.amount,
        refunded_minor=payment.refunded_minor,
        parts_minor=payment.refunds.parts_minor,
        reference=payment.reference,
        decline_reason=payment.decline_reason,
        recheck_at_ms=_recheck_at_ms(payment, at_ms),
        created_at_ms=created_at_ms,
        updated_at_ms=at_ms,
    )


def _recheck_at_ms(payment: Payment, at_ms: int) -> int | None:
    """What may have to go back is looked at at once; a refund on its way, in a while."""
    if payment.status is _VOIDED or payment.status is _OWED:
        return at_ms
    return at_ms + REFUND_PATIENCE_MS if payment.refunds.open_ids else None


def _stored(row: Row) -> StoredPayment:
    return StoredPayment(
        order_id=OrderId(row[0]),
        user_id=UserId(row[1]),
        status=Status(row[2]),
        amount=Money(row[3], row[4]),
        refunded_minor=row[5],
        parts_minor=row[6],
        reference=row[7],
        decline_reason=row[8],
        recheck_at_ms=row[9],
        created_at_ms=row[10],
        updated_at_ms=row[11],
    )

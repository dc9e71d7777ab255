"""Proves payment's own books, compares them with the provider's, and gives facts for others'."""

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple, Self

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.eventstore.store import Proved
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId
from emporion.services.payment.adapters.book import Entry
from emporion.services.payment.adapters.rehearsal import REFERENCE_PREFIX
from emporion.services.payment.adapters.sql import SqlPayments
from emporion.services.payment.domain import (
    Payment,
    PaymentEvent,
    Status,
    TransferKind,
    order_of_key,
    payment_id_of,
    transfers_of,
)
from emporion.services.payment.ports import StoredPayment

PAGE_SIZE = 500
END = "~"
"""Sorts after every id."""
REPLAY = "payment events replay to the row"
CHAIN = "payment event chain unbroken"
SNAPSHOT = "snapshots = payment events"
LEDGER = "ledger = payments"
BOOK = "provider's book = payments"

_TRANSFERS = (
    "SELECT payment_id, kind, debit_account, credit_account, amount_minor, currency, refund_id"
    " FROM ledger_transfer WHERE payment_id > ? AND payment_id <= ? ORDER BY seq"
)
_STRAY = (
    "SELECT payment_id, kind FROM ledger_transfer t WHERE NOT EXISTS"
    " (SELECT 1 FROM event e WHERE e.stream = t.payment_id) LIMIT ?"
)
_store = SqlPayments()


class Violation(NamedTuple):
    """A check that failed: `subject` is the order's id."""

    check: str
    subject: str
    detail: str


class PaymentFact(NamedTuple):
    """What was taken for an order and what was given back, minor units.

    `parts_minor` of what was given back left the order standing.
    """

    order_id: OrderId
    status: Status
    captured_minor: int
    refunded_minor: int
    parts_minor: int
    currency: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every payment whose events, row and ledger transfers do not say the same.

    The three change in one transaction and are read in one, so a difference is real also beside
    a running shop.
    """
    last = ""
    while last != END:
        page = await database.read(_Page(last).read)
        for found in _examined(page):
            yield found
        last = page.until
    for payment_id, kind in await database.read(lambda tx: tx.fetch(_STRAY, PAGE_SIZE)):
        yield Violation(LEDGER, payment_id, f"a {kind} transfer without a payment")


async def payments(database: Database) -> AsyncIterator[PaymentFact]:
    """The money of every order by rising order id, in pages of 500, each of its own instant."""
    async for rows in _pages(database):
        for row in rows:
            yield _fact(row)


async def differences(database: Database, book: Iterable[Entry]) -> AsyncIterator[Violation]:
    """Where the rehearsal provider's book and ours differ, by rising order id.

    Holds one number an order.

    Beside a running shop, an order whose saga is open may be among them: its charge is on its
    way from one book to the other.
    """
    kept, charges = _kept_by_order(book)
    for order_id, number in charges.items():
        if number > 1:
            yield Violation(BOOK, order_id, f"was charged {number} times at the provider")
    async for fact in _rehearsed(database):
        ours = fact.captured_minor - fact.refunded_minor
        theirs = kept.pop(fact.order_id, 0)
        if ours != theirs:
            detail = f"is {fact.status} with {ours} kept here, {theirs} at the provider (minor)"
            yield Violation(BOOK, fact.order_id, detail)
    for order_id, theirs in sorted(kept.items()):
        if theirs:
            yield Violation(BOOK, order_id, f"{theirs} (minor) at the provider, no payment here")


async def _rehearsed(database: Database) -> AsyncIterator[PaymentFact]:
    """The payments that no other provider took: what Stripe took stands in no book here."""
    async for rows in _pages(database):
        for row in rows:
            if not row.reference or row.reference.startswith(REFERENCE_PREFIX):
                yield _fact(row)


def _kept_by_order(book: Iterable[Entry]) -> tuple[dict[str, int], dict[str, int]]:
    """What the provider keeps for each order, and how often it charged it where not once."""
    kept: dict[str, int] = {}
    repeated: dict[str, int] = {}
    for entry in book:
        if entry.kind == "charge":
            order_id = order_of_key(entry.key)
            if order_id in kept:
                repeated[order_id] = repeated.get(order_id, 1) + 1
            kept[order_id] = kept.get(order_id, 0) + entry.amount.amount_minor
        elif entry.kind == "refund":
            order_id = order_of_key(entry.key)
            kept[order_id] = kept.get(order_id, 0) - entry.amount.amount_minor
    return kept, repeated


def _fact(row: StoredPayment) -> PaymentFact:
    is_taken = row.status in {Status.CAPTURED, Status.OWED, Status.REFUNDED}
    return PaymentFact(
        order_id=row.order_id,
        status=row.status,
        captured_minor=row.amount.amount_minor if is_taken else 0,
        refunded_minor=row.refunded_minor,
        parts_minor=row.parts_minor,
        currency=row.amount.currency,
    )


async def _pages(database: Database) -> AsyncIterator[list[StoredPayment]]:
    last = ""
    while rows := await _page_after(database, last):
        yield rows
        last = rows[-1].order_id


async def _page_after(database: Database, after: str) -> list[StoredPayment]:
    return await database.read(lambda tx: _store.rows_after(tx, after, limit=PAGE_SIZE))


class _Page:
    """The rows after an order id, and all events and transfers in that range, of one instant."""

    def __init__(self, after: str) -> None:
        self._after = after
        self.until = END
        self.rows: list[StoredPayment] = []
        self.histories: dict[str, Proved[PaymentEvent]] = {}
        self.unlike: list[str] = []
        self.transfers: dict[str, list[Row]] = {}

    async def read(self, tx: Tx) -> Self:
        self.rows = await _store.rows_after(tx, self._after, limit=PAGE_SIZE)
        self.until = self.rows[-1].order_id if len(self.rows) == PAGE_SIZE else END
        after, until = _id_of(self._after), _id_of(self.until)
        self.histories = await _store.events.prove(tx, after=after, until=until)
        self.unlike = await _store.snapshots.unlike(tx, self.histories, after=after, until=until)
        for payment_id, *transfer in await tx.fetch(_TRANSFERS, after, until):
            self.transfers.setdefault(payment_id, []).append(tuple(transfer))
        return self


def _id_of(order_id: str) -> str:
    return order_id if order_id in {"", END} else payment_id_of(OrderId(order_id))


def _examined(page: _Page) -> list[Violation]:
    found = [Violation(SNAPSHOT, stream, "it is not what its events say") for stream in page.unlike]
    for row in page.rows:
        payment_id = payment_id_of(row.order_id)
        history = page.histories.pop(payment_id, None)
        if history is None:
            found.append(Violation(REPLAY, row.order_id, "it has a row but no events"))
        elif history.broken_at:
            found.append(Violation(CHAIN, row.order_id, f"event {history.broken_at}"))
        else:
            events = [stored.event for stored in history.events]
            found += _replayed(row, events)
            found += _posted(row, events, page.transfers.get(payment_id, []))
    found += [Violation(REPLAY, stream, "it has events but no row") for stream in page.histories]
    return found


def _replayed(row: StoredPayment, events: list[PaymentEvent]) -> list[Violation]:
    try:
        return _compared(Payment.from_history(payment_id_of(row.order_id), events), row)
    except EmporionError as error:
        return [Violation(REPLAY, row.order_id, error.detail)]


def _compared(payment: Payment, row: StoredPayment) -> list[Violation]:
    said = {
        "status": (payment.status, row.status),
        "user": (payment.user_id, row.user_id),
        "amount": (payment.amount, row.amount),
        "refunded": (payment.refunded_minor, row.refunded_minor),
        "given back in parts": (payment.refunds.parts_minor, row.parts_minor),
        "reference": (payment.reference, row.reference),
    }
    return [
        Violation(REPLAY, row.order_id, f"{name}: its events say {events}, its row {stored}")
        for name, (events, stored) in said.items()
        if events != stored
    ]


def _posted(
    row: StoredPayment, history: list[PaymentEvent], transfers: list[Row]
) -> list[Violation]:
    due = [
        (
            one.kind,
            one.debit,
            one.credit,
            one.amount.amount_minor,
            one.amount.currency,
            one.refund_id,
        )
        for event in history
        for one in transfers_of(event)
    ]
    if due == transfers:
        return []
    missing = [str(TransferKind(one[0])) for one in due if one not in transfers]
    return [
        Violation(
            LEDGER,
            row.order_id,
            f"{len(transfers)} transfers are posted, its events call for {len(due)}"
            + (f"; wrong or missing: {', '.join(missing)}" if missing else ""),
        )
    ]

"""Payments of an older version are read, audited and refunded by this one."""

import shutil
from pathlib import Path

from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.eventstore.store import EventStore
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import START_MS, manual_runtime
from emporion.contracts.payment import PaymentStatus
from emporion.kernel.money import Money
from emporion.services.payment import audit
from emporion.services.payment.adapters.book import Book, Entry
from emporion.services.payment.adapters.sql import KINDS, SqlPayments
from emporion.services.payment.domain import (
    EVENTS,
    Captured,
    PartRefunded,
    PaymentEvent,
    RefundBegun,
    Refunded,
    charge_key,
    payment_id_of,
    refund_key,
)
from tests.services.payment.desk import USER, open_desk, order_id, part, request

EUR = Money(1250, "EUR")
ROW = (
    "INSERT INTO payment (order_id, user_id, status, amount_minor, currency, refunded_minor,"
    " reference, decline_reason, recheck_at_ms, created_at_ms, updated_at_ms)"
    " VALUES (?, ?, ?, 1250, 'EUR', ?, ?, '', NULL, 0, 0)"
)
TRANSFER = (
    "INSERT INTO ledger_transfer"
    " (payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms)"
    " VALUES (?, ?, ?, ?, 1250, 'EUR', 0)"
)


async def write_as_before(tx: Tx) -> None:
    """A captured payment, and one that was captured and refunded, as version 1 wrote them."""
    store = SqlPayments()
    for number, status, refunded in ((1, "captured", 0), (2, "refunded", 1250)):
        order, payment = order_id(number), payment_id_of(order_id(number))
        reference = f"rh_{charge_key(order)}"
        history: list[PaymentEvent] = [Captured(USER, EUR, reference), Refunded(EUR, "b")]
        await store.events.append(tx, payment, history[:number], expected_version=0, at_ms=START_MS)
        await tx.execute(ROW, order, USER, status, refunded, reference)
        await tx.execute(TRANSFER, payment, "capture", "provider", "sales")
        if refunded:
            await tx.execute(TRANSFER, payment, "refund", "sales", "provider")


def first_migration(engine: Engine, folder: Path) -> Migrations:
    source = migrations_of("payment", engine)
    folder.mkdir()
    name = "0001_payment.sql"
    shutil.copy(str(source.folder / name), folder / name)
    return Migrations(source.component, folder)


async def test_payments_from_before_partial_refunds_keep_their_books(engine, tmp_path: Path):
    old = first_migration(engine, tmp_path / "old")
    async with sql_database(
        engine, tmp_path, [old], source="payment", runtime=manual_runtime()
    ) as database:
        await database.transaction(write_as_before)
    book = Book(tmp_path / "provider.log")
    for number in (1, 2):
        key = charge_key(order_id(number))
        book.put(Entry("charge", key, f"rh_{key}", EUR))
    book.put(Entry("refund", refund_key(order_id(2)), "b", EUR))
    book.close()

    async with open_desk(tmp_path, engine) as desk:
        assert [found async for found in audit.violations(desk.database)] == []
        payment = await desk.service.refund_part(part("r1", 250))
        assert payment.refunded == Money(250, "EUR")
        assert (await desk.service.refund(request(order=2))).status is PaymentStatus.REFUNDED
        assert [found async for found in audit.violations(desk.database)] == []
        assert [f async for f in audit.differences(desk.database, desk.effects())] == []
        assert await desk.transfers() == [
            ("capture", 1250),
            ("capture", 1250),
            ("refund", 1250),
            ("refund", 250),
        ]


def test_every_event_of_a_payment_has_a_stored_name():
    assert set(KINDS.values()) == set(EVENTS)


async def test_events_under_the_names_of_before_are_read_and_prove_themselves(
    engine, tmp_path: Path
):
    begun, back = RefundBegun("r1", EUR, "why"), PartRefunded("r1", EUR, "b")
    history: list[PaymentEvent] = [Captured(USER, EUR, "a"), begun, back]
    stream = payment_id_of(order_id(1))
    before: EventStore[PaymentEvent] = EventStore(
        {name.replace("_", ""): kind for name, kind in KINDS.items()}
    )
    async with open_desk(tmp_path, engine) as desk:

        async def write(tx: Tx) -> None:
            await before.append(tx, stream, history, expected_version=0, at_ms=START_MS)

        await desk.database.transaction(write)
        assert await desk.events() == [
            "payment.captured",
            "payment.refundbegun",
            "payment.partrefunded",
        ]
        store = SqlPayments()
        stored = await desk.database.read(lambda tx: store.history(tx, order_id(1)))
        assert [each.event for each in stored] == history
        proved = await desk.database.read(lambda tx: store.events.prove(tx, after="", until="~"))
        assert proved[stream].broken_at == 0

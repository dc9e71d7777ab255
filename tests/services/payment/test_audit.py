"""The audit of payments: silent about right books, and about wrong ones never."""

import pytest

from emporion.chassis.testing.databases import Engine
from emporion.contracts.payment import PaymentDeclined
from emporion.kernel.errors import Unavailable
from emporion.kernel.money import Money
from emporion.services.payment import audit
from emporion.services.payment.adapters import book as book_module
from emporion.services.payment.adapters.book import Book, Entry, entries_in
from emporion.services.payment.domain import charge_key
from tests.services.payment.desk import Desk, number_of, order_id, part, request

SWAPPED = (
    "UPDATE ledger_transfer SET debit_account = credit_account, credit_account = debit_account"
    " WHERE payment_id = '{p1}'"
)
STRAY = (
    "INSERT INTO ledger_transfer"
    " (payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms)"
    " VALUES ('pay_stray', 'capture', 'provider', 'sales', 1, 'EUR', 0)"
)


@pytest.fixture
async def busy_desk(desk: Desk) -> Desk:
    """One payment of each kind."""
    await desk.service.charge(request(order=1))
    await desk.service.charge(request(order=2))
    await desk.service.refund(request(order=2))
    with pytest.raises(PaymentDeclined):
        await desk.service.charge(request("tok_declined", order=3))
    await desk.service.refund(request(order=4))
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout_lost", order=5))
    with pytest.raises(Unavailable):
        await desk.service.charge(request("tok_timeout", order=6))
    await desk.service.refund(request("tok_timeout", order=6))
    await desk.service.charge(request(order=7))
    await desk.service.refund_part(part("r1", 10, order=7))
    return desk


async def broken(desk: Desk, sql: str = "") -> list[tuple[str, str]]:
    """What the audit finds after a statement that no code of ours would run."""
    if sql:
        await desk.database.transaction(lambda tx: tx.execute(sql))
    return [(found.check, found.subject) async for found in audit.violations(desk.database)]


async def test_right_books_have_no_violations(busy_desk: Desk):
    book = entries_in(busy_desk.folder / "provider.log")

    assert await broken(busy_desk) == []
    assert [found async for found in audit.differences(busy_desk.database, book)] == []


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        ("UPDATE payment SET status = 'captured' WHERE order_id = '{3}'", audit.REPLAY),
        ("UPDATE payment SET amount_minor = 9 WHERE order_id = '{1}'", audit.REPLAY),
        ("UPDATE payment SET refunded_minor = 0 WHERE order_id = '{2}'", audit.REPLAY),
        ("UPDATE payment SET parts_minor = 9 WHERE order_id = '{7}'", audit.REPLAY),
        ("UPDATE ledger_transfer SET refund_id = 'x' WHERE payment_id = '{p7}'", audit.LEDGER),
        (
            "UPDATE event SET data = CAST('{}' AS BLOB) WHERE stream = '{p1}' AND version = 1",
            audit.CHAIN,
        ),
        ("DELETE FROM event WHERE stream = '{p2}' AND version = 1", audit.CHAIN),
        ("DELETE FROM event WHERE stream = '{p2}' AND version = 3", audit.REPLAY),
        ("DELETE FROM ledger_transfer WHERE payment_id = '{p1}'", audit.LEDGER),
        ("UPDATE ledger_transfer SET amount_minor = 1 WHERE payment_id = '{p1}'", audit.LEDGER),
        (SWAPPED, audit.LEDGER),
        (STRAY, audit.LEDGER),
    ],
)
async def test_each_way_to_cook_the_books_is_found(
    busy_desk: Desk, engine: Engine, sql: str, check: str
):
    sql = sql.replace("BLOB", "bytea") if engine == "postgres" else sql
    orders = [order_id(number) for number in range(8)]
    names = {f"p{number}": "pay_" + order[4:] for number, order in enumerate(orders)}
    for number, order in enumerate(orders):
        sql = sql.replace(f"{{{number}}}", order)
    for name, payment_id in names.items():
        sql = sql.replace(f"{{{name}}}", payment_id)

    assert check in [found for found, _ in await broken(busy_desk, sql)]


async def test_the_facts_say_what_was_taken_and_given_back(busy_desk: Desk):
    facts = [fact async for fact in audit.payments(busy_desk.database)]

    assert [(number_of(f.order_id), *f[2:5]) for f in facts] == [
        (1, 1250, 0, 0),
        (2, 1250, 1250, 0),
        (3, 0, 0, 0),
        (4, 0, 0, 0),
        (5, 0, 0, 0),
        (6, 1250, 1250, 0),
        (7, 1250, 10, 10),
    ]


async def test_facts_are_read_in_pages(busy_desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "PAGE_SIZE", 2)

    assert len([fact async for fact in audit.payments(busy_desk.database)]) == 7


async def test_money_that_only_the_provider_knows_of_is_found(busy_desk: Desk):
    """Planted: a key minted for each attempt charges twice; a forgotten charge has no order."""
    eur = Money(1250, "EUR")
    planted = [
        Entry("charge", charge_key(order_id(1)), "again", eur),
        Entry("charge", charge_key(order_id(77)), "unknown", eur),
    ]
    book = [*entries_in(busy_desk.folder / "provider.log"), *planted]

    found = [f async for f in audit.differences(busy_desk.database, book)]

    assert {(f.subject, f.detail) for f in found} == {
        (order_id(1), "was charged 2 times at the provider"),
        (order_id(1), "is captured with 1250 kept here, 2500 at the provider (minor)"),
        (order_id(77), "1250 (minor) at the provider, no payment here"),
    }


async def test_money_that_only_we_know_of_is_found(busy_desk: Desk):
    found = [f async for f in audit.differences(busy_desk.database, [])]

    assert [f.detail for f in found] == [
        "is captured with 1250 kept here, 0 at the provider (minor)",
        "is captured with 1240 kept here, 0 at the provider (minor)",
    ]


async def test_what_another_provider_took_stands_in_no_book_of_this_one(desk: Desk):
    await desk.service.charge(request())
    sql = "UPDATE payment SET reference = 'pi_1'"
    await desk.database.transaction(lambda tx: tx.execute(sql))

    assert [found async for found in audit.differences(desk.database, [])] == []


def test_a_book_survives_a_cut_off_last_line(tmp_path):
    path = tmp_path / "provider.log"
    book = Book(path)
    entries = [Entry("charge", f"k{n}", f"r{n}", Money(n, "EUR")) for n in range(1, 4)]
    for entry in entries:
        book.put(entry)
    book.close()
    with path.open("ab") as file:
        file.write(b'{"kind":"charge","key":"k4"')

    assert list(entries_in(path)) == entries
    again = Book(path)
    assert [again.find(f"k{n}") for n in range(1, 5)] == [*entries, None]
    again.put(Entry("refund", "k4", "r4", Money(4, "EUR")))
    again.close()
    assert [entry.key for entry in entries_in(path)] == ["k1", "k2", "k3", "k4"]


@pytest.mark.parametrize("is_opened_again", [False, True])
def test_a_long_book_remembers_the_newest_and_finds_the_oldest(
    tmp_path, monkeypatch, is_opened_again
):
    monkeypatch.setattr(book_module, "REMEMBERED_MAX", 10)
    book = Book(tmp_path / "provider.log")
    entries = [
        Entry(kind, f"{kind}-{order_id(number)}", f"{kind}{number}", Money(1, "EUR"))
        for number in range(1, 101)
        for kind in ("charge", "refund")
    ]
    for entry in entries:
        book.put(entry)
    if is_opened_again:
        book.close()
        book = Book(tmp_path / "provider.log")

    assert len(book._where) == 10
    assert [book.find(entry.key) for entry in entries] == entries
    assert book.find("charge-" + order_id(1)[:-1]) is None  # an order older than all
    monkeypatch.setattr(book_module, "_whole_lines", None)  # and for newer ones nobody looks
    assert book.find("charge-" + order_id(101)) is None
    assert book.find("refund-" + order_id(100)) == entries[-1]
    book.close()


@pytest.mark.parametrize("is_opened_again", [False, True])
def test_a_book_knows_what_went_back_for_every_order(tmp_path, monkeypatch, is_opened_again):
    monkeypatch.setattr(book_module, "REMEMBERED_MAX", 10)
    book = Book(tmp_path / "provider.log")
    for round_ in range(3):
        for number in range(1, 21):
            key = f"refund-{order_id(number)}-r-{round_}"
            book.put(Entry("refund", key, key, Money(number, "EUR")))
            book.put(Entry("refund", key, key, Money(number, "EUR")))
    if is_opened_again:
        book.close()
        book = Book(tmp_path / "provider.log")

    returned = [book.returned_minor(order_id(number)) for number in range(1, 22)]

    assert returned == [*(3 * number for number in range(1, 21)), 0]
    book.close()


def test_a_missing_book_is_empty(tmp_path):
    assert list(entries_in(tmp_path / "none.log")) == []


def test_a_book_without_a_path_is_kept_in_memory():
    book = Book()
    entry = Entry("charge", "k", "r", Money(1, "EUR"))
    book.put(entry)

    assert book.find("k") == entry
    assert book.find("other") is None


def test_two_processes_that_share_a_book_take_the_money_of_a_key_once(tmp_path):
    path = tmp_path / "provider.log"
    old, new = Book(path, is_shared=True), Book(path, is_shared=True)
    first = old.put(Entry("charge", "k1", "of the old one", Money(4, "EUR")))

    again = new.put(Entry("charge", "k1", "of the new one", Money(4, "EUR")))
    other = new.put(Entry("charge", "k2", "r2", Money(5, "EUR")))

    assert again == first
    assert old.find("k2") == other
    assert list(entries_in(path)) == [first, other]

"""Reading payments and the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.contracts.payment import Balances, ListPayments, PaymentOf, PaymentStatus
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import NotFound
from emporion.kernel.money import Money
from tests.services.payment.desk import USER, Desk, number_of, order_id, request

ORDER = order_id(1)


@contextmanager
def signed_in(subject: str, *scopes: str) -> Iterator[None]:
    token = enter(Call(identity=Identity(Kind.PERSON, subject, frozenset(scopes))))
    try:
        yield
    finally:
        leave(token)


async def test_defect_11_a_payment_is_shown_to_its_owner_and_to_staff_only(desk: Desk):
    charged = await desk.service.charge(request())

    with signed_in(USER, "orders:read"):
        assert await desk.service.get_payment(PaymentOf(order_id=ORDER)) == charged
    with signed_in("usr_" + "8" * 32, "payments:read"):
        assert await desk.service.get_payment(PaymentOf(order_id=ORDER)) == charged
    with signed_in("usr_" + "8" * 32, "orders:read"), pytest.raises(NotFound):
        await desk.service.get_payment(PaymentOf(order_id=ORDER))


async def test_an_order_without_a_payment_has_none_to_show(desk: Desk):
    with signed_in(USER), pytest.raises(NotFound):
        await desk.service.get_payment(PaymentOf(order_id=ORDER))


@pytest.mark.parametrize("status", [None, PaymentStatus.CAPTURED, PaymentStatus.REFUNDED])
async def test_pages_hold_every_payment_once_newest_order_first(
    desk: Desk, status: PaymentStatus | None
):
    for order in range(1, 8):
        await desk.service.charge(request(order=order))
        if order % 2:
            await desk.service.refund(request(order=order))
    expected = [
        order
        for order in range(7, 0, -1)
        if status is None or (status is PaymentStatus.REFUNDED) == bool(order % 2)
    ]

    seen, cursor = [], ""
    while True:
        page = await desk.service.list_payments(ListPayments(status=status, limit=2, cursor=cursor))
        seen += [number_of(payment.order_id) for payment in page.payments]
        cursor = page.next_cursor
        if not cursor:
            break

    assert seen == expected


async def test_the_balances_of_a_currency_sum_to_zero(desk: Desk):
    await desk.service.charge(request(order=1))
    await desk.service.charge(request(order=2, amount=Money(700, "JPY")))
    first = await desk.service.ledger(Balances())
    await desk.service.charge(request(order=3))
    await desk.service.refund(request(order=1))
    ledger = await desk.service.ledger(Balances())

    assert [(a.account, a.currency, a.balance_minor) for a in first.accounts] == [
        ("provider", "EUR", 1250),
        ("provider", "JPY", 700),
        ("sales", "EUR", -1250),
        ("sales", "JPY", -700),
    ]
    assert [(a.account, a.currency, a.debit_minor, a.credit_minor) for a in ledger.accounts] == [
        ("provider", "EUR", 2500, 1250),
        ("provider", "JPY", 700, 0),
        ("sales", "EUR", 1250, 2500),
        ("sales", "JPY", 0, 700),
    ]


async def test_the_ledger_is_summed_in_bounded_reads(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("emporion.services.payment.queries.TRANSFERS_PER_READ", 2)
    for order in range(1, 6):
        await desk.service.charge(request(order=order))

    ledger = await desk.service.ledger(Balances())

    assert [account.balance_minor for account in ledger.accounts] == [6250, -6250]


@pytest.mark.parametrize("cursor", ["x", "pay_" + "0" * 32, "ord_1"])
async def test_a_cursor_that_is_none_of_ours_is_refused(desk: Desk, cursor: str):
    with pytest.raises(UnknownCursor):
        await desk.service.list_payments(ListPayments(cursor=cursor))

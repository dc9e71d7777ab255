"""Each way in which two services' books can disagree is found, and nothing else is."""

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import pytest

from emporion.platform.audit.facts import (
    VIOLATIONS_MAX,
    Finding,
    HoldFact,
    MailFact,
    OrderFact,
    PaymentFact,
    SaleFact,
    ScreeningFact,
    SpendingFact,
    Violation,
)
from emporion.platform.audit.look import apply_rules, until_sure
from emporion.platform.audit.merge import Books, stories

T = TypeVar("T")


async def each(facts: Sequence[T]) -> AsyncIterator[T]:
    for fact in facts:
        yield fact


class Shop:
    """The books of a few orders."""

    def __init__(self) -> None:
        self.orders: list[OrderFact] = []
        self.payments: list[PaymentFact] = []
        self.holds: list[HoldFact] = []
        self.mails: list[MailFact] = []
        self.sales: list[SaleFact] = []
        self.screenings: list[ScreeningFact] = []
        self.spendings: list[SpendingFact] = []
        self.open_sagas: set[str] = set()
        self.unread: dict[str, set[str]] = {
            "email": set(),
            "inventory": set(),
            "analytics": set(),
            "fraud": set(),
        }

    def sold(self, name: str, total: int = 500) -> None:
        self.orders.append(OrderFact(name, "paid", total, "EUR"))
        self.payments.append(PaymentFact(name, "captured", total, 0, 0, "EUR"))
        self.holds.append(HoldFact(name, "committed"))
        self.mails.append(MailFact(name, 1))
        self.sales.append(SaleFact(name, total, "EUR"))
        self.screenings.append(ScreeningFact(name))

    async def violations(self) -> dict[str, str]:
        books = Books(
            orders=each(sorted(self.orders)),
            payments=each(sorted(self.payments)),
            holds=each(sorted(self.holds)),
            mails=each(sorted(self.mails)),
            sales=each(sorted(self.sales)),
            screenings=each(sorted(self.screenings)),
            spendings=each(sorted(self.spendings)),
            open_sagas=frozenset(self.open_sagas),
            unread={name: frozenset(ids) for name, ids in self.unread.items()},
        )
        findings = await apply_rules(stories(books))
        return {v.check: v.detail for finding in findings for v in finding.violations}


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    for name in ("a", "c", "e"):
        shop.sold(name)
    return shop


async def test_sold_rejected_and_cancelled_orders_add_up(shop):
    shop.orders += [
        OrderFact("b", "rejected", 100, "EUR"),
        OrderFact("d", "rejected", 100, "EUR"),
        OrderFact("f", "cancelled", 100, "EUR"),
    ]
    shop.payments += [
        PaymentFact("d", "declined", 0, 0, 0, "EUR"),
        PaymentFact("f", "refunded", 100, 100, 0, "EUR"),
    ]
    shop.mails.append(MailFact("f", 1))
    shop.sales.append(SaleFact("f", 100, "EUR"))
    shop.screenings.append(ScreeningFact("f"))

    assert await shop.violations() == {}


async def test_a_paid_order_without_money_is_found(shop):
    shop.payments = [payment for payment in shop.payments if payment.order_id != "c"]

    assert await shop.violations() == {
        "paid orders = captured payments": "is paid (5.00 EUR) without a payment"
    }


@pytest.mark.parametrize(
    "payment",
    [
        PaymentFact("c", "captured", 499, 0, 0, "EUR"),
        PaymentFact("c", "captured", 500, 0, 0, "USD"),
        PaymentFact("c", "refunded", 500, 500, 0, "EUR"),
        PaymentFact("c", "captured", 500, 200, 100, "EUR"),
        PaymentFact("c", "pending", 0, 0, 0, "EUR"),
    ],
)
async def test_a_paid_order_with_other_money_than_its_total_is_found(shop, payment):
    shop.payments[1] = payment

    assert set(await shop.violations()) == {"paid orders = captured payments"}


async def test_what_went_back_in_parts_leaves_the_order_sold(shop):
    shop.payments[1] = PaymentFact("c", "captured", 500, 200, 200, "EUR")

    assert await shop.violations() == {}


async def test_gift_cards_pay_for_orders_wholly_or_in_part(shop):
    del shop.payments[1]
    shop.payments[0] = PaymentFact("a", "captured", 100, 100, 100, "EUR")
    shop.spendings += [
        SpendingFact("a", 400, 0, 150, "EUR"),
        SpendingFact("b", 70, 70, 0, "EUR"),
        SpendingFact("c", 500, 0, 500, "EUR"),
    ]
    shop.orders.append(OrderFact("b", "rejected", 100, "EUR"))

    assert await shop.violations() == {}


@pytest.mark.parametrize(
    "spending",
    [
        SpendingFact("c", 399, 0, 0, "EUR"),
        SpendingFact("c", 401, 0, 0, "EUR"),
        SpendingFact("c", 400, 1, 0, "EUR"),
        SpendingFact("c", 400, 0, 0, "USD"),
    ],
)
async def test_a_paid_order_for_which_cards_gave_something_else_is_found(shop, spending):
    shop.payments[1] = PaymentFact("c", "captured", 100, 0, 0, "EUR")
    shop.spendings.append(spending)

    assert set(await shop.violations()) == {"paid orders = captured payments"}


async def test_a_gift_card_that_was_spent_for_nothing_is_found(shop):
    shop.spendings += [
        SpendingFact("b", 70, 0, 0, "EUR"),
        SpendingFact("d", 70, 0, 0, "EUR"),
    ]
    shop.orders.append(OrderFact("b", "rejected", 100, "EUR"))

    assert await shop.violations() == {
        "no money kept for unsold orders": "is rejected, but 0.70 EUR are kept",
        "every gift card spending has its order": "0.70 EUR of gift cards spent without an order",
    }


@pytest.mark.parametrize("status", ["rejected", "cancelled"])
async def test_money_kept_for_an_order_that_was_not_sold_is_found(shop, status):
    shop.orders.append(OrderFact("b", status, 100, "EUR"))
    shop.payments.append(PaymentFact("b", "captured", 100, 0, 0, "EUR"))
    for name in ("email", "analytics", "fraud"):
        shop.unread[name].add("b")

    assert await shop.violations() == {
        "no money kept for unsold orders": f"is {status}, but 1.00 EUR are kept"
    }
    shop.open_sagas.add("b")
    assert await shop.violations() == {}


async def test_a_payment_without_an_order_is_found(shop):
    shop.payments.append(PaymentFact("b", "captured", 100, 0, 0, "EUR"))

    assert set(await shop.violations()) == {"every payment has its order"}


async def test_a_paid_order_without_stock_is_found(shop):
    shop.holds.pop()

    assert set(await shop.violations()) == {"paid orders have their stock"}


async def test_a_hold_may_be_uncommitted_only_until_inventory_has_heard(shop):
    shop.holds[0] = HoldFact("a", "held")

    assert set(await shop.violations()) == {"paid orders have their stock"}
    shop.unread["inventory"].add("a")
    assert await shop.violations() == {}


async def test_stock_held_for_nobody_is_found(shop):
    shop.holds.append(HoldFact("b", "held"))
    shop.orders.append(OrderFact("d", "rejected", 1, "EUR"))
    shop.holds.append(HoldFact("d", "held"))

    assert set(await shop.violations()) == {"open holds = orders that need them"}


async def test_a_missing_or_second_confirmation_is_found(shop):
    shop.mails[0] = MailFact("a", 2)
    assert await shop.violations() == {"one confirmation per sold order": "has 2 confirmations"}

    shop.mails = shop.mails[1:]
    assert await shop.violations() == {"one confirmation per sold order": "has 0 confirmations"}

    shop.unread["email"].add("a")
    assert await shop.violations() == {}


async def test_a_sale_that_the_figures_do_not_count_is_found_once_they_have_heard_of_it(shop):
    rule = "figures count each sold order"
    shop.sales[0] = SaleFact("a", 1, "EUR")
    assert set(await shop.violations()) == {rule}

    shop.sales = shop.sales[1:]
    assert await shop.violations() == {rule: "is missing in the figures"}

    shop.unread["analytics"].add("a")
    assert await shop.violations() == {}


async def test_a_sale_that_was_not_screened_is_found_once_fraud_has_heard_of_it(shop):
    shop.screenings = shop.screenings[1:]
    assert await shop.violations() == {"sold orders are screened once": "was not screened"}

    shop.unread["fraud"].add("a")
    assert await shop.violations() == {}


async def test_a_screening_of_an_unsold_order_is_found(shop):
    shop.orders.append(OrderFact("b", "rejected", 1, "EUR"))
    shop.screenings += [ScreeningFact("b"), ScreeningFact("d")]

    assert (await shop.violations()).keys() == {"sold orders are screened once"}


async def test_an_unsold_order_in_the_figures_is_found(shop):
    shop.orders.append(OrderFact("b", "rejected", 1, "EUR"))
    shop.sales += [SaleFact("b", 1, "EUR"), SaleFact("c", 1, "EUR")]

    assert (await shop.violations()).keys() == {"figures count each sold order"}


async def test_a_confirmation_of_an_unsold_order_is_found(shop):
    shop.orders.append(OrderFact("b", "rejected", 1, "EUR"))
    shop.mails.append(MailFact("b", 1))

    assert set(await shop.violations()) == {"one confirmation per sold order"}


async def test_a_pending_order_that_nobody_works_on_is_found(shop):
    shop.orders.append(OrderFact("b", "pending", 1, "EUR"))

    assert set(await shop.violations()) == {"a saga works on each pending order"}
    shop.open_sagas.add("b")
    assert await shop.violations() == {}


def found(*subjects: str) -> list[Finding]:
    return [Finding("x", 1, [Violation("x", s, "") for s in subjects], len(subjects))]


async def looks(monkeypatch, *answers: list[Finding], is_running: bool, wait_s: float = 10):
    monkeypatch.setattr("emporion.platform.audit.look.PAUSE_S", 0)
    left = iter(answers)

    async def look() -> list[Finding]:
        return next(left)

    return await until_sure(look, is_running=is_running, wait_s=wait_s)


async def test_beside_a_running_shop_an_order_in_flight_is_no_violation(monkeypatch):
    report = await looks(monkeypatch, found("a", "b"), found("b", "c"), found("c"), is_running=True)

    assert (report.violations, report.looks) == (0, 3)


async def test_what_stays_wrong_is_a_violation(monkeypatch):
    report = await looks(monkeypatch, found("a", "b"), found("b", "c"), is_running=True, wait_s=0)

    assert [v.subject for v in report.findings[0].violations] == ["b"]


async def test_a_shop_that_is_not_running_is_looked_at_once(monkeypatch):
    report = await looks(monkeypatch, found("a"), is_running=False)

    assert (report.violations, report.looks) == (1, 1)


def test_a_finding_lists_so_many_and_counts_all():
    finding = Finding("x", 0, [], 0)
    for number in itertools.islice(itertools.count(), VIOLATIONS_MAX + 5):
        finding.add(Violation("x", str(number), ""))

    assert (len(finding.violations), finding.total) == (VIOLATIONS_MAX, VIOLATIONS_MAX + 5)

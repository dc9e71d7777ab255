"""The rules of a payment, for every sequence of what may happen to it."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment import domain
from emporion.services.payment.domain import (
    UNDO,
    DifferentRefund,
    MoreThanIsLeft,
    NothingToRefund,
    Payment,
    PaymentEvent,
    Status,
    TransferKind,
    transfers_of,
)

USER = UserId("usr_" + "7" * 32)
ORDER = OrderId("ord_" + "1" * 32)
EUR = Money(1250, "EUR")


def some_refund(payment: Payment) -> str:
    return next(reversed(payment.refunds.by_id), "none")


CHANGES: dict[str, Callable[[Payment], None]] = {
    "attempt": lambda p: p.attempt(USER, EUR),
    "authorise": lambda p: p.authorise(USER, EUR, reference="r"),
    "capture": lambda p: p.capture(USER, EUR, reference="r"),
    "decline": lambda p: p.decline(USER, EUR, reason="no"),
    "take late": lambda p: p.take_late(reference="r"),
    "void": lambda p: p.void(USER, EUR),
    "return what is owed": lambda p: p.return_owed(reference="b"),
    "give back": lambda p: p.give_back(charge_reference="r", refund_reference="b"),
    "begin a part": lambda p: p.begin_refund(f"r{len(p.refunds.by_id)}", Money(400, "EUR"), ""),
    "begin to undo": lambda p: p.begin_refund(UNDO, p.left, ""),
    "end a refund": lambda p: p.end_refund(some_refund(p), reference="p"),
    "drop a refund": lambda p: p.drop_refund(some_refund(p), reason="closed"),
}
amounts = st.builds(Money, st.integers(1, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))


class LifeOfAPayment(RuleBasedStateMachine):
    """Anything may be tried at any time; what may not happen is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = Payment.of(ORDER)

    @rule(change=st.sampled_from(sorted(CHANGES)))
    def try_to(self, change: str) -> None:
        before = (self.payment.status, self.payment.version)
        try:
            CHANGES[change](self.payment)
        except (NotInThisState, MoreThanIsLeft, NothingToRefund, DifferentRefund):
            assert (self.payment.status, self.payment.version) == before

    @invariant()
    def money_moves_at_most_once_each_way_and_never_more_back_than_in(self) -> None:
        moved: Counter[str] = Counter()
        for event in self.payment.pending:
            for transfer in transfers_of(event):
                moved[transfer.kind] += transfer.amount.amount_minor
        assert moved[TransferKind.REFUND] <= moved[TransferKind.CAPTURE]
        assert moved[TransferKind.CAPTURE] in {0, EUR.amount_minor}
        assert moved[TransferKind.REFUND] == self.payment.refunded_minor
        assert self.payment.refunded_minor + self.payment.refunds.open_minor <= 1250

    @invariant()
    def the_status_says_where_the_money_is(self) -> None:
        moved = {
            transfer.kind for event in self.payment.pending for transfer in transfers_of(event)
        }
        is_all_back = self.payment.refunded_minor == EUR.amount_minor
        match self.payment.status:
            case Status.CAPTURED | Status.OWED:
                assert "capture" in moved
                assert not is_all_back
            case Status.REFUNDED:
                assert moved == {"capture", "refund"}
                assert is_all_back
            case _:
                assert moved == set()

    @invariant()
    def its_events_replay_to_it(self) -> None:
        replayed = Payment.from_history(self.payment.id, self.payment.pending)
        assert vars(replayed) | {"pending": []} == vars(self.payment) | {"pending": []}


TestLifeOfAPayment = LifeOfAPayment.TestCase
TestLifeOfAPayment.settings = settings(max_examples=60, stateful_step_count=15)


@given(st.lists(st.tuples(amounts, st.booleans()), max_size=30))
def test_the_ledger_of_any_history_sums_to_zero_in_each_currency(
    history: list[tuple[Money, bool]],
):
    balances: Counter[str] = Counter()
    events: list[PaymentEvent] = []
    for amount, is_refunded in history:
        payment = Payment.of(ORDER)
        payment.capture(USER, amount, reference="r")
        if is_refunded:
            payment.begin_refund(UNDO, amount, "")
            payment.end_refund(UNDO, reference="b")
        events += payment.pending
    accounts: Counter[tuple[str, str]] = Counter()
    for event in events:
        for transfer in transfers_of(event):
            assert transfer.debit is not transfer.credit
            assert transfer.amount.amount_minor > 0
            accounts[transfer.debit, transfer.amount.currency] += transfer.amount.amount_minor
            accounts[transfer.credit, transfer.amount.currency] -= transfer.amount.amount_minor
    for (_, currency), balance in accounts.items():
        balances[currency] += balance

    assert set(balances.values()) <= {0}


def test_the_payment_of_an_order_is_named_after_it():
    assert domain.payment_id_of(ORDER) == "pay_" + "1" * 32
    assert domain.order_id_of(domain.payment_id_of(ORDER)) == ORDER
    assert Payment.of(ORDER).order_id == ORDER
    assert domain.order_of_key(domain.charge_key(ORDER)) == ORDER

"""The rules of a payment, for every sequence of what may happen to it."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment import domain
from emporion.services.payment.domain import (
    Payment,
    PaymentEvent,
    Status,
    TransferKind,
    transfers_of,
)

USER = UserId("usr_" + "7" * 32)
ORDER = OrderId("ord_" + "1" * 32)
CHANGES = ["attempt", "capture", "decline", "take_late", "void", "refund", "give_back"]
amounts = st.builds(Money, st.integers(1, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))


class LifeOfAPayment(RuleBasedStateMachine):
    """Anything may be tried at any time; what may not happen is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = Payment.of(ORDER)
        self.amount = Money(1250, "EUR")

    def attempt(self, change: str) -> None:
        before = (self.payment.status, self.payment.version)
        try:
            match change:
                case "attempt":
                    self.payment.attempt(USER, self.amount)
                case "capture":
                    self.payment.capture(USER, self.amount, reference="r")
                case "decline":
                    self.payment.decline(USER, self.amount, reason="no")
                case "take_late":
                    self.payment.take_late(reference="r")
                case "void":
                    self.payment.void(USER, self.amount)
                case "refund":
                    self.payment.refund(reference="b")
                case _:
                    self.payment.give_back(charge_reference="r", refund_reference="b")
        except NotInThisState:
            assert (self.payment.status, self.payment.version) == before

    @rule(change=st.sampled_from(CHANGES))
    def try_to(self, change: str) -> None:
        self.attempt(change)

    @invariant()
    def money_moves_at_most_once_each_way_and_never_more_back_than_in(self) -> None:
        moved = Counter(
            transfer.kind for event in self.payment.pending for transfer in transfers_of(event)
        )
        assert moved[TransferKind.REFUND] <= moved[TransferKind.CAPTURE] <= 1
        assert self.payment.refunded_minor in {0, self.amount.amount_minor}

    @invariant()
    def the_status_says_where_the_money_is(self) -> None:
        moved = sorted(
            transfer.kind for event in self.payment.pending for transfer in transfers_of(event)
        )
        match self.payment.status:
            case Status.CAPTURED | Status.OWED:
                assert moved == ["capture"]
            case Status.REFUNDED:
                assert moved == ["capture", "refund"]
            case _:
                assert moved == []

    @invariant()
    def its_events_replay_to_it(self) -> None:
        replayed = Payment.from_history(self.payment.id, self.payment.pending)
        assert vars(replayed) | {"pending": []} == vars(self.payment) | {"pending": []}


TestLifeOfAPayment = LifeOfAPayment.TestCase
TestLifeOfAPayment.settings = settings(max_examples=60, stateful_step_count=12)


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
            payment.refund(reference="b")
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

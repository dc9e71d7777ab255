"""A breaker opens when a callee does not answer, and closes when a probe says it is back."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emporion.chassis.resilience.breaker import Breaker, BreakerState, CircuitOpen
from emporion.chassis.testing.time import ManualClock, manual_runtime


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker("payment.charge", manual_runtime(clock))


def break_it(breaker: Breaker) -> None:
    while breaker.state is not BreakerState.OPEN:
        breaker.failed(is_probe=breaker.admit())


def test_twenty_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(19):
        breaker.failed(is_probe=breaker.admit())
    assert breaker.admit() is False

    breaker.failed(is_probe=False)

    with pytest.raises(CircuitOpen, match=r"payment\.charge"):
        breaker.admit()


def test_failures_among_many_successes_do_not_open_it(breaker: Breaker) -> None:
    breaker.failed(is_probe=False)
    for _ in range(30):
        breaker.succeeded(is_probe=False)
        breaker.succeeded(is_probe=False)
        breaker.failed(is_probe=False)

    assert breaker.state is BreakerState.CLOSED


def test_failures_of_long_ago_are_forgotten(breaker: Breaker, clock: ManualClock) -> None:
    for _ in range(20):
        breaker.failed(is_probe=breaker.admit())
        clock.advance(4)

    assert breaker.state is BreakerState.CLOSED


def test_one_probe_at_a_time_and_its_success_closes_it(
    breaker: Breaker, clock: ManualClock
) -> None:
    break_it(breaker)
    clock.advance(3)

    assert breaker.admit() is True
    with pytest.raises(CircuitOpen):
        breaker.admit()
    breaker.succeeded(is_probe=True)

    assert breaker.state is BreakerState.CLOSED
    assert not breaker.is_disturbed
    assert breaker.admit() is False


def test_a_failed_probe_keeps_it_open_for_longer(breaker: Breaker, clock: ManualClock) -> None:
    break_it(breaker)
    clock.advance(3)
    breaker.failed(is_probe=breaker.admit())

    clock.advance(3)
    with pytest.raises(CircuitOpen):
        breaker.admit()
    clock.advance(3)

    assert breaker.admit() is True


def test_a_probe_whose_caller_was_cancelled_makes_room_for_the_next(
    breaker: Breaker, clock: ManualClock
) -> None:
    break_it(breaker)
    clock.advance(3)
    breaker.forgotten(is_probe=breaker.admit())

    assert breaker.admit() is True


def test_late_answers_of_calls_from_before_do_not_decide(
    breaker: Breaker, clock: ManualClock
) -> None:
    break_it(breaker)

    breaker.succeeded(is_probe=False)
    breaker.failed(is_probe=False)

    assert breaker.state is BreakerState.OPEN
    assert breaker.opened == 1


class BreakerMachine(RuleBasedStateMachine):
    """Any course of calls, answers and time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.breaker = Breaker("x.y", manual_runtime(self.clock))
        self.flying: list[bool] = []

    @rule()
    def call(self) -> None:
        if not self.breaker.is_disturbed:
            self.flying.append(False)
            return
        try:
            self.flying.append(self.breaker.admit())
        except CircuitOpen:
            assert self.breaker.state is not BreakerState.CLOSED

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), end=st.sampled_from(["succeeded", "failed", "failed", "forgotten"]))
    def end(self, data: st.DataObject, end: str) -> None:
        place = data.draw(st.integers(0, len(self.flying) - 1))
        getattr(self.breaker, end)(is_probe=self.flying.pop(place))

    @rule(duration_s=st.floats(0, 40))
    def wait(self, duration_s: float) -> None:
        self.clock.advance(duration_s)

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        assert sum(self.flying) <= 1

    @invariant()
    def open_is_disturbed(self) -> None:
        if self.breaker.state is not BreakerState.CLOSED:
            assert self.breaker.is_disturbed

    def teardown(self) -> None:
        """Whatever happened: once the calls have ended, it comes back."""
        for is_probe in self.flying:
            self.breaker.forgotten(is_probe=is_probe)
        self.clock.advance(60)
        self.breaker.succeeded(is_probe=self.breaker.admit())
        assert self.breaker.state is BreakerState.CLOSED


TestAnyCourse = BreakerMachine.TestCase
TestAnyCourse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

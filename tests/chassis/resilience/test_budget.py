"""Retries are paid from a budget: no storm, however many calls fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.resilience.backoff import BASE_S, CEILING_S, backoff_s
from emporion.chassis.resilience.budget import MEMORY_S, RETRIES_PER_S, RETRY_SHARE, RetryBudget
from emporion.chassis.testing.time import ManualClock, SeededRandomness


def test_pitfall_6_when_every_call_fails_retries_add_a_fifth_and_ten_a_second() -> None:
    clock = ManualClock()
    budget = RetryBudget(clock)
    while budget.take():  # the reserve is gone
        pass

    granted = 0
    for _ in range(10_000):  # ten seconds of a thousand calls a second, each wanting a retry
        clock.advance(0.001)
        budget.calls += 1
        granted += budget.take()

    assert granted <= RETRY_SHARE * 10_000 + RETRIES_PER_S * 10 + 1
    assert granted > 0.9 * (RETRY_SHARE * 10_000 + RETRIES_PER_S * 10)


def test_a_quiet_service_can_still_retry() -> None:
    budget = RetryBudget(ManualClock())

    assert budget.take()


def test_a_busy_hour_does_not_pay_for_a_storm_later() -> None:
    clock = ManualClock()
    budget = RetryBudget(clock)
    budget.calls += 1_000_000
    clock.advance(3600)
    assert budget.tokens < 1_000_000 * RETRY_SHARE / 3600 * MEMORY_S + 101

    clock.advance(600)

    assert budget.tokens == pytest.approx(RETRIES_PER_S * MEMORY_S)


steps = st.tuples(st.floats(0, 100), st.integers(0, 1000), st.integers(0, 300))


@given(st.lists(steps, max_size=30))
def test_never_more_retries_than_the_calls_and_the_time_paid_for(
    course: list[tuple[float, int, int]],
) -> None:
    clock = ManualClock()
    budget = RetryBudget(clock)
    granted = calls = 0
    for duration_s, made, wanted in course:
        clock.advance(duration_s)
        budget.calls += made
        calls += made
        granted += sum(budget.take() for _ in range(wanted))
        elapsed_s = clock.monotonic_s()
        assert granted <= RETRIES_PER_S * (elapsed_s + MEMORY_S) + RETRY_SHARE * calls + 1e-6


@given(st.integers(1, 10_000), st.integers(0, 1000))
def test_the_backoff_stays_below_its_ceiling(retry: int, seed: int) -> None:
    pause_s = backoff_s(retry, SeededRandomness(seed))

    assert 0 <= pause_s <= min(CEILING_S, BASE_S * 2 ** min(retry, 20))

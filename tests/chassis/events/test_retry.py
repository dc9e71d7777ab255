"""Backoff doubles up to a bound, with jitter, and ends after the give-up time."""

from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.events.retry import RetryPolicy
from emporion.chassis.testing.time import SeededRandomness

POLICY = RetryPolicy()


@given(attempts=st.integers(1, 10_000), seed=st.integers(0, 1000))
def test_a_pause_lies_between_half_and_all_of_the_doubled_one(attempts, seed):
    whole_ms = min(2.0 ** (attempts - 1), 3600) * 1000 if attempts < 100 else 3_600_000

    assert whole_ms / 2 <= POLICY.pause_ms(attempts, SeededRandomness(seed)) <= whole_ms


@given(failing_ms=st.integers(0, 10**9))
def test_an_event_is_given_up_after_three_days_and_not_before(failing_ms):
    is_over = POLICY.is_over(first_failed_at_ms=5, now_ms=5 + failing_ms)

    assert is_over == (failing_ms >= 3 * 86_400_000)

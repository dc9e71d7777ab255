"""After an outage under load, the retries of our callers let the callee come back."""

from bench.retry_storm import AFTER_S, BEFORE_S, BUDGET, LOAD_PER_S, NAIVE, OUTAGE_S, WHOLE, storm
from emporion.chassis.resilience.budget import RETRIES_PER_S, RETRY_SHARE

OVER = BEFORE_S + OUTAGE_S


async def test_pitfall_6_naive_retries_keep_a_callee_down_that_is_well_again() -> None:
    outcome = await storm(NAIVE)

    assert outcome.goodput[BEFORE_S - 1] == LOAD_PER_S, "it could take the load before"
    assert outcome.goodput[OVER:] == [0] * AFTER_S
    assert outcome.recovered_s is None


async def test_pitfall_6_the_retry_budget_alone_lets_the_callee_come_back() -> None:
    outcome = await storm(BUDGET)

    assert sum(outcome.goodput[BEFORE_S:OVER]) == 0, "it was out"
    assert outcome.recovered_s is not None
    assert outcome.recovered_s <= 6
    bound = LOAD_PER_S * (1 + RETRY_SHARE) + RETRIES_PER_S
    assert all(attempts <= 1.01 * bound for attempts in outcome.attempts[OVER:])


async def test_pitfall_6_with_the_breaker_the_callee_is_back_in_two_seconds() -> None:
    outcome = await storm(WHOLE)

    assert outcome.recovered_s is not None
    assert outcome.recovered_s <= 2
    assert sum(outcome.attempts[OVER:]) <= LOAD_PER_S * AFTER_S, "hardly anything was repeated"

"""The limit on calls under way follows what the process can carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.chassis.resilience.limiter import AdaptiveLimiter, LimiterLimits
from emporion.kernel.errors import ResourceExhausted


def fill(limiter: AdaptiveLimiter, calls: int) -> None:
    for _ in range(calls):
        limiter.enter(is_optional=False)


def test_calls_above_the_limit_are_refused_and_counted() -> None:
    limiter = AdaptiveLimiter(LimiterLimits(calls_start=40))
    fill(limiter, 40)

    with pytest.raises(ResourceExhausted):
        limiter.enter(is_optional=False)

    assert limiter.shed == 1
    limiter.leave(is_slow=False)
    limiter.enter(is_optional=False)


def test_optional_services_are_shed_first() -> None:
    limiter = AdaptiveLimiter(LimiterLimits(calls_start=40))
    fill(limiter, 30)

    with pytest.raises(ResourceExhausted):
        limiter.enter(is_optional=True)

    limiter.enter(is_optional=False)


def test_pitfall_7_loop_lag_lowers_the_limit_and_quiet_restores_it() -> None:
    limiter = AdaptiveLimiter()
    for _ in range(10):
        limiter.adjust(0.5)
    lowered = limiter.limit
    assert lowered < LimiterLimits().calls_start / 2
    assert limiter.refuses_optional

    for _ in range(100):
        limiter.adjust(0.001)

    assert limiter.limit == LimiterLimits().calls_start


def test_calls_that_use_up_their_time_lower_the_limit() -> None:
    limiter = AdaptiveLimiter()
    fill(limiter, 100)
    for number in range(100):
        limiter.leave(is_slow=number % 2 == 0)

    limiter.adjust(0.0)

    assert limiter.limit < LimiterLimits().calls_start


def test_a_single_slow_call_says_nothing() -> None:
    limiter = AdaptiveLimiter()
    limiter.enter(is_optional=False)
    limiter.leave(is_slow=True)

    limiter.adjust(0.0)

    assert limiter.limit == LimiterLimits().calls_start


def test_a_limit_that_is_nearly_reached_without_lag_grows() -> None:
    limiter = AdaptiveLimiter()
    fill(limiter, 500)

    limiter.adjust(0.01)

    assert limiter.limit > LimiterLimits().calls_start


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 500), st.booleans()), max_size=60))
def test_the_limit_stays_within_its_bounds(course: list[tuple[float, int, bool]]) -> None:
    limiter = AdaptiveLimiter()
    for lag_s, calls, is_slow in course:
        admitted = 0
        for _ in range(calls):
            try:
                limiter.enter(is_optional=False)
            except ResourceExhausted:
                assert limiter.in_flight >= limiter.limit
            else:
                admitted += 1
        for _ in range(admitted):
            limiter.leave(is_slow=is_slow)
        limiter.adjust(lag_s)
        assert limiter.limits.calls_min <= limiter.limit <= limiter.limits.calls_max
        assert limiter.in_flight == 0

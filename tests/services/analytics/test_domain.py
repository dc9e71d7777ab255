"""What counts, and how time is cut, as pure rules."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.services.analytics.domain.buckets import (
    DAY_S,
    HOUR_S,
    Cut,
    Run,
    edges,
    quarters,
    runs,
)
from emporion.services.analytics.domain.facts import (
    REFUNDED,
    REJECTED,
    SOLD,
    Fact,
    Sum,
    settle,
    tally,
)

ZONES = ("UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu")


def fact(what: str, key: str = "a", part: str = "", at_ms: int = 0, amount_minor: int = 5) -> Fact:
    return Fact(key, what, part, at_ms, "EUR", 1, amount_minor)


def test_what_is_known_or_told_twice_counts_once():
    sale = fact(SOLD)

    assert settle([sale, sale], []) == ([sale], [sale])
    assert settle([sale], [sale]) == ([], [])


@pytest.mark.parametrize("known", [[], [fact(REJECTED)]])
def test_a_refund_of_an_order_that_was_not_sold_is_kept_and_not_counted(known):
    refund = fact(REFUNDED)

    assert settle([refund], known) == ([refund], [])


def test_a_refund_heard_of_before_its_sale_counts_with_the_sale():
    sale, refund = fact(SOLD), fact(REFUNDED, part="x")

    assert settle([sale], [refund]) == ([sale], [sale, refund])
    assert settle([refund], [sale]) == ([refund], [refund])
    assert settle([refund, sale], []) == ([refund, sale], [sale, refund])


@given(
    st.lists(
        st.builds(
            fact,
            st.sampled_from([SOLD, REFUNDED, REJECTED]),
            st.sampled_from("ab"),
            at_ms=st.integers(0, 3_000_000),
        )
        | st.builds(fact, st.just(REFUNDED), st.sampled_from("ab"), st.just("x")),
        unique_by=lambda one: one[:3],
    ),
    st.randoms(),
)
def test_facts_count_the_same_in_any_order_and_any_batches(facts, chance):
    def counted(told: list[Fact], size: int) -> list[Fact]:
        known: list[Fact] = []
        counting: list[Fact] = []
        for first in range(0, len(told), size):
            settled = settle(told[first : first + size], known)
            known += settled.new
            counting += settled.counting
        return sorted(counting)

    shuffled = [*facts, *facts[:2]]
    chance.shuffle(shuffled)

    assert counted(shuffled, 2) == counted(facts, len(facts) or 1)


def test_facts_are_added_up_by_minute_and_quarter():
    sums = tally([fact(SOLD, "a", at_ms=61_000), fact(SOLD, "b", at_ms=119_999)])

    assert sums == {
        (60, 60, SOLD, "EUR"): Sum(2, 2, 10),
        (900, 0, SOLD, "EUR"): Sum(2, 2, 10),
    }


def test_a_day_is_as_long_as_its_clock_says():
    vienna = ZoneInfo("Europe/Vienna")
    since = int(datetime(2026, 3, 28, 12, tzinfo=vienna).timestamp())
    until = int(datetime(2026, 3, 30, 0, tzinfo=vienna).timestamp())

    bounds = edges(since, until, Cut.DAY, zone=vienna)

    assert [round((end - start) / HOUR_S) for start, end in pairwise(bounds)] == [24, 23]
    assert bounds[-1] == until


def test_a_year_of_days_is_a_handful_of_runs():
    new_york = ZoneInfo("America/New_York")
    since = int(datetime(2026, 1, 1, tzinfo=new_york).timestamp())

    found = runs(edges(since, since + 365 * DAY_S, Cut.DAY, zone=new_york))

    assert [run.length_s // HOUR_S for run in found] == [24, 23, 24, 25, 24]
    assert found[1] == Run(66, found[0].end_s, found[2].start_s, 23 * HOUR_S)


@given(
    st.integers(0, 2_000_000_000),
    st.integers(1, 3 * DAY_S),
    st.sampled_from(Cut),
    st.sampled_from(ZONES),
)
def test_the_buckets_cover_the_period_and_begin_where_the_clock_does(since, length, cut, name):
    zone = ZoneInfo(name)

    bounds = edges(since, since + length, cut, zone=zone)

    assert bounds[0] <= since < bounds[1]
    assert bounds[-2] < since + length <= bounds[-1]
    first = datetime.fromtimestamp(bounds[0], UTC).astimezone(zone)
    assert first.second == 0
    if cut is not Cut.MINUTE and since > 600_000_000:  # before, some clocks were stranger
        assert first.minute == 0
    assert sum(run.end_s - run.start_s for run in runs(bounds)) == bounds[-1] - bounds[0]


def test_a_period_is_widened_to_whole_quarters():
    assert quarters(899, 901) == (0, 1800)
    assert quarters(900, 1800) == (900, 1800)
    assert timedelta(seconds=quarters(1, 2)[1]) == timedelta(minutes=15)

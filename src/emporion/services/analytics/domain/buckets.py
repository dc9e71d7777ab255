"""How a period is cut into minutes, hours and days of a time zone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from emporion.services.analytics.domain.facts import MINUTE_S, QUARTER_S

HOUR_S: Final = 3_600
DAY_S: Final = 86_400


class Cut(StrEnum):
    """How long a bucket is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


LONGEST_S: Final = {Cut.MINUTE: DAY_S, Cut.HOUR: 31 * DAY_S, Cut.DAY: 400 * DAY_S}
"""How long a period may be, by what it is cut into: 1,440 buckets at most."""
USUAL_S: Final = {Cut.MINUTE: HOUR_S, Cut.HOUR: DAY_S, Cut.DAY: 30 * DAY_S}
"""How long a period is when nobody says when it begins."""
WIDENING_S: Final = 2 * DAY_S
"""By so much at most a period grows when it is widened to whole buckets."""


class Run(NamedTuple):
    """Buckets that follow each other and are equally long; `first` is the number of the first."""

    first: int
    start_s: int
    end_s: int
    length_s: int


def grain_of(cut: Cut) -> int:
    """In which grain to look for buckets of that kind."""
    return MINUTE_S if cut is Cut.MINUTE else QUARTER_S


def edges(since_s: int, until_s: int, cut: Cut, *, zone: tzinfo) -> list[int]:
    """Where the buckets begin that cover [since, until), and where the last one ends.

    Days begin at midnight on the zone's clock, so that some have 23 or 25 hours.
    """
    if cut is Cut.DAY:
        return _days(since_s, until_s, zone)
    length_s = MINUTE_S if cut is Cut.MINUTE else HOUR_S
    offset_s = _offset_s(since_s, zone)
    start_s = since_s - (since_s + offset_s) % length_s
    found = [start_s]
    while found[-1] < until_s:
        found.append(found[-1] + length_s)
    return found


def _days(since_s: int, until_s: int, zone: tzinfo) -> list[int]:
    day = datetime.fromtimestamp(since_s, zone).date()
    found: list[int] = []
    while not found or found[-1] < until_s:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        found.append(int(midnight.timestamp()))
        day += timedelta(days=1)
    return found


def _offset_s(at_s: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def runs(bounds: Sequence[int]) -> list[Run]:
    """The buckets between these edges, those of one length together: a year of days is a few."""
    found: list[Run] = []
    for number, (start_s, end_s) in enumerate(pairwise(bounds)):
        length_s = end_s - start_s
        if found and found[-1].length_s == length_s:
            found[-1] = found[-1]._replace(end_s=end_s)
        else:
            found.append(Run(number, start_s, end_s, length_s))
    return found


def quarters(since_s: int, until_s: int) -> tuple[int, int]:
    """The period, widened to whole quarters of an hour."""
    return since_s - since_s % QUARTER_S, until_s + -until_s % QUARTER_S

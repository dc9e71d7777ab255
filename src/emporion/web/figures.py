"""Figures as a console shows them: durations, rates, shares, sizes, instants; in few signs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

SECOND_MS: Final = 1_000.0
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
_SPACE: Final = "\N{NO-BREAK SPACE}"
_SIZES: Final = ("B", "KB", "MB", "GB", "TB")
_STEP: Final = 1024.0


def span(duration_ms: float) -> str:
    """How long something took, in the unit that reads best: `850 µs`, `4.2 ms`, `1.35 s`."""
    if duration_ms < 1:
        return f"{duration_ms * 1000:.0f}{_SPACE}µs"
    if duration_ms < SECOND_MS:
        return f"{_three(duration_ms)}{_SPACE}ms"
    return f"{_three(duration_ms / SECOND_MS)}{_SPACE}s"


def age(duration_s: float) -> str:
    """How long ago, coarsely: `12 s`, `5 min`, `3 h`, `2 d`."""
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if duration_s >= unit_s:
            return f"{duration_s / unit_s:.0f}{_SPACE}{unit}"
    return f"{duration_s:.0f}{_SPACE}s"


def rate(per_s: float) -> str:
    """How often a second; what is rare, a minute: `12.5/s`, `3/min`, `0`."""
    if per_s == 0:
        return "0"
    if per_s >= 1:
        return f"{_three(per_s)}/s"
    return f"{_three(per_s * MINUTE_S)}/min"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; what is there is never called 0."""
    if not part or not whole:
        return "0%"
    percent = 100 * part / whole
    return "<0.1%" if percent < 0.1 else f"{percent:.2g}%" if percent < 10 else f"{percent:.0f}%"  # noqa: PLR2004 - where a digit less is enough


def size(count: float) -> str:
    """Bytes, in the unit that reads best."""
    unit = 0
    while count >= _STEP and unit < len(_SIZES) - 1:
        count /= _STEP
        unit += 1
    return f"{_three(count)}{_SPACE}{_SIZES[unit]}"


def clock(at: datetime) -> str:
    """The time of day in UTC, to the millisecond: `17:04:12.250`."""
    return at.astimezone(UTC).strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def at_clock(at_s: int) -> str:
    """The time of day in UTC of seconds since the epoch: `17:04:12`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S")


def instant(at: datetime) -> str:
    """An instant in UTC, to the second, as machines write it: `2026-11-30 17:04:12`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def quantile_ms(buckets: Sequence[int], bounds_s: Sequence[float], quantile: float) -> float:
    """What such a share took at most; 0 of none, and of what is beyond them the last bound."""
    rank = quantile * sum(buckets)
    low_s, seen = 0.0, 0
    for bound_s, count in zip(bounds_s, buckets, strict=False):
        if count and seen + count >= rank:
            return SECOND_MS * (low_s + (bound_s - low_s) * max(0.0, rank - seen) / count)
        seen += count
        low_s = bound_s
    return SECOND_MS * low_s if rank else 0.0


def _three(value: float) -> str:
    """About three digits: `0.85`, `4.2`, `12.5`, `850`."""
    if value >= 100:  # noqa: PLR2004 - three digits are before the point
        return f"{value:.0f}"
    text = f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004 - two are
    return text.rstrip("0").rstrip(".") if "." in text else text

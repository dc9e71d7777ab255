"""When a delivery is tried again, and when it is given up."""

from enum import StrEnum

FIRST_PAUSE_MS = 5_000
PAUSE_FACTOR = 3
PAUSE_MS_MAX = 6 * 3_600_000
GIVE_UP_AFTER_MS = 5 * 86_400_000
"""An endpoint that takes nothing for five days: its deliveries are failed, and kept."""
RETRY_AFTER_MS_MAX = 24 * 3_600_000
JITTER = 0.2
GONE = 410
_SUCCESS = range(200, 300)


class Status(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


def is_taken(status: int) -> bool:
    """Whether the endpoint has the message. A redirect is no yes: nothing is followed."""
    return status in _SUCCESS


def pause_ms(tried_for_ms: int, chance: float, retry_after_s: int = 0) -> int:
    """How long to wait after a try that failed, so long after the first one.

    Three times as long as it was tried for: tries come after 5 s, 20 s, 80 s, 5 min, 21 min,
    85 min, 5.7 h, and then every 6 h; each pause up to a fifth longer or shorter (`chance` in 0..1
    decides), but no shorter than what the endpoint asked for, up to a day.
    """
    plain_ms = min(max(FIRST_PAUSE_MS, PAUSE_FACTOR * tried_for_ms), PAUSE_MS_MAX)
    jittered_ms = round(plain_ms * (1 - JITTER + 2 * JITTER * chance))
    return max(jittered_ms, min(retry_after_s * 1_000, RETRY_AFTER_MS_MAX))


def is_hopeless(since_ms: int, now_ms: int) -> bool:
    """Whether it has been tried for long enough."""
    return now_ms - since_ms >= GIVE_UP_AFTER_MS

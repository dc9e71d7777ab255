"""Time as a port: instants are integer milliseconds since 1970-01-01T00:00:00Z."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock(Protocol):
    """Where time comes from. Nothing below the platform asks the operating system itself."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch, UTC. May step backwards."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never steps back; for deadlines and durations only."""
        ...


@lru_cache(maxsize=1_024)
def to_datetime(instant_ms: int) -> datetime:
    """The aware UTC datetime of an instant. Cached: an order tells few instants many times."""
    return _EPOCH + instant_ms * _MILLISECOND


def to_instant_ms(moment: datetime) -> int:
    """The instant of an aware datetime, in milliseconds. Raises ValueError on a naive one."""
    if moment.tzinfo is None:
        message = "a time without a zone names no instant"
        raise ValueError(message)
    return round(moment.timestamp() * 1000)

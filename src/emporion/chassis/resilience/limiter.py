"""How many calls the process works on at once, found out while it runs."""

from dataclasses import dataclass

from emporion.kernel.errors import ResourceExhausted


@dataclass(frozen=True, slots=True)
class LimiterLimits:
    """The bounds of the adaptive limit.

    Args:
        calls_min, calls_start, calls_max: the limit on calls under way.
        lag_s_max: event-loop lag above which the process is overloaded.
        slow_share_max: of the finished calls that may have used more than half of their time.
        sample_min: fewer finished calls than this say nothing about slowness.
        optional_share: of the limit (and of `lag_s_max`) from which optional services are shed.
    """

    calls_min: int = 32
    calls_start: int = 512
    calls_max: int = 4096
    lag_s_max: float = 0.25
    slow_share_max: float = 0.1
    sample_min: int = 20
    optional_share: float = 0.75


INCREASE = 8
DECREASE = 0.9


class AdaptiveLimiter:
    """Additive increase, multiplicative decrease of the calls admitted at the process's edge.

    In one process the event loop is the queue: its lag is the time a call waits before anything
    of it runs. `adjust` is called with the measured lag some ten times a second: while the lag is
    high, or many calls use up their time, the limit shrinks by a tenth each time; otherwise it
    grows by 8, back to where it started, and further only when it was nearly reached.

    Calls that a call under way makes to other services of the process are not counted again:
    work that was let in is finished. Calls to optional services (`shed_first`) are refused from
    three quarters of the limit on.
    """

    def __init__(self, limits: LimiterLimits | None = None) -> None:
        self.limits = limits or LimiterLimits()
        self.limit = self.limits.calls_start
        self.in_flight = 0
        self.shed = 0
        self._peak = 0
        self._finished = 0
        self._slow = 0
        self._lag_s = 0.0

    @property
    def refuses_optional(self) -> bool:
        """Whether optional services are shed now."""
        share = self.limits.optional_share
        return self.in_flight >= self.limit * share or self._lag_s > self.limits.lag_s_max * share

    def enter(self, *, is_optional: bool) -> None:
        """Let a call in; `leave` must follow. Raises ResourceExhausted: nothing was done."""
        if self.in_flight >= self.limit or (is_optional and self.refuses_optional):
            self.shed += 1
            raise ResourceExhausted("too much is going on; try again in a moment")
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def leave(self, *, is_slow: bool) -> None:
        """The call ended; `is_slow` when it used more than half of the time it had."""
        self.in_flight -= 1
        self._finished += 1
        if is_slow:
            self._slow += 1

    def adjust(self, lag_s: float) -> None:
        """Draw the conclusion from the time since the last adjustment."""
        bounds = self.limits
        self._lag_s = lag_s
        is_slow = self._finished >= bounds.sample_min and (
            self._slow > self._finished * bounds.slow_share_max
        )
        if lag_s > bounds.lag_s_max or is_slow:
            self.limit = max(bounds.calls_min, int(self.limit * DECREASE))
        elif self._peak >= self.limit * bounds.optional_share:
            self.limit = min(bounds.calls_max, self.limit + INCREASE)
        elif self.limit < bounds.calls_start:
            self.limit = min(bounds.calls_start, self.limit + INCREASE)
        self._peak = self.in_flight
        self._finished = self._slow = 0

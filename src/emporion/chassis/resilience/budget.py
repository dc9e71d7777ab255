"""A retry budget: retries may add a fifth to the traffic, and a few a second, never a storm."""

import math

from emporion.kernel.clock import Clock

RETRY_SHARE = 0.2
RETRIES_PER_S = 10.0
MEMORY_S = 10.0
"""How long a deposit is good for."""
INSTANT_S = 1e-6
"""Too short to fade anything, and to divide by."""


class RetryBudget:
    """Finagle's token bucket: each call deposits a fifth of a retry, time deposits ten a second.

    Deposits fade with a time constant of MEMORY_S, so that a quiet hour does not pay for a storm.
    Never are more retries granted than `RETRIES_PER_S * (seconds + MEMORY_S) + RETRY_SHARE *
    calls` since it was made, and without calls never more than 100 at once.

    A caller counts its first attempts in `calls` itself (an addition, on the hot path); the
    arithmetic happens only when a retry is wanted.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls = 0
        self._tokens = RETRIES_PER_S * MEMORY_S
        self._settled_s = clock.monotonic_s()

    def take(self) -> bool:
        """Whether one retry may be made now; if so it is paid for."""
        self._settle()
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    @property
    def tokens(self) -> float:
        """How many retries could be made now."""
        self._settle()
        return self._tokens

    def _settle(self) -> None:
        now_s = self._clock.monotonic_s()
        elapsed_s = now_s - self._settled_s
        if elapsed_s < INSTANT_S:
            self._tokens += RETRY_SHARE * self.calls + RETRIES_PER_S * max(elapsed_s, 0.0)
        else:
            income_per_s = RETRIES_PER_S + RETRY_SHARE * self.calls / elapsed_s
            faded = -math.expm1(-elapsed_s / MEMORY_S)
            self._tokens += (income_per_s * MEMORY_S - self._tokens) * faded
        self.calls = 0
        self._settled_s = now_s

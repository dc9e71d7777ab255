"""Trace and span ids: random enough to sample by, and cheap."""

import hashlib

from emporion.kernel.clock import Clock
from emporion.kernel.ids import Randomness

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
MASK_128 = (1 << 128) - 1


class TraceIds:
    """Ids for traces from a truncated 128-bit linear congruential generator, seeded once.

    Ids are not secrets. A trace id begins with the seconds since the epoch, as X-Ray likes it;
    its other 96 bits, and all of a span id, come from the generator.
    """

    def __init__(self, clock: Clock, random: Randomness) -> None:
        seed = hashlib.sha256(random.token(32).encode()).digest()
        self._clock = clock
        self._state = int.from_bytes(seed[:16], "big")
        self._step = int.from_bytes(seed[16:], "big") | 1

    def span_id(self) -> str:
        """16 hex digits, not all zero."""
        self._state = state = (self._state * MULTIPLIER + self._step) & MASK_128
        return f"{state >> 64 or 1:016x}"

    def trace_id(self) -> str:
        """32 hex digits: the second it began in, and 96 random bits."""
        seconds = self._clock.now_ms() // 1000 & 0xFFFFFFFF
        return f"{seconds:08x}{self.span_id()[:8]}{self.span_id()}"

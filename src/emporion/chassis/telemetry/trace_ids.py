"""Trace and span ids: random enough to sample by, and cheap."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import chain, count

from emporion.kernel.clock import Clock
from emporion.kernel.ids import Randomness

SPAN_BYTES = 8
BATCH = 256


class TraceIds:
    """Ids for traces from a hash of a seed and a counter, made BATCH at a time.

    Ids are not secrets. A trace id begins with the seconds since the epoch, as X-Ray likes it;
    its other 96 bits, and all of a span id, come from the hash.
    """

    def __init__(self, clock: Clock, random: Randomness) -> None:
        self._clock = clock
        self._seed = random.token(32).encode()
        self.span_id: Callable[[], str] = chain.from_iterable(self._batches()).__next__
        """16 hex digits at each call, which costs no frame: every call of the process asks."""

    def trace_id(self) -> str:
        """32 hex digits: the second it began in, and 96 random bits."""
        seconds = self._clock.now_ms() // 1000 & 0xFFFFFFFF
        return f"{seconds:08x}{self.span_id()[:8]}{self.span_id()}"

    def _batches(self) -> Iterator[list[str]]:
        for batch in count(1):
            stream = hashlib.shake_128(self._seed + batch.to_bytes(8, "big"))
            yield stream.digest(BATCH * SPAN_BYTES).hex(" ", SPAN_BYTES).split(" ")

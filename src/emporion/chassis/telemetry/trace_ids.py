"""Trace and span ids: random enough to sample by, and cheap; and how X-Ray writes them."""

import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import chain, count

from emporion.kernel.clock import Clock
from emporion.kernel.ids import Randomness

SPAN_BYTES = 8
BATCH = 256
_ROOT = re.compile(r"(?:\A|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?=;|\Z)")
_PARENT = re.compile(r"(?:\A|;)\s*Parent=([0-9a-f]{16})(?=;|\Z)")
_SAMPLED = re.compile(r"(?:\A|;)\s*Sampled=([01?])(?=;|\Z)")


def xray_id(trace_id: str) -> str:
    """A trace id as X-Ray writes it: `1-<seconds, 8 digits>-<24 digits>`."""
    return f"1-{trace_id[:8]}-{trace_id[8:]}"


def parse_xray(header: str) -> tuple[str, str, bool | None] | None:
    """Trace id, parent id (empty: none) and decision (None: none yet) of `X-Amzn-Trace-Id`.

    A load balancer sends a root without a parent or a decision. None when it is malformed.
    """
    root, parent, sampled = _ROOT.search(header), _PARENT.search(header), _SAMPLED.search(header)
    if root is None:
        return None
    decision = sampled.group(1) if sampled else "?"
    return (
        root.group(1) + root.group(2),
        parent.group(1) if parent else "",
        None if decision == "?" else decision == "1",
    )


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

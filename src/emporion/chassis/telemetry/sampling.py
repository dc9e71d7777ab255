"""Which traces are recorded: decided once, where a trace begins, and carried by its flag."""

from emporion.kernel.clock import Clock

TRACES_PER_S = 20
"""So many new traces of each second are recorded by default: all of a small shop's."""
BURST_S = 15
"""What was not taken in so many seconds may be taken at once."""
OUTSIDE_FACTOR = 5
"""So many times as many are recorded because a client's header asks for it."""
SLOW_S = 1.0
"""Work that took longer is recorded by itself, in whatever trace, as failed work is."""


class Sampler:
    """Takes `per_s` new traces a second, and after a quiet time BURST_S as many; None: all.

    A bound on traces, unlike a share of them, costs a busy shop no more than a quiet one, and a
    quiet one loses nothing. Whoever continues a trace keeps the decision of its beginning.
    """

    __slots__ = ("_left", "_looked_s", "_monotonic_s", "per_s", "skipped")

    def __init__(self, clock: Clock, *, per_s: int | None = None) -> None:
        self.per_s = per_s
        self.skipped = 0
        self._monotonic_s = clock.monotonic_s
        self._looked_s = clock.monotonic_s()
        self._left = float((per_s or 0) * BURST_S)

    def takes(self) -> bool:
        """Whether the trace that begins now is recorded."""
        per_s = self.per_s
        if per_s is None:
            return True
        now_s = self._monotonic_s()
        left = min(self._left + (now_s - self._looked_s) * per_s, per_s * BURST_S)
        self._looked_s = now_s
        if left >= 1.0:
            self._left = left - 1.0
            return True
        self._left = left
        self.skipped += 1
        return False

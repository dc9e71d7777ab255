"""Which traces are recorded: decided once, where a trace begins, and carried by its flag."""

from emporion.kernel.clock import Clock

TRACES_PER_S = 20
"""So many new traces of each second are recorded by default: all of a small shop's."""
SLOW_S = 1.0
"""Work that took longer is recorded by itself, in whatever trace, as failed work is."""


class Sampler:
    """Takes the first `per_s` traces of each second; all of them when it is None.

    A bound on traces, unlike a share of them, costs a busy shop no more than a quiet one, and a
    quiet one loses nothing. Whoever continues a trace keeps the decision of its beginning.
    """

    __slots__ = ("_left", "_monotonic_s", "_second", "per_s", "skipped")

    def __init__(self, clock: Clock, *, per_s: int | None = None) -> None:
        self.per_s = per_s
        self.skipped = 0
        self._monotonic_s = clock.monotonic_s
        self._second = -1
        self._left = 0

    def takes(self) -> bool:
        """Whether the trace that begins now is recorded."""
        if self.per_s is None:
            return True
        second = int(self._monotonic_s())
        if second != self._second:
            self._second = second
            self._left = self.per_s
        self._left -= 1
        if self._left >= 0:
            return True
        self.skipped += 1
        return False

"""How late the event loop is: the queue that every call of the process stands in."""

import logging
import sys
import threading
import traceback
from collections.abc import Callable

from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.clock import Clock

_log = logging.getLogger(__name__)
INTERVAL_S = 0.1
BLOCKED_S = 1.0
LOOK_S = 0.25


class LoopLag:
    """Measures ten times a second how much later than wanted the loop turns.

    `listeners` are told each measurement in seconds, e.g. `AdaptiveLimiter.adjust`. `turned_s` is
    when the loop last turned (monotonic).
    """

    def __init__(self, runtime: Runtime) -> None:
        self.lag_s = 0.0
        self.lag_s_max = 0.0
        self.turned_s = runtime.clock.monotonic_s()
        self.is_measuring = False
        self.listeners: list[Callable[[float], None]] = []
        self._runtime = runtime

    async def serve(self) -> None:
        """Measure until cancelled."""
        clock, sleep = self._runtime.clock, self._runtime.tasks.sleep
        self.turned_s = clock.monotonic_s()
        self.is_measuring = True
        try:
            while True:
                await sleep(INTERVAL_S)
                now_s = clock.monotonic_s()
                self.lag_s = max(0.0, now_s - self.turned_s - INTERVAL_S)
                self.lag_s_max = max(self.lag_s_max, self.lag_s)
                self.turned_s = now_s
                for listener in self.listeners:
                    listener(self.lag_s)
        finally:
            self.is_measuring = False


class Watchdog:
    """A thread that says in the log what blocks the loop, while it blocks it.

    When the loop has not turned for BLOCKED_S, the stack of its thread is logged, once for each
    blockage, and `blockages` grows. It cannot see a C function that holds the interpreter lock
    before that function lets go.
    """

    def __init__(self, lag: LoopLag, clock: Clock, *, blocked_s: float = BLOCKED_S) -> None:
        self.blockages = 0
        self._lag = lag
        self._clock = clock
        self._blocked_s = blocked_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._watched = 0
        self._reported_s = -1.0

    def start(self) -> None:
        """Watch the loop of the calling thread."""
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="loop watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(min(LOOK_S, self._blocked_s / 2)):
            self.look()

    def look(self) -> None:
        """Report the stack if the loop stands still and that was not said before."""
        turned_s = self._lag.turned_s
        still_s = self._clock.monotonic_s() - turned_s - INTERVAL_S
        if still_s < self._blocked_s or turned_s == self._reported_s or not self._lag.is_measuring:
            return
        self._reported_s = turned_s
        self.blockages += 1
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - the documented way to it
        stack = "".join(traceback.format_stack(frame)) if frame else "(the thread is gone)"
        _log.error("the event loop has been blocked for %.1f s by:\n%s", still_s, stack)

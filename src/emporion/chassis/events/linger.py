"""Passes rings on at once after a quiet time, and otherwise together: few large batches."""

import asyncio
import math
from collections.abc import Callable

from emporion.chassis.runtime.ports import Runtime


class Linger:
    """Calls `wake` for the first ring after `duration_s` without one, then at most so often.

    No ring is lost: the last one of a burst is passed on when the time is over.
    """

    def __init__(
        self, name: str, runtime: Runtime, wake: Callable[[], None], *, duration_s: float
    ) -> None:
        self._name = name
        self._runtime = runtime
        self._duration_s = duration_s
        self._wake = wake
        self._woken_at_s = -math.inf
        self._waiting: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Something happened. Cheap."""
        if self._waiting is not None:
            return
        wait_s = self._woken_at_s + self._duration_s - self._runtime.clock.monotonic_s()
        if wait_s <= 0:
            self._pass_on()
        else:
            later = self._pass_on_later(wait_s)
            self._waiting = self._runtime.tasks.spawn(f"{self._name} linger", later)

    def end(self) -> None:
        """Pass nothing on any more of what was held back."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _pass_on(self) -> None:
        self._woken_at_s = self._runtime.clock.monotonic_s()
        self._wake()

    async def _pass_on_later(self, wait_s: float) -> None:
        try:
            await self._runtime.tasks.sleep(wait_s)
        finally:
            self._waiting = None
        self._pass_on()

"""Recurring work without polling: sleeps until the next thing is due, or until it is poked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from emporion.chassis.runtime.ports import Runtime

_log = logging.getLogger(__name__)
ERROR_PAUSE_S = 1.0
ERROR_PAUSE_S_MAX = 60.0
NAP_S_MAX = 60.0
"""The wall clock is looked at again after so long: it may have been set, or the machine slept."""


class Alarm:
    """Runs `run_due` at start, when poked, and at the instant that its last run returned.

    `run_due` does what is due now, at most a bounded batch, and returns the instant (ms since
    the epoch) of the next work, or None when only a poke can bring some. Returning an instant
    that has passed means "again at once". An exception is logged and retried with a doubling
    pause up to a minute: work is never dropped because one run failed. Runs never overlap, and a
    poke during a run brings another one.
    """

    def __init__(
        self, name: str, runtime: Runtime, run_due: Callable[[], Awaitable[int | None]]
    ) -> None:
        self.name = name
        self.failures = 0
        self._runtime = runtime
        self._run_due = run_due
        self._is_poked = False
        self._is_closing = False
        self._waiting: asyncio.Future[None] | None = None

    def poke(self) -> None:
        """Something may be due now. Cheap; call it after the commit that made it due."""
        self._is_poked = True
        self._wake()

    def close(self) -> None:
        """End `serve` after the run that is under way, if any; for good."""
        self._is_closing = True
        self._wake()

    async def serve(self) -> None:
        """Run until closed or cancelled; a cancelled run is taken up at the next start."""
        pause_s = ERROR_PAUSE_S
        while not self._is_closing:
            self._is_poked = False
            try:
                due_ms = await self._run_due()
            except Exception:  # noqa: BLE001 - whatever it was, it is logged and the work stays due
                self.failures += 1
                _log.exception("%s failed; again in %.0f s", self.name, pause_s)
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, ERROR_PAUSE_S_MAX)
                continue
            pause_s = ERROR_PAUSE_S
            await self._wait(due_ms)

    async def _wait(self, due_ms: int | None) -> None:
        while not (self._is_poked or self._is_closing):
            if due_ms is None:
                await self._nap(None)
                continue
            wait_s = (due_ms - self._runtime.clock.now_ms()) / 1000
            if wait_s <= 0:
                await self._runtime.tasks.sleep(0)
                return
            await self._nap(min(wait_s, NAP_S_MAX))

    async def _pause(self, duration_s: float) -> None:
        """After a failure: a poke does not hurry it, the end of the process does."""
        monotonic_s = self._runtime.clock.monotonic_s
        until_s = monotonic_s() + duration_s
        while not self._is_closing and (left_s := until_s - monotonic_s()) > 0:
            await self._nap(left_s)

    async def _nap(self, duration_s: float | None) -> None:
        """Wait for so long, or until something wakes us."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        sleeper: asyncio.Future[None] | None = None
        if duration_s is not None:
            sleeper = asyncio.ensure_future(self._runtime.tasks.sleep(duration_s))
            # Ends this nap and no later one: a sleeper that is cancelled calls back, too.
            sleeper.add_done_callback(lambda _: _end(waiting))
        try:
            await waiting
        finally:
            self._waiting = None
            if sleeper is not None:
                sleeper.cancel()

    def _wake(self) -> None:
        if self._waiting is not None:
            _end(self._waiting)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)

"""Recurring work without polling: sleeps until the next thing is due, or until it is poked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from emporion.chassis.calls.context import Call, current_call, enter
from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import Unavailable

_log = logging.getLogger(__name__)
ERROR_PAUSE_S = 1.0
ERROR_PAUSE_S_MAX = 60.0
AWAY_PAUSE_S_MAX = 2.0
"""What is away is asked for more often: it is back after seconds, and work waits for it."""
NAP_S_MAX = 60.0
"""The wall clock is looked at again after so long: it may have been set, or the machine slept."""

RunDue = Callable[[], Awaitable[int | None]]
"""Does what is due; the instant of the next work, or None."""


class Alarm:
    """Runs `run_due` at start, when poked, and at the instant that its last run returned.

    `run_due` does what is due now, at most a bounded batch, and returns the instant (ms since
    the epoch) of the next work, or None when only a poke can bring some. Returning an instant
    that has passed means "again at once". An exception is logged and retried with a doubling
    pause up to a minute: work is never dropped because one run failed. Unavailable says that an
    engine is away: it is logged once and retried every AWAY_PAUSE_S_MAX. Runs never overlap, and
    a poke during a run brings another one.
    """

    def __init__(self, name: str, runtime: Runtime, run_due: RunDue) -> None:
        self.name = name
        self.failures = 0
        self._runtime = runtime
        self._own_run_due = run_due
        self._run_due = run_due
        self._is_poked = False
        self._is_closing = False
        self._is_away = False
        self._waiting: asyncio.Future[None] | None = None

    def poke(self) -> None:
        """Something may be due now. Cheap; call it after the commit that made it due."""
        self._is_poked = True
        self._wake()

    def interpose(self, link: Callable[[RunDue], RunDue] | None) -> None:
        """From the next run on go through `link`; None: through none. See resilience.faults."""
        self._run_due = self._own_run_due if link is None else link(self._own_run_due)

    def close(self) -> None:
        """End `serve` after the run that is under way, if any; for good."""
        self._is_closing = True
        self._wake()

    async def serve(self) -> None:
        """Run until closed or cancelled; a cancelled run is taken up at the next start."""
        call = current_call()
        enter(Call(call.identity, call.trace, call.deadline_s, self.name))
        pause_s = ERROR_PAUSE_S
        while not self._is_closing:
            self._is_poked = False
            try:
                due_ms = await self._run_due()
            except Unavailable as error:
                if not self._is_away:
                    _log.warning("%s: what it needs is away: %s", self.name, error.detail)
                self._is_away = True
                pause_s = await self._failed(min(pause_s, AWAY_PAUSE_S_MAX), AWAY_PAUSE_S_MAX)
            except Exception:  # noqa: BLE001 - whatever it was, it is logged and the work stays due
                _log.exception("%s failed; again in %.0f s", self.name, pause_s)
                pause_s = await self._failed(pause_s, ERROR_PAUSE_S_MAX)
            else:
                pause_s = ERROR_PAUSE_S
                self._is_away = False
                await self._wait(due_ms)

    async def _failed(self, pause_s: float, limit_s: float) -> float:
        """Wait after a failure; how long to wait after the next one in a row."""
        self.failures += 1
        await self._pause(pause_s)
        return min(pause_s * 2, limit_s)

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

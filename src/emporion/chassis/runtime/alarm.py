"""Recurring work without polling: sleeps until the next thing is due, or until it is poked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from emporion.chassis.runtime.ports import Runtime

_log = logging.getLogger(__name__)
ERROR_PAUSE_S = 1.0
ERROR_PAUSE_S_MAX = 60.0


class Alarm:
    """Runs `run_due` at start, when poked, and at the instant that its last run returned.

    `run_due` does what is due now, at most a bounded batch, and returns the instant (ms since
    the epoch) of the next work, or None when only a poke can bring some. Returning an instant
    that has passed means "again at once". An exception is logged and retried with a doubling
    pause up to a minute: work is never dropped because one run failed.
    """

    def __init__(
        self, name: str, runtime: Runtime, run_due: Callable[[], Awaitable[int | None]]
    ) -> None:
        self.name = name
        self._runtime = runtime
        self._run_due = run_due
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """Something may be due now. Cheap; call it after the commit that made it due."""
        self._poked.set()

    async def serve(self) -> None:
        """Run until cancelled."""
        pause_s = ERROR_PAUSE_S
        while True:
            self._poked.clear()
            try:
                due_ms = await self._run_due()
            except Exception:  # noqa: BLE001 - whatever it was, it is logged and the work stays due
                _log.exception("%s failed; again in %.0f s", self.name, pause_s)
                await self._runtime.tasks.sleep(pause_s)
                pause_s = min(pause_s * 2, ERROR_PAUSE_S_MAX)
                continue
            pause_s = ERROR_PAUSE_S
            await self._wait(due_ms)

    async def _wait(self, due_ms: int | None) -> None:
        if due_ms is None:
            await self._poked.wait()
            return
        wait_s = (due_ms - self._runtime.clock.now_ms()) / 1000
        if wait_s <= 0:
            await self._runtime.tasks.sleep(0)
            return
        sleeper = asyncio.ensure_future(self._runtime.tasks.sleep(wait_s))
        poke = asyncio.ensure_future(self._poked.wait())
        try:
            await asyncio.wait((sleeper, poke), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            poke.cancel()

"""From start to exit: parts start in order, and stop in reverse within the stop timeout."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emporion.chassis.runtime.ports import Runtime

_log = logging.getLogger(__name__)
HURRIED_S = 1.0
SHARE = 0.8
"""Of the time left, what one part may use while others are still to stop."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something with a beginning and an end.

    `stop` returns once the part is at rest; it is called after every part that was added later
    has stopped, also when `start` itself failed.
    """

    name: str
    start: Callable[[], Awaitable[object]]
    stop: Callable[[], Awaitable[object]]


class Lifecycle:
    """The phases of a process: starting, serving, draining, stopped.

    SIGTERM (or SIGINT): readiness goes off at once; after `notice_s`, the time a load balancer
    needs to notice, the parts stop in reverse order, so add what takes traffic last: it drains
    first. All of it takes at most `stop_timeout_s`: a part that is late is cancelled, said in the
    log, and the rest still gets its turn. A second signal leaves each part HURRIED_S.
    """

    def __init__(
        self, runtime: Runtime, *, stop_timeout_s: float = 25.0, notice_s: float = 0.0
    ) -> None:
        self.closed = "starting"
        self._runtime = runtime
        self._stop_timeout_s = stop_timeout_s
        self._notice_s = notice_s
        self._parts: list[Part] = []
        self._started: list[Part] = []
        self._asked = asyncio.Event()
        self._hurried = asyncio.Event()

    def why_closed(self) -> str:
        """Why no traffic is taken now: "starting", "draining", or empty while it is."""
        return self.closed

    def add(self, part: Part) -> None:
        """Add a part; it stands on those added before."""
        self._parts.append(part)

    def ask_to_stop(self) -> None:
        """What a signal does; asked twice it hurries."""
        if self._asked.is_set():
            self._hurried.set()
        self.closed = "draining"
        self._asked.set()

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Start, serve until asked to stop, stop. Raises what a failing start raised."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        try:
            await self.start()
            on_ready()
            await self._asked.wait()
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start the parts in order, and open the door. Raises what a part raises."""
        for part in self._parts:
            if self._asked.is_set():
                return
            self._started.append(part)
            await part.start()
        if not self._asked.is_set():
            self.closed = ""

    async def stop(self) -> None:
        """Close the door and stop what was started, in reverse, within the stop timeout."""
        was_open = not self.closed or self._asked.is_set()
        self.closed = "draining"
        clock = self._runtime.clock
        end_s = clock.monotonic_s() + self._stop_timeout_s
        if was_open and self._notice_s > 0:
            await self._notice()
        while self._started:
            part = self._started.pop()
            left_s = max(end_s - clock.monotonic_s(), 0.0) * (SHARE if self._started else 1.0)
            await self._stop_part(part, left_s)

    async def _notice(self) -> None:
        notice = asyncio.ensure_future(self._runtime.tasks.sleep(self._notice_s))
        hurry = asyncio.ensure_future(self._hurried.wait())
        await asyncio.wait((notice, hurry), return_when=asyncio.FIRST_COMPLETED)
        notice.cancel()
        hurry.cancel()

    async def _stop_part(self, part: Part, limit_s: float) -> None:
        task = asyncio.ensure_future(part.stop())
        await self._within(task, limit_s)
        if not task.done():
            _log.error("%s did not stop in time", part.name)
            task.cancel()
            await asyncio.wait((task,), timeout=HURRIED_S)
        elif not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s failed to stop", part.name, exc_info=error)

    async def _within(self, task: asyncio.Future[object], limit_s: float) -> None:
        """Wait for it so long, or HURRIED_S from a second signal on."""
        sleeper = asyncio.ensure_future(self._runtime.tasks.sleep(limit_s))
        hurry = asyncio.ensure_future(self._hurried.wait())
        await asyncio.wait((task, sleeper, hurry), return_when=asyncio.FIRST_COMPLETED)
        if hurry.done() and not task.done():
            await asyncio.wait((task, sleeper), timeout=HURRIED_S)
        sleeper.cancel()
        hurry.cancel()

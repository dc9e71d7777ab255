"""Keeps one part running: starts it, knows by its answers when it is ready, starts it again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emporion.kernel.errors import EmporionError
from emporion.platform.supervisor.child import Child
from emporion.platform.supervisor.part import Curable, NotReady, Part, StartFailed

LOOK_S: Final = 0.02
LOOK_S_MAX: Final = 0.25
PROBE_TIMEOUT_S: Final = 5.0
DRAIN_TIMEOUT_S: Final = 25.0

Say = Callable[[str], None]
"""Told what happens, a sentence each."""
Known = Callable[[Part], Awaitable[None]]
"""Returns when those who send requests send them to a part that is ready; raises StartFailed."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How long to wait before a part that ended is started again.

    Args:
        first_s: after a run of at least `healthy_s`; doubled for each shorter one.
        max_s: at most.
        healthy_s: a run that lasted so long is forgiven what was before.
        look_s: how often a part that can fall ill is asked how it is.
    """

    first_s: float = 0.25
    max_s: float = 30.0
    healthy_s: float = 60.0
    look_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """Before the next start, after so many short runs in a row."""
        return min(self.max_s, self.first_s * 2.0 ** min(failures, 16))


POLICY: Final = RestartPolicy()


class Kept:
    """A part under care. `start` it once, then `watch` it in a task, `stop` it once."""

    def __init__(self, part: Part, run: Path, say: Say, *, policy: RestartPolicy = POLICY) -> None:
        self.part: Part = part
        self.restarts = 0
        self._run = run
        self._say = say
        self._policy = policy
        self._child: Child | None = None
        self._is_stopping = False

    @property
    def pid(self) -> int:
        """Of the running program; 0 when none runs."""
        child = self._child
        return child.pid if child is not None and not child.ended.done() else 0

    async def start(self) -> float:
        """Start it and wait until it is ready and furnished; how many seconds that took.

        Raises StartFailed with the end of its log, or EngineMissing; then it does not run.
        """
        started_s = time.monotonic()
        name = self.part.name
        try:
            command = await self.part.prepare()
            child = self._child = await Child.start(command, self._run)
            await self._until_ready(child, started_s + self.part.ready_timeout_s)
            await self._unless_ended(child, self.part.furnish())
        except OSError as error:
            await self._end_child()
            raise StartFailed(f"{name} cannot be started: {error}") from error
        except BaseException:
            await self._end_child()
            raise
        return time.monotonic() - started_s

    async def watch(self) -> None:
        """Start it again whenever it ends or falls ill, and say so, until `stop`."""
        failures = 0
        while True:
            began_s = time.monotonic()
            why = await self._until_ended()
            if self._is_stopping:
                return
            is_healthy = time.monotonic() - began_s >= self._policy.healthy_s
            failures = 0 if is_healthy else failures + 1
            pause_s = self._policy.pause_s(max(0, failures - 1))
            self._say(f"{self.part.name} {why}; it starts again in {pause_s:g} s")
            await self._end_child()
            await asyncio.sleep(pause_s)
            await self._restart()

    async def roll(self, successor: Part, known: Known) -> float:
        """Put another part in this one's place: ready and known to all before the old one ends.

        How many seconds that took. Raises StartFailed when the successor does not come up, or is
        not found: then the old one runs on.
        """
        began_s = time.monotonic()
        old, old_child = self.part, self._child
        next_ = Kept(successor, self._run, self._say, policy=self._policy)
        await next_.start()
        try:
            await known(successor)
        except BaseException:
            _ = await next_.stop()
            raise
        self.part, self._child, next_._child = successor, next_._child, None
        if old_child is not None:
            await self._leave(old, old_child)
        return time.monotonic() - began_s

    async def _leave(self, part: Part, child: Child) -> None:
        if not child.ended.done():
            with contextlib.suppress(TimeoutError, StartFailed):
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    await self._unless_ended(child, part.drain())
        await child.stop()
        part.ended()

    async def _until_ended(self) -> str:
        """Until the program that runs has ended, whatever others it has taken the place of."""
        while (child := self._child) is not None:
            why = await self._until_over(child)
            if child is self._child:
                return why
        return "did not come up"

    async def _until_over(self, child: Child) -> str:
        """Until this program has ended, or nothing but a new start can mend it."""
        part = self.part
        while isinstance(part, Curable):
            _ = await asyncio.wait({child.ended}, timeout=self._policy.look_s)
            if child.ended.done() or child is not self._child:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    if ailment := await part.ailment():
                        return f"is ill ({ailment})"
        return f"ended ({_said(await asyncio.shield(child.ended))})"

    async def stop(self) -> bool:
        """End it in bounded time and watch no longer; True when it ended by itself."""
        self._is_stopping = True
        child = self._child
        if child is not None and not child.ended.done():
            with contextlib.suppress(TimeoutError, StartFailed):
                async with asyncio.timeout(DRAIN_TIMEOUT_S):
                    await self._unless_ended(child, self.part.drain())
        return await self._end_child()

    def kill(self) -> None:
        """End it now; `stop` still tidies up."""
        self._is_stopping = True
        if self._child is not None:
            self._child.kill()

    async def _restart(self) -> None:
        try:
            took_s = await self.start()
        except EmporionError as error:
            self._say(f"{self.part.name}: {error.detail}")
        else:
            self.restarts += 1
            self._say(f"{self.part.name} is back after {took_s:.1f} s")

    async def _end_child(self) -> bool:
        child, self._child = self._child, None
        if child is None:
            return True
        is_clean = await child.stop()
        self.part.ended()
        return is_clean

    async def _until_ready(self, child: Child, until_s: float) -> None:
        pause_s = LOOK_S
        while True:
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_S):
                    await self._unless_ended(child, self.part.probe())
            except (NotReady, TimeoutError) as error:
                why = error.detail if isinstance(error, NotReady) else "no answer"
            else:
                return
            if time.monotonic() > until_s:
                raise StartFailed(
                    f"{self.part.name} is not ready after {self.part.ready_timeout_s:g} s: {why}"
                    f"{_quoted(child)}"
                )
            _ = await asyncio.wait({child.ended}, timeout=pause_s)
            pause_s = min(LOOK_S_MAX, pause_s * 1.5)

    async def _unless_ended(self, child: Child, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, and give it up when the program ends meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            _ = await asyncio.wait({task, child.ended}, return_when=asyncio.FIRST_COMPLETED)
            if not child.ended.done():
                await task
                return
        finally:
            task.cancel()
        raise StartFailed(
            f"{self.part.name} ended at its start ({_said(child.ended.result())}){_quoted(child)}"
        )


def _quoted(child: Child) -> str:
    words = child.last_words()
    return f": {words}\n(all of it in {child.command.log})" if words else ""


def _said(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"

"""Subscribers take turns: no burst of all of them at once between a request and its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from emporion.chassis.runtime.ports import Runtime

HOLD_S: Final = 0.05
"""A turn that takes longer is passed on: whoever hangs holds up nobody else."""
REST_S_MAX: Final = 0.05


class Turns:
    """At most one batch of reactions at a time, each followed by a rest as long as it took.

    A publisher's bell wakes all of its subscribers in the same instant. Their batches would
    follow each other without a gap, and whatever request comes then waits for all of them, some
    70 ms under load; with a gap it waits for one. So all subscribers together get half of
    the interpreter at most, and in order of asking.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._free = asyncio.Semaphore()
        self._rests_until_s = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and have it inside the block."""
        clock = self._runtime.clock
        await self._free.acquire()
        held = _Held(self._free)
        try:
            rest_s = self._rests_until_s - clock.monotonic_s()
            if rest_s > 0:
                await self._runtime.tasks.sleep(rest_s)
            began_s = clock.monotonic_s()
            late = asyncio.get_running_loop().call_later(HOLD_S, held.release)
            try:
                yield
            finally:
                late.cancel()
                ended_s = clock.monotonic_s()
                self._rests_until_s = ended_s + min(ended_s - began_s, REST_S_MAX)
        finally:
            held.release()


class _Held:
    """Gives a semaphore back once."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free

    def release(self) -> None:
        free, self._free = self._free, None
        if free is not None:
            free.release()

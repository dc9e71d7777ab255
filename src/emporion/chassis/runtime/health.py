"""Probes that many may ask: the answer is kept for a second, and asked for once at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from emporion.kernel.clock import Clock
from emporion.kernel.errors import Unavailable

Probe = Callable[[], Awaitable[None]]
"""Raises when the part is not usable."""
KEPT_S = 1.0
TIMEOUT_S = 2.0


class KeptProbe:
    """A probe whose answer is kept for KEPT_S, bad or good; it takes at most TIMEOUT_S.

    A load balancer, a person and a test may all ask at once: the part is probed once. Call it
    like the probe. Raises what the probe raised, or Unavailable when it did not answer in time.
    """

    def __init__(self, probe: Probe, clock: Clock, *, timeout_s: float = TIMEOUT_S) -> None:
        self._probe = probe
        self._clock = clock
        self._timeout_s = timeout_s
        self._asked_s = float("-inf")
        self._answer: asyncio.Task[Exception | None] | None = None

    async def __call__(self) -> None:
        """Raises when the part is not usable."""
        answer = self._answer
        is_old = self._clock.monotonic_s() - self._asked_s > KEPT_S
        if answer is None or answer.cancelled() or (answer.done() and is_old):
            self._asked_s = self._clock.monotonic_s()
            answer = self._answer = asyncio.ensure_future(self._ask())
        problem = await asyncio.shield(answer)
        if problem is not None:
            raise problem

    async def _ask(self) -> Exception | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._probe()
        except TimeoutError:
            return Unavailable(f"no answer within {self._timeout_s:g} s")
        except Exception as problem:  # noqa: BLE001 - whatever a probe raises means "not usable"
            return problem
        return None

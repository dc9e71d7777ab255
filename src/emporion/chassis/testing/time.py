"""Time, ids and chance that a test holds in its hand: nothing moves unless the test moves it."""

import asyncio
import heapq
import random

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import SystemTasks

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
SETTLE_ROUNDS = 25


class ManualClock:
    """A clock that stands still until it is advanced; sleepers wake at their instant, in order."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._start_ms = start_ms
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._sleeps = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def advance(self, duration_s: float) -> None:
        """Move on at once; whoever is due by then wakes at the next turn of the loop."""
        self._move_to(self._elapsed_s + duration_s)

    async def run(self, duration_s: float) -> None:
        """Move on from one sleeper's instant to the next, letting the woken work run each time.

        Work that sleeps again within `duration_s` is woken again, as in real time. Work on other
        threads is not waited for.
        """
        end_s = self._elapsed_s + duration_s
        await settle()
        while (due_s := self.next_due_s()) is not None and due_s <= end_s:
            self._move_to(max(due_s, self._elapsed_s))
            await settle()
        self._move_to(end_s)
        await settle()

    def next_due_s(self) -> float | None:
        """When the next sleeper wakes (monotonic), or None."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def sleep(self, duration_s: float) -> None:
        """Wait until the clock has been advanced by that much."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeps += 1
        heapq.heappush(self._sleepers, (self._elapsed_s + duration_s, self._sleeps, woken))
        await woken

    def _move_to(self, elapsed_s: float) -> None:
        self._elapsed_s = elapsed_s
        while self._sleepers and self._sleepers[0][0] <= elapsed_s:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


async def settle(rounds: int = SETTLE_ROUNDS) -> None:
    """Let the other tasks of the loop run until those that need no time have come to rest."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class SeededIds:
    """Ids that are the same in every run: a counter, so that they sort in order of creation."""

    def __init__(self, seed: int = 0) -> None:
        self._next = seed << 64

    def new(self, prefix: str) -> str:
        """A new id `<prefix>_<32 hex digits>`."""
        self._next += 1
        return f"{prefix}_{self._next:032x}"


class SeededRandomness:
    """Chance that is the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high)."""
        return self._generator.uniform(low, high)

    def token(self, size_bytes: int) -> str:
        """A guessable "secret": `size_bytes` bytes in hex."""
        return self._generator.randbytes(size_bytes).hex()


class ManualTasks(SystemTasks):
    """Tasks of the running loop whose sleep is the manual clock's."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    async def sleep(self, duration_s: float) -> None:
        """Wait until the clock has been advanced by that much."""
        await self._clock.sleep(duration_s)


def manual_runtime(clock: ManualClock | None = None, *, seed: int = 0) -> Runtime:
    """A runtime in manual time; `runtime.clock` is the given clock or a new one."""
    held = clock or ManualClock()
    return Runtime(held, SeededIds(seed), SeededRandomness(seed), ManualTasks(held))

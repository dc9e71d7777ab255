"""One timer for every deadline of the process: cheaper per call than a timeout of its own."""

import asyncio
import math
from typing import Any

import msgspec

from emporion.chassis.runtime.ports import Runtime

TICK_S = 0.01
"""How late a deadline may be noticed."""
TURN_S_MAX = 0.2
"""It turns at least so often: each turn wakes the process, a hundred a second took one to four
percent of a core in every process of a busy shop."""
IDLE_S_MAX = 1.0
"""The wheel stands still after so long without a call: an idle process does not poll."""


class Flight(msgspec.Struct, eq=False):
    """A call under way: the task that runs it, and until when (monotonic seconds)."""

    task: asyncio.Task[Any]
    deadline_s: float
    cancelling: int
    is_expired: bool = False


class DeadlineWheel:
    """Cancels the task of a call whose deadline has passed, like `asyncio.timeout` does.

    A call enters with its deadline and leaves when it ends. A task that is cancelled by the wheel
    sees CancelledError; `has_expired` then says whether that was the deadline's doing (raise
    DeadlineExceeded) or somebody else's (let it pass). Deadlines nest: when several of one task
    expire at once, the outermost turns into the error. It turns when the earliest deadline that it
    knows has passed, and every TURN_S_MAX, which costs about 40 ns a call under way; nothing turns
    while no call is under way.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._clock = runtime.clock
        self._tasks = runtime.tasks
        self.flights: set[Flight] = set()
        self.is_turning = False
        self._turning: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns_at_s = -math.inf
        self._looks_at_s = -math.inf
        """The next turn, or a look before it."""

    def enter(self, deadline_s: float) -> Flight:
        """Watch the current task from here on; give the flight to `leave` in a `finally`."""
        if not self.is_turning:
            self.start()
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a call runs inside a task")
        flight = Flight(task, deadline_s, task.cancelling())
        self.flights.add(flight)
        if deadline_s < self._looks_at_s:
            self._look_before(deadline_s)
        return flight

    def leave(self, flight: Flight) -> None:
        """The call ended. Takes back the wheel's cancellation if it was not converted."""
        self.flights.discard(flight)
        if flight.is_expired:
            flight.is_expired = False
            flight.task.uncancel()

    def has_expired(self, flight: Flight) -> bool:
        """Ask on CancelledError: True when it is this deadline's, and the task may go on."""
        if not flight.is_expired:
            return False
        flight.is_expired = False
        return flight.task.uncancel() <= flight.cancelling

    def start(self) -> None:
        """Turn until nothing has been under way for a while."""
        self._loop = asyncio.get_running_loop()
        self.is_turning = True
        self._turning = self._tasks.spawn("deadline wheel", self._turn())

    async def _turn(self) -> None:
        now_s = idle_since_s = self._clock.monotonic_s()
        try:
            while now_s - idle_since_s < IDLE_S_MAX:
                self._turns_at_s = self._looks_at_s = self._earliest_s(now_s, now_s + TURN_S_MAX)
                await self._tasks.sleep(self._turns_at_s - now_s)
                self.expire()
                now_s = self._clock.monotonic_s()
                if self.flights:
                    idle_since_s = now_s
        finally:
            self.is_turning = False
            self._looks_at_s = -math.inf

    def _earliest_s(self, now_s: float, latest_s: float) -> float:
        """When to look at the calls next: not before a tick has passed."""
        first_s = min((flight.deadline_s for flight in self.flights), default=latest_s)
        return max(min(first_s, latest_s), now_s + TICK_S)

    def _look_before(self, deadline_s: float) -> None:
        """A deadline passes before the next turn."""
        self._looks_at_s = deadline_s
        _ = self._tasks.spawn("deadline wheel, before its turn", self._look(deadline_s))

    async def _look(self, at_s: float) -> None:
        await self._tasks.sleep(max(at_s - self._clock.monotonic_s(), TICK_S))
        self.expire()
        next_s = self._earliest_s(self._clock.monotonic_s(), self._turns_at_s)
        self._looks_at_s = self._turns_at_s
        if self.is_turning and next_s < self._turns_at_s:
            self._look_before(next_s)

    def expire(self) -> None:
        """Cancel every call whose deadline has passed."""
        now_s = self._clock.monotonic_s()
        for flight in [one for one in self.flights if one.deadline_s <= now_s]:
            self.flights.discard(flight)
            flight.is_expired = True
            flight.task.cancel("the deadline has passed")

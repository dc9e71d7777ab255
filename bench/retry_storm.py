"""A retry storm: after an outage of 2 s, do the retries of its callers let a callee come back?

The callee has a fixed capacity and a queue, works off also what nobody waits for any more, and is
under steady load at 80 % of its capacity. Whoever carries an attempt gives it up after 0.25 s,
less than a full queue takes. The callers are the real chain (`OutboundMethod`), with parts of it
taken out; time is simulated, so that every run gives the same table.
`python -m bench.retry_storm` prints it and writes it into docs/reliability.md.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.page import between
from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call
from emporion.chassis.calls.outbound import Attempt, Edge, OutboundMethod
from emporion.chassis.resilience.breaker import BreakerLimits
from emporion.chassis.resilience.budget import RetryBudget
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import Done, Echo, SampleService
from emporion.chassis.testing.time import ManualClock, manual_runtime, settle
from emporion.contracts.contract import Message, Request, rpcs
from emporion.kernel.errors import EmporionError, Unavailable

PAGE = Path(__file__).parents[1] / "docs/reliability.md"
TICK_S = 0.01
TICKS_PER_S = 100
CAPACITY_PER_TICK = 10
LOAD_PER_TICK = 8
LOAD_PER_S = LOAD_PER_TICK * TICKS_PER_S
QUEUE_MAX = 400
ATTEMPT_TIMEOUT_S = 0.25
BEFORE_S, OUTAGE_S, AFTER_S = 3, 2, 15
RECOVERED_SHARE = 0.95
SETTLE_ROUNDS = 8
NEVER: Final = 10**9
SHOWN_AFTER_S = (1, 2, 5, 10, 15)


@dataclass(frozen=True, slots=True)
class Caller:
    """Which parts of the chain a caller has."""

    name: str
    has_backoff: bool = True
    has_budget: bool = True
    has_breaker: bool = True


NAIVE = Caller("3 retries at once", has_backoff=False, has_budget=False, has_breaker=False)
BACKOFF = Caller("3 retries with backoff and jitter", has_budget=False, has_breaker=False)
BUDGET = Caller("the same with our budget", has_breaker=False)
WHOLE = Caller("our chain: budget and breaker")
CALLERS = (NAIVE, BACKOFF, BUDGET, WHOLE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Args:
        goodput: calls answered in each second of the run.
        attempts: of the callers at the callee in each second.
    """

    caller: Caller
    goodput: list[int]
    attempts: list[int]

    @property
    def recovered_s(self) -> int | None:
        """Seconds after the outage until goodput was back for good; None: it never was."""
        after = self.goodput[BEFORE_S + OUTAGE_S :]
        bad = [number for number, calls in enumerate(after) if calls < RECOVERED_SHARE * LOAD_PER_S]
        seconds = bad[-1] + 1 if bad else 0
        return seconds if seconds < AFTER_S else None


class UnlimitedBudget(RetryBudget):
    """No budget."""

    def take(self) -> bool:
        return True


class Callee:
    """First come, first served, so many a tick; it does not know who has given up."""

    def __init__(self) -> None:
        self.is_out = False
        self.attempts = 0
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._patience: deque[tuple[int, asyncio.Future[bool]]] = deque()
        self._tick = 0

    def resolve(self) -> Attempt:
        return self._attempt

    async def _attempt(self, _request: Request, _call: Call, _parent_id: str) -> Message:
        self.attempts += 1
        if len(self._queue) >= QUEUE_MAX:
            raise Unavailable("the queue is full")
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(answered)
        self._patience.append((self._tick + round(ATTEMPT_TIMEOUT_S / TICK_S), answered))
        if not await answered:
            raise Unavailable("no answer came in time")
        return Done(attempts=1)

    def turn(self) -> None:
        """One tick: serve what the capacity allows, and give up what has waited too long."""
        self._tick += 1
        for _ in range(0 if self.is_out else min(CAPACITY_PER_TICK, len(self._queue))):
            _end(self._queue.popleft(), is_good=True)
        while self._patience and self._patience[0][0] <= self._tick:
            _end(self._patience.popleft()[1], is_good=False)


def _end(answered: "asyncio.Future[bool]", *, is_good: bool) -> None:
    if not answered.done():
        answered.set_result(is_good)


class AtOnce:
    """Chance that always takes the lowest: no pause before a retry."""

    def uniform(self, low: float, _high: float) -> float:
        return low

    def token(self, size_bytes: int) -> str:
        return "0" * 2 * size_bytes


def outbound(caller: Caller, callee: Callee, clock: ManualClock) -> OutboundMethod:
    """The real chain, without what the caller has not."""
    whole = manual_runtime(clock)
    runtime = (
        whole if caller.has_backoff else Runtime(whole.clock, whole.ids, AtOnce(), whole.tasks)
    )
    budget = (RetryBudget if caller.has_budget else UnlimitedBudget)(clock)
    method = OutboundMethod(
        Chain.of(runtime, Telemetry(runtime)),
        "callee",
        rpcs(SampleService)["internal_echo"],
        edge=Edge(service_identity("caller"), budget, callee),
    )
    if not caller.has_breaker:
        method.breaker.limits = BreakerLimits(failures_min=NEVER)
    return method


async def storm(caller: Caller) -> Outcome:
    """Steady load, an outage, and what comes after."""
    clock, callee = ManualClock(), Callee()
    method = outbound(caller, callee, clock)
    request = Echo(text="hello")
    answered = 0

    async def call() -> None:
        nonlocal answered
        try:
            await method.call(request)
        except EmporionError:
            return
        answered += 1

    goodput, attempts = [], []
    calls: set[asyncio.Task[None]] = set()
    for second in range(BEFORE_S + OUTAGE_S + AFTER_S):
        callee.is_out = BEFORE_S <= second < BEFORE_S + OUTAGE_S
        answered = callee.attempts = 0
        for _ in range(TICKS_PER_S):
            clock.advance(TICK_S)
            callee.turn()
            for _ in range(LOAD_PER_TICK):
                task = asyncio.create_task(call())
                calls.add(task)
                task.add_done_callback(calls.discard)
            await settle(SETTLE_ROUNDS)
        goodput.append(answered)
        attempts.append(callee.attempts)
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return Outcome(caller, goodput, attempts)


def table(outcomes: list[Outcome]) -> str:
    """Goodput per second by caller: before, during and after the outage."""
    start = BEFORE_S + OUTAGE_S
    heads = [
        "calls answered per second", "before", "outage",
        *(f"after {second} s" for second in SHOWN_AFTER_S), "attempts a call at the end",
        "back after",
    ]  # fmt: skip
    lines = [_row(heads), f"|---|{'--:|' * (len(heads) - 1)}"]
    for outcome in outcomes:
        goodput, back_s = outcome.goodput, outcome.recovered_s
        cells = [
            f"{goodput[BEFORE_S - 1]}",
            f"{sum(goodput[BEFORE_S:start]) // OUTAGE_S}",
            *(f"{goodput[start + second - 1]}" for second in SHOWN_AFTER_S),
            f"{outcome.attempts[-1] / LOAD_PER_S:.1f}",
            "never" if back_s is None else f"{back_s} s",
        ]
        lines.append(_row([outcome.caller.name, *cells]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table and write the page."""
    text = table([asyncio.run(storm(caller)) for caller in CALLERS])
    print(text)
    between(PAGE, "storm", text)


if __name__ == "__main__":
    main()

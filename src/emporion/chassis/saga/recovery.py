"""Takes up sagas: those that are due, those of a process that died, those that others work on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga import journal
from emporion.chassis.saga.port import SagaState
from emporion.chassis.saga.run import Run
from emporion.chassis.saga.tenure import Tenure

RETRY_S_FIRST = 0.5
RETRY_S_SOON = 2.0
ATTEMPTS_SOON = 8
"""A peer that was killed is back within seconds: for so many attempts it is asked every 2 s."""
RETRY_S_MAX = 300.0
DOUBLINGS_MAX = 16
RECOVERED_AT_ONCE = 32
LOOK_AGAIN_MS = 1_000
"""When what is due is being worked on already, or is not known here."""
WATCH_S_FIRST = 0.02
WATCH_S_MAX = 0.5
TERMINAL = (SagaState.COMPLETED, SagaState.REFUSED)


class Recovery:
    """What the engine does besides driving the sagas that were started here.

    Args:
        tenure: how this process comes by sagas.
        active: those that this process works on.
        drive: works on a stored saga; False when it is not known here.

    Its methods raise what the database raises.
    """

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        tenure: Tenure,
        *,
        active: Mapping[str, Run],
        drive: Callable[[journal.Entry], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._now_ms = runtime.clock.now_ms
        self._tenure = tenure
        self._active = active
        self._drive = drive
        self._cut_short: dict[str, int] = {}
        """Sagas whose rows do not say when they go on, and that instant."""

    def interrupted(self, saga_id: str, *, pause_s: float = 0.0) -> None:
        """Its driver ended before it could store when to go on: it does after this pause."""
        self._cut_short[saga_id] = self._now_ms() + round(pause_s * 1000)

    async def recover(self) -> None:
        """Make due what was open at the last stop."""
        now_ms = self._now_ms()

        async def work(tx: Tx) -> None:
            await self._tenure.recover(tx, now_ms=now_ms)

        await self._database.transaction(work)

    async def release(self) -> None:
        """Leave what is open to other instances."""
        now_ms = self._now_ms()

        async def work(tx: Tx) -> None:
            await self._tenure.release(tx, now_ms=now_ms)

        await self._database.transaction(work)

    async def run_due(self) -> int | None:
        """Take up what is due, a bounded number at once; when to run again (see Alarm)."""
        now_ms = self._now_ms()
        entries = await self._due(now_ms)
        again = [entry for entry in entries if entry.state not in TERMINAL]
        is_any_run = False
        for start in range(0, len(again), RECOVERED_AT_ONCE):
            batch = again[start : start + RECOVERED_AT_ONCE]
            driven = await asyncio.gather(*(self._take_up(entry) for entry in batch))
            is_any_run = is_any_run or any(driven)

        async def next_due(tx: Tx) -> int | None:
            return await self._tenure.next_due_ms(tx, now_ms=self._now_ms())

        dues = [await self._database.read(next_due), *self._cut_short.values()]
        due_ms = min((due for due in dues if due is not None), default=None)
        if due_ms is None or is_any_run:
            return due_ms
        return max(due_ms, now_ms + LOOK_AGAIN_MS)

    async def end_of(self, entry: journal.Entry, *, wait_s: float) -> journal.Entry:
        """How a saga stands that another instance works on: at its end, or after `wait_s`."""
        clock, pause_s = self._runtime.clock, WATCH_S_FIRST
        until_s = clock.monotonic_s() + wait_s
        saga_id = entry.saga_id

        async def look(tx: Tx) -> journal.Entry | None:
            return await journal.by_id(tx, saga_id)

        while entry.state not in TERMINAL and clock.monotonic_s() < until_s:
            await self._runtime.tasks.sleep(min(pause_s, wait_s))
            pause_s = min(pause_s * 2, WATCH_S_MAX)
            seen = await self._database.read(look)
            entry = entry if seen is None else seen
        return entry

    async def _due(self, now_ms: int) -> list[journal.Entry]:
        waiting = [saga_id for saga_id, at_ms in self._cut_short.items() if at_ms <= now_ms]
        interrupted = waiting[:RECOVERED_AT_ONCE]
        active = list(self._active)

        async def work(tx: Tx) -> list[journal.Entry]:
            entries = await self._tenure.due(tx, active, now_ms=now_ms, limit=RECOVERED_AT_ONCE)
            cut_short = [await journal.by_id(tx, saga_id) for saga_id in interrupted]
            return entries + [entry for entry in cut_short if entry is not None]

        is_renewing = bool(self._tenure.owner and active)
        look = self._database.transaction if is_renewing else self._database.read
        found = await look(work)
        for saga_id in interrupted:  # only now: a look that failed is made again
            self._cut_short.pop(saga_id, None)
        for saga_id in active if is_renewing else ():
            if saga_id not in self._active:  # it was put off meanwhile: the renewal came after
                self.interrupted(saga_id, pause_s=LOOK_AGAIN_MS / 1000)
        return found

    async def _take_up(self, entry: journal.Entry) -> bool:
        if entry.saga_id in self._active:
            return False
        if self._tenure.owner:
            now_ms = self._now_ms()

            async def claim(tx: Tx) -> bool:
                return await self._tenure.claim(tx, entry, now_ms=now_ms)

            if not await self._database.transaction(claim):
                return False
        return await self._drive(entry)


def pause_s_after(attempts: int) -> float:
    """How long a saga waits after so many attempts at a step, before it is spread by chance."""
    soon_s = min(RETRY_S_FIRST * 2.0 ** min(attempts - 1, DOUBLINGS_MAX), RETRY_S_SOON)
    doublings = min(max(0, attempts - ATTEMPTS_SOON), DOUBLINGS_MAX)
    return min(soon_s * 2.0**doublings, RETRY_S_MAX)

"""Faults that are switched on to watch what becomes of a shop: slow, failing, hung or dead.

Nothing here runs while no fault is on: calls, reactions and alarms are linked through one when it
is switched on, and unlinked when it is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from emporion.chassis.runtime.ports import Runtime
from emporion.kernel.errors import EmporionError, Unavailable

R = TypeVar("R")
Target = Callable[[Any], Awaitable[Any]]
"""What answers the calls of one method."""
CallLink = Callable[[Target], Target]
"""Puts something between the chain of a call and what answers it."""


class FaultKind(StrEnum):
    """What is wrong with a service."""

    LATENCY = "latency"
    """It answers late, and begins its reactions late."""
    ERRORS = "errors"
    """Its calls and reactions fail, before anything is done."""
    HANG = "hang"
    """It answers nothing and does nothing; nobody is told."""
    CRASH = "crash"
    """It is not there: its calls fail at once, and it does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """A fault, as it is wanted.

    Args:
        kind: what is wrong.
        latency_s, jitter_s: how much later everything is, and by up to how much more.
        share: of the calls and reactions it meets; from 0 to 1.
        error: what those fail with.
    """

    kind: FaultKind
    latency_s: float = 0.0
    jitter_s: float = 0.0
    share: float = 1.0
    error: type[EmporionError] = Unavailable


class Fault:
    """A fault that is on until `end`."""

    def __init__(self, plan: FaultPlan, service: str, runtime: Runtime) -> None:
        self.plan = plan
        self._service = service
        self._runtime = runtime
        self._over = asyncio.Event()
        self._is_still = plan.kind in (FaultKind.HANG, FaultKind.CRASH)

    def end(self) -> None:
        """Whatever waits for it goes on."""
        self._over.set()

    def call(self, target: Target) -> Target:
        """The CallLink: the fault comes before the work, so that nothing was done.

        Raises the plan's error, or Unavailable when the service is not there.
        """

        async def answer(request: Any) -> Any:
            if self._is_met():
                await self._suffer()
            return await target(request)

        return answer

    def work(self, run: Callable[[], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
        """Work that nobody asks for: alarms. One that hangs or is not there does none."""

        async def rest() -> R:
            if self._is_still:
                await self._over.wait()
            return await run()

        return rest

    def reaction(self, run: Callable[[], Awaitable[R]]) -> Callable[[], Awaitable[R]]:
        """The delivery of a batch of events: it begins late, or when the fault is over.

        Not inside of the batch's transaction: that must not wait for anything.
        """

        async def begin() -> R:
            if self._is_still:
                await self._over.wait()
            elif self.plan.kind is FaultKind.LATENCY and self._is_met():
                await self._be_late()
            return await run()

        return begin

    @property
    def failure(self) -> Callable[[], None] | None:
        """Called before each reaction; raises the plan's error, if it is one that fails."""
        return self._fail if self.plan.kind is FaultKind.ERRORS else None

    def _fail(self) -> None:
        if self._is_met():
            raise self._error()

    async def _suffer(self) -> None:
        match self.plan.kind:
            case FaultKind.LATENCY:
                await self._be_late()
            case FaultKind.HANG:
                await self._over.wait()
            case FaultKind.ERRORS:
                raise self._error()
            case FaultKind.CRASH:
                raise Unavailable(f"{self._service} is not there: a fault is switched on")

    async def _be_late(self) -> None:
        """Wait for the delay, or until the fault is over."""
        waits = (
            asyncio.ensure_future(self._runtime.tasks.sleep(self._delay_s())),
            asyncio.ensure_future(self._over.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _is_met(self) -> bool:
        share = self.plan.share
        return share >= 1.0 or self._runtime.random.uniform(0.0, 1.0) < share

    def _delay_s(self) -> float:
        return self.plan.latency_s + self._runtime.random.uniform(0.0, self.plan.jitter_s)

    def _error(self) -> EmporionError:
        return self.plan.error(f"{self._service} fails: a fault is switched on")

"""The real clock, ids, randomness and tasks: the only place that asks the operating system."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

import uuid_utils

from emporion.chassis.calls.context import NEVER_S, Call, current_call, enter
from emporion.chassis.runtime.ports import Runtime

_log = logging.getLogger(__name__)


class SystemClock:
    """The operating system's clocks."""

    monotonic_s = staticmethod(time.monotonic)  # asked several times a call: without a frame

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC. May step backwards."""
        return time.time_ns() // 1_000_000


class SystemIds:
    """Ids from UUIDv7: those of one process sort in the order of creation."""

    def new(self, prefix: str) -> str:
        """A new id `<prefix>_<32 hex digits>`."""
        return f"{prefix}_{uuid_utils.uuid7().hex}"


class SystemRandomness:
    """Jitter from a seeded generator, secrets from the operating system."""

    def __init__(self) -> None:
        self._jitter = random.Random(secrets.randbits(128))  # noqa: S311 - tokens use secrets

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high)."""
        return self._jitter.uniform(low, high)

    def token(self, size_bytes: int) -> str:
        """An unguessable URL-safe secret of `size_bytes` bytes of entropy."""
        return secrets.token_urlsafe(size_bytes)


class SystemTasks:
    """Background tasks of the running event loop: held until they end, crashes logged and counted.

    A crash of a task never ends the process: it is logged with its stack and counted in
    `crashed`. Those still running when the process drains are cancelled by `cancel_all`. A task
    keeps the identity and trace of the call that spawned it, but not its deadline: it may well
    outlive the call.
    """

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self.crashed = 0

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the caller."""
        context = copy_context()
        context.run(_drop_deadline)
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        self.running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def sleep(self, duration_s: float) -> None:
        """Wait."""
        await asyncio.sleep(duration_s)

    async def cancel_all(self, *, grace_s: float = 5.0) -> list[str]:
        """Cancel what still runs; the names of tasks that ignored it for `grace_s`."""
        waiting = self.running - {asyncio.current_task()}
        for task in waiting:
            task.cancel("the process is draining")
        if not waiting:
            return []
        _, stuck = await asyncio.wait(waiting, timeout=grace_s)
        return sorted(task.get_name() for task in stuck)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self.crashed += 1
            _log.error("the task %r crashed", task.get_name(), exc_info=error)


def _drop_deadline() -> None:
    call = current_call()
    if call.deadline_s != NEVER_S:
        enter(Call(call.identity, call.trace, command=call.command))


def system_runtime() -> Runtime:
    """The runtime of a real process."""
    return Runtime(SystemClock(), SystemIds(), SystemRandomness(), SystemTasks())

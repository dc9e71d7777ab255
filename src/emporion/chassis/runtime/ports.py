"""Time, chance and tasks as one port, so that a whole shop can run in simulated time."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from emporion.kernel.clock import Clock
from emporion.kernel.ids import Ids, Randomness


class Tasks(Protocol):
    """Background work with a name; a crash of it is logged and counted, never lost."""

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the caller. It is cancelled when the process drains."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait; in simulated time this takes none."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What replaces the operating system for everything below the platform."""

    clock: Clock
    ids: Ids
    random: Randomness
    tasks: Tasks

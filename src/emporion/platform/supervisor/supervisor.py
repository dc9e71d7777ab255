"""Starts a whole shop in order, keeps it running, and ends it in the other order."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emporion.platform.data_folder import write_address
from emporion.platform.supervisor.kept import POLICY, Kept, Known, RestartPolicy, Say
from emporion.platform.supervisor.part import Part
from emporion.platform.supervisor.pid_file import end_leftovers
from emporion.platform.supervisor.rolling import Rolling

NAME_WIDTH: Final = 14


async def known_at_once(_part: Part) -> None:
    """Known: nobody has to find it before the one before it may end."""


@dataclass(frozen=True, slots=True)
class Succession:
    """Who takes whose place when a shop is rolled.

    Args:
        twins: for a part, by its name, the one that takes its place.
        known: waits until requests go to a successor, so that the one before it may end.
    """

    twins: Mapping[str, Part] = field(default_factory=dict)
    known: Known = known_at_once


NOBODY: Final = Succession()


class Stage:
    """Parts that start beside each other, and end beside each other."""

    def __init__(self, kept: Sequence[Kept], say: Say) -> None:
        self.kept = tuple(kept)
        self._say = say

    async def start(self) -> None:
        """All of them, or none: when one fails, the others are ended. Raises its error."""
        async with asyncio.TaskGroup() as group:
            for kept in self.kept:
                group.create_task(self._start(kept))

    async def _start(self, kept: Kept) -> None:
        took_s = await kept.start()
        self._say(f"  {kept.part.name:<{NAME_WIDTH}} ready after {took_s:.1f} s")

    async def stop(self) -> None:
        """All of them, in the time that the slowest may take."""
        endings = await asyncio.gather(*(kept.stop() for kept in self.kept))
        for kept, is_clean in zip(self.kept, endings, strict=True):
            if not is_clean:
                self._say(f"  {kept.part.name} had to be killed")


class Supervisor:
    """Holds a shop on one machine. Enter it to start everything; leaving it ends everything.

    Args:
        data: the folder of the shop; held by one supervisor at a time.
        stages: parts in the order of their start: databases and broker, services, edge.
        say: told what happens.
        policy: how parts that end are started again.
        succession: who takes whose place when the shop is rolled.
    """

    def __init__(
        self,
        data: Path,
        stages: Sequence[Sequence[Part]],
        say: Say,
        *,
        policy: RestartPolicy = POLICY,
        succession: Succession = NOBODY,
    ) -> None:
        self._run = data / "run"
        self._succession = succession
        self._say = say
        self.stages = tuple(
            Stage([Kept(part, self._run, say, policy=policy) for part in parts], say)
            for parts in stages
            if parts
        )
        self._watching: list[asyncio.Task[None]] = []

    @property
    def kept(self) -> dict[str, Kept]:
        """Every part by name."""
        return {kept.part.name: kept for stage in self.stages for kept in stage.kept}

    async def start(self) -> None:
        """Stage after stage. Raises what the first failing part raises; then nothing runs."""
        try:
            for stage in self.stages:
                await stage.start()
        except BaseExceptionGroup as group:
            await self.stop()
            raise _first(group) from None
        except BaseException:
            await self.stop()
            raise
        self._watching = [
            asyncio.create_task(kept.watch(), name=f"watching {name}")
            for name, kept in self.kept.items()
        ]

    async def stop(self) -> None:
        """End what runs, the last stage first: nobody loses what it stands on before its end."""
        for task in self._watching:
            task.cancel()
        _ = await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = []
        for stage in reversed(self.stages):
            await stage.stop()

    async def roll(self) -> None:
        """Replace every part that has a twin, one after the other, without taking the shop down.

        Raises StartFailed when a successor does not come up or is not found: those before it have
        been replaced, its predecessor and those after it run on.
        """
        for kept in self.kept.values():
            old = kept.part.name
            if (twin := self._succession.twins.get(old)) is not None:
                took_s = await kept.roll(twin, self._succession.known)
                self._say(f"  {twin.name} took the place of {old} in {took_s:.1f} s")

    def kill(self) -> None:
        """End everything now."""
        for kept in self.kept.values():
            kept.kill()

    async def end_leftovers(self) -> None:
        """End what a supervisor that was killed has left; before `start`."""
        for name, pid in await asyncio.to_thread(lambda: list(end_leftovers(self._run))):
            self._say(f"  {name} (process {pid}) was left by a shop that was killed; it is ended")


async def supervise(
    data: Path, supervisor: Supervisor, *, url: Callable[[], str], announce: Callable[[], None]
) -> None:
    """Start, serve until SIGTERM, SIGINT or SIGHUP, and end all; a second signal ends it at once.

    The caller holds the folder `data`. `announce` is called when requests are taken at `url`.
    Raises why it did not start; then nothing runs.
    """
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            supervisor.kill()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
    rolling = Rolling(supervisor, data / "run")
    starting = asyncio.create_task(supervisor.start(), name="start")
    stopping = asyncio.create_task(asked.wait(), name="asked to stop")
    _ = await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    try:
        await starting
        write_address(data, url())
        announce()
        rolling.open()
        _ = await stopping
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    finally:
        stopping.cancel()
        rolling.close()
        await supervisor.stop()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that the others followed from."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error

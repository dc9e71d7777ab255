"""A running shop is rolled when another process asks for it: who runs, who asks, and the answer."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Final, Protocol

import msgspec

from emporion.kernel.errors import EmporionError, FailedPrecondition, Unavailable
from emporion.platform.data_folder import DataFolder

FILE: Final = "rolling.state"
"""Not `.json`: whoever reads the shop takes each of those in `run` for a process file."""
LOOK_S: Final = 0.2
TIMEOUT_S: Final = 900.0


class NothingToRoll(FailedPrecondition):
    """No supervised shop runs on the folder."""

    slug = "nothing-to-roll"
    title = "No shop of several processes runs here"


class RollFailed(Unavailable):
    """A successor did not come up; its predecessor runs on."""

    slug = "roll-failed"
    title = "The shop was not rolled to the end"


class Standing(msgspec.Struct, frozen=True):
    """Of the supervisor: its pid, how often it has rolled the shop, what was wrong last time."""

    pid: int
    rolls: int = 0
    problem: str = ""


class Rollable(Protocol):
    """What can be rolled."""

    async def roll(self) -> None:
        """See Supervisor.roll."""
        ...


class Rolling:
    """The supervisor's side: SIGUSR1 rolls the shop, one roll at a time."""

    def __init__(self, shop: Rollable, run: Path) -> None:
        self._shop = shop
        self._file = run / FILE
        self._rolls = 0
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Take requests from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begin)
        self._say("")

    def close(self) -> None:
        """Take none any more, and break off the one under way."""
        asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
        self._file.unlink(missing_ok=True)
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._roll(), name="roll")

    async def _roll(self) -> None:
        problem = ""
        try:
            await self._shop.roll()
        except EmporionError as error:
            problem = error.detail
        self._rolls += 1
        self._say(problem)

    def _say(self, problem: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(Standing(os.getpid(), self._rolls, problem)))
        new.replace(self._file)


def ask_to_roll(data: Path) -> float:
    """Have the shop on a folder rolled, and wait for it; how many seconds that took.

    Raises NothingToRoll, or RollFailed saying which part did not come up.
    """
    file = data / "run" / FILE
    before = _standing(file)
    if before is None or not DataFolder.is_held(data):
        raise NothingToRoll(f"{data}: no shop of several processes runs on this folder")
    started_s = time.monotonic()
    os.kill(before.pid, signal.SIGUSR1)
    while time.monotonic() - started_s < TIMEOUT_S:
        now = _standing(file)
        if now is None:
            raise RollFailed("the shop ended meanwhile")
        if now.rolls > before.rolls:
            if now.problem:
                raise RollFailed(now.problem)
            return time.monotonic() - started_s
        time.sleep(LOOK_S)
    raise RollFailed(f"not done within {TIMEOUT_S:g} s")


def _standing(file: Path) -> Standing | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Standing)
    except (OSError, msgspec.MsgspecError):
        return None

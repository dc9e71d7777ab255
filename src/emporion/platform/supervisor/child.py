"""One program started by the supervisor: its log, its pid file, and a bounded end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Self

import psutil

from emporion.platform.supervisor import leash
from emporion.platform.supervisor.pid_file import PidFile

KILL_TIMEOUT_S: Final = 5.0
LOG_BYTES_MAX: Final = 16 * 1024 * 1024
TAIL_BYTES: Final = 4_096
_KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Command:
    """How a program is run.

    Args:
        name: of the part, one in the shop.
        words: the program's path and its arguments; never a secret: every user can see them.
        log: where its standard output and error are appended; the one before is kept beside.
        stop_signal, stop_timeout_s: how it is asked to end, and how long that may take.
        refuses_root: whether it must not run as root: see `leash`.
        network: the network namespace that it runs in; empty: this one.
        variables: beside the few that every program gets.
    """

    name: str
    words: tuple[str, ...]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    refuses_root: bool = False
    network: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def leashed(self) -> tuple[str, ...]:
        """The words that run it so that it ends with its supervisor."""
        root = "namesake" if self.refuses_root else "keep"
        start = (sys.executable, "-I", "-S", leash.__file__)
        how = (str(os.getpid()), str(int(self.stop_signal)), root, self.network)
        return (*start, *how, *self.words)


class Child:
    """A running program. Made by `Child.start`; `ended` gives its exit code."""

    def __init__(self, command: Command, process: Process, pid_file: PidFile) -> None:
        self.command = command
        self._process = process
        self._pid_file = pid_file
        self.ended = asyncio.create_task(process.wait(), name=f"{command.name} runs")

    @classmethod
    async def start(cls, command: Command, run: Path) -> Self:
        """Start the program; its pid file goes into the folder `run`. Raises OSError.

        One whose pid cannot be written down (the disk is full) does not run on.
        """
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with _appending(command.log) as log:
            process = await asyncio.create_subprocess_exec(
                *command.leashed(),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env={**environment, **command.variables},
                start_new_session=True,  # Ctrl-C is the supervisor's: it stops them in order
            )
        pid_file = PidFile.of(command.name, run)
        child = cls(command, process, pid_file)
        try:
            pid_file.write(process.pid, command.stop_signal, command.stop_timeout_s)
        except OSError:
            child.kill()
            _ = await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        """Of the program: the leash has become it."""
        return self._process.pid

    async def stop(self) -> bool:
        """Ask it to end; kill it, and all that it started, when it does not in time.

        True when it ended by itself. Safe to call again, and when it has ended already.
        """
        offspring = _offspring(self.pid)
        if not self.ended.done():
            self._send(self.command.stop_signal)
            _ = await asyncio.wait({self.ended}, timeout=self.command.stop_timeout_s)
        is_clean = self.ended.done()
        if not is_clean:
            self._send(signal.SIGKILL)
            _ = await asyncio.wait({self.ended}, timeout=KILL_TIMEOUT_S)
        _ = await asyncio.to_thread(end_all, offspring)
        self._pid_file.remove()
        return is_clean

    def kill(self) -> None:
        """End it now, without a word; `stop` still tidies up."""
        self._send(signal.SIGKILL)

    def last_words(self, lines_max: int = 3) -> str:
        """The end of its log, for an error message."""
        return tail(self.command.log, lines_max)

    def _send(self, what: signal.Signals) -> None:
        if not self.ended.done():
            try:
                self._process.send_signal(what)
            except ProcessLookupError:
                return  # it ended in this instant


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def end_all(processes: list[psutil.Process]) -> None:
    """Wait for processes whose parent has ended; kill those that stay."""
    _, staying = psutil.wait_procs(processes, timeout=2.0)
    for process in staying:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(staying, timeout=KILL_TIMEOUT_S)


def tail(log: Path, lines_max: int) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-lines_max:])


def begin_log(log: Path) -> None:
    """Make the folder of a log; a long one is kept beside, in place of the one before."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))


def _appending(log: Path) -> BinaryIO:
    begin_log(log)
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

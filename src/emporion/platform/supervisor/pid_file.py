"""Pid files: which programs a supervisor started, so that the next one can end what it left."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
import psutil

SUFFIX: Final = ".pid"
CREATED_S_TOLERANCE: Final = 1.0


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A pid is used again for another process; together with its start it is not."""

    pid: int
    created_s: float
    stop_signal: int
    stop_timeout_s: float


@dataclass(frozen=True, slots=True)
class PidFile:
    """The pid file of one part."""

    path: Path

    @classmethod
    def of(cls, name: str, run: Path) -> Self:
        """That of the part `name` in the folder `run`."""
        return cls(run / f"{name}{SUFFIX}")

    @property
    def name(self) -> str:
        """Of the part."""
        return self.path.name.removesuffix(SUFFIX)

    def write(self, pid: int, stop_signal: signal.Signals, stop_timeout_s: float) -> None:
        """Note a process that was just started; nothing when it has ended already."""
        try:
            created_s = psutil.Process(pid).create_time()
        except psutil.Error:
            return
        noted = _Noted(
            pid=pid,
            created_s=created_s,
            stop_signal=int(stop_signal),
            stop_timeout_s=stop_timeout_s,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.path.with_suffix(".pid.new")
        new.write_bytes(msgspec.json.encode(noted))
        new.replace(self.path)

    def remove(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)

    def end_leftover(self) -> int:
        """End the process when it still runs; its pid, or 0 when it did not. Blocks."""
        noted, process = self._noted()
        if noted is None or process is None:
            self.remove()
            return 0
        family = [process]
        try:
            family += process.children(recursive=True)
            process.send_signal(noted.stop_signal)
        except psutil.Error:
            self.remove()
            return 0
        _, staying = psutil.wait_procs(family, timeout=noted.stop_timeout_s)
        for stubborn in staying:
            try:
                stubborn.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(staying, timeout=noted.stop_timeout_s)
        self.remove()
        return noted.pid

    def _noted(self) -> tuple[_Noted | None, psutil.Process | None]:
        try:
            noted = msgspec.json.decode(self.path.read_bytes(), type=_Noted)
            process = psutil.Process(noted.pid)
            is_same = abs(process.create_time() - noted.created_s) < CREATED_S_TOLERANCE
        except (OSError, msgspec.MsgspecError, psutil.Error):
            return None, None
        is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return noted, process if is_same and is_alive else None


def end_leftovers(run: Path) -> Iterator[tuple[str, int]]:
    """End every process that a killed supervisor left; their names and pids. Blocks."""
    for path in sorted(run.glob(f"*{SUFFIX}")):
        file = PidFile(path)
        if pid := file.end_leftover():
            yield file.name, pid

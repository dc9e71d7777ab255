"""A real `emporion up` in a process of its own, on a data folder and a free port of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.polling import eventually

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from emporion.platform.cli.main import main; main()")
START_S_MAX = 30.0
STOP_S_MAX = 30.0
_OPEN = re.compile(r"The shop is open at (http://\S+) ")


@dataclass
class Running:
    """A shop's process.

    Args:
        process, output, errors: the process, and the files of what it prints.
        started_s, started_ms: when it was started, by the steady and by the wall clock.
        url: where it listens; empty until it takes requests.
    """

    process: subprocess.Popen[bytes]
    output: Path
    started_s: float
    started_ms: int
    url: str = ""
    errors: Path = field(default=Path())

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def is_dead(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        """What it has printed on standard error: its log."""
        return self.errors.read_text(errors="replace")

    async def until_open(self) -> float:
        """Wait until it takes requests; seconds since it was started."""
        await eventually(self._is_open_or_dead, within_s=START_S_MAX, what="the shop opens")
        if not self.url:
            raise AssertionError(f"the shop ended with {self.process.returncode}: {self.said}")
        return time.monotonic() - self.started_s

    async def until_dead(self, *, within_s: float) -> int:
        """Wait for the end of the process; its exit code, negative for a signal."""
        await eventually(lambda: self.is_dead, within_s=within_s, what="the process ends")
        return self.process.returncode

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if not self.is_dead:
            self.process.send_signal(signal.SIGTERM)
        return await self.until_dead(within_s=STOP_S_MAX)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing when it is gone already."""
        if not self.is_dead:
            self.process.kill()
        self.process.wait()

    def _is_open_or_dead(self) -> bool:
        is_dead = self.is_dead
        if found := _OPEN.search(self.output.read_text()):
            self.url = found[1]
        return bool(self.url) or is_dead


def environment(source: Path | None = None, **more: str) -> dict[str, str]:
    """This process's environment without settings of a shop, and with `more`.

    Args:
        source: another `src` folder to run the code of.
        more: further variables.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMPORION_")}
    if source is not None:
        kept["PYTHONPATH"] = str(source)
    return {**kept, **more}


def start(
    data: Path,
    *,
    command: tuple[str, ...] = COMMAND,
    port: int = 0,
    environ: dict[str, str] | None = None,
) -> Running:
    """Start a shop on a data folder; it is not open yet."""
    logs = data.parent / f"{data.name}-logs"
    logs.mkdir(exist_ok=True)
    number = len(list(logs.glob("*.out"))) + 1
    output, errors = logs / f"{number}.out", logs / f"{number}.err"
    started_s, started_ms = time.monotonic(), time.time_ns() // 1_000_000
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "up", "--port", str(port), "--data", str(data)],
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=environment() if environ is None else environ,
            cwd=ROOT,
        )
    return Running(process, output, started_s, started_ms, errors=errors)


def audit(data: Path, *, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """`emporion audit` of a folder: its exit code and what it printed."""
    done = subprocess.run(
        [*COMMAND, "audit", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        env=environment() if environ is None else environ,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr

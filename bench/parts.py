"""A shop of any topology as the benchmark sees it: started, loaded, and its parts' CPU and memory.

CPU is user and system time of a part with all its children, also of those that have ended: a
database works in many processes. Memory is the proportional share (PSS), so that pages which
several processes share are counted once.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.shop import PROGRAM

START_S_MAX = 120.0
QUIET_S_MAX = 60.0
LOOK_S = 0.5
BUSY_SHARE_MAX = 0.1
"""Of one core: less than this is a shop with nothing to do."""
SUPERVISOR = "supervisor"
_OPEN = re.compile(r"The shop is open at (http://\S+) ")


@dataclass(frozen=True, slots=True)
class Load:
    """What one load gave.

    Args:
        cpu_us: CPU of one more order, by part, in microseconds.
        settled_s: from the end of the load until the shop had nothing to do: its deliveries.
    """

    shoppers: int
    orders_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    settled_s: float

    @property
    def cpu_us_per_order(self) -> float:
        """Of all parts."""
        return sum(self.cpu_us.values())


class Shop:
    """A running shop: one process, or a supervisor with its parts."""

    def __init__(self, url: str, pid: int, run: Path) -> None:
        self.url = url
        self._pid = pid
        self._run = run

    def parts(self) -> dict[str, psutil.Process]:
        """The processes by name; children belong to their parent."""
        found = {
            path.stem: psutil.Process(json.loads(path.read_bytes())["pid"])
            for path in sorted(self._run.glob("*.pid"))
        }
        name = SUPERVISOR if found else "the one process"
        return {name: psutil.Process(self._pid), **found}

    def cpu_us(self) -> dict[str, float]:
        """CPU used so far, by part, in microseconds."""
        parts = self.parts()
        return {
            name: sum(map(_cpu_us, [part, *self._children(name, part)]))
            + _reaped_us(part) * (name != SUPERVISOR)
            for name, part in parts.items()
        }

    def memory_mb(self) -> dict[str, float]:
        """Memory now, by part."""
        return {
            name: sum(map(_pss_mb, [part, *self._children(name, part)]))
            for name, part in self.parts().items()
        }

    def load(self, shoppers: int, duration_s: float) -> Load:
        """Drive it. What signing up costs is taken out: a short load's CPU is subtracted."""
        short, short_us, _ = self._loaded(shoppers, ("--orders", str(shoppers)))
        long, long_us, settled_s = self._loaded(shoppers, ("--seconds", str(duration_s)))
        orders = max(1, long["orders_decided"] - short["orders_decided"])
        return Load(
            shoppers,
            long["orders_per_s"],
            long["latency_ms"]["p50"],
            long["latency_ms"]["p99"],
            {name: (long_us[name] - short_us[name]) / orders for name in long_us},
            settled_s,
        )

    def _loaded(self, shoppers: int, amount: tuple[str, str]) -> tuple[dict, dict, float]:
        before_us = self.cpu_us()
        done = subprocess.run(
            [
                *PROGRAM, "load", "--url", self.url, "--shoppers", str(shoppers), "--restock",
                "--patience-s", "60", "--json", "-", *amount,
            ],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
        settled_s = self.settle()
        after_us = self.cpu_us()
        report = json.loads(done.stdout)
        assert report["adds_up"] is not False
        return report, {name: after_us[name] - before_us[name] for name in before_us}, settled_s

    def settle(self) -> float:
        """Wait until the shop has nothing to do; how long that took, in seconds."""
        started_s = time.monotonic()
        used_us = sum(self.cpu_us().values())
        while (waited_s := time.monotonic() - started_s) < QUIET_S_MAX:
            time.sleep(LOOK_S)
            now_us = sum(self.cpu_us().values())
            if now_us - used_us < BUSY_SHARE_MAX * LOOK_S * 1e6:
                break
            used_us = now_us
        return waited_s

    def _children(self, name: str, part: psutil.Process) -> list[psutil.Process]:
        return [] if name == SUPERVISOR else part.children(recursive=True)


def _cpu_us(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return (times.user + times.system) * 1e6
    return 0.0


def _reaped_us(process: psutil.Process) -> float:
    times = process.cpu_times()
    return (times.children_user + times.children_system) * 1e6


def _pss_mb(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return process.memory_full_info().pss / 2**20
    return 0.0


@contextmanager
def started(*words: str) -> Iterator[Shop]:
    """`emporion up` with those words on a folder of its own, not bound to a core."""
    with tempfile.TemporaryDirectory(prefix="emporion-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user when we are root
        output = folder / "out"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*PROGRAM, "up", "--port", "0", "--data", str(folder / "data"), *words],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=dict(os.environ),
            )
        try:
            yield Shop(_opened(process, output), process.pid, folder / "data" / "run")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _opened(process: "subprocess.Popen[bytes]", output: Path) -> str:
    end_s = time.monotonic() + START_S_MAX
    while not (found := _OPEN.search(output.read_text())):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < end_s, f"the shop did not open: {output.read_text()}"
        time.sleep(0.05)
    return found[1]

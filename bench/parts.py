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
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from bench.shop import PROGRAM

START_S_MAX = 120.0
QUIET_S_MAX = 60.0
LOOK_S = 0.5
BUSY_SHARE_MAX = 0.1
"""Of one core: less than this is a shop with nothing to do."""
SUPERVISOR = "supervisor"
_SUM = re.compile(r"^(emporion_(?:remote_)?call_seconds)_sum(\{.*\}) (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OPEN = re.compile(r"The shop is open at (http://\S+) ")


@dataclass(frozen=True, slots=True)
class Load:
    """What one load gave.

    Args:
        cpu_us: CPU of an order, by part, in microseconds; without the shoppers' sign-up.
        client_us: CPU of an order in the load generator.
        settled_s: from the end of the load until the shop had nothing to do: its deliveries.
        hops_ms: the mean time of each call of an order, as the order service sees it.
        retried, failed: attempts after the first; orders that came through not even by them.
    """

    shoppers: int
    orders_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    client_us: float
    settled_s: float
    retried: int
    failed: int
    hops_ms: dict[str, float]

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

    def hops(self) -> dict[str, tuple[float, int]]:
        """Seconds and number so far of what `order` answers, and of its calls to others."""
        listening = self._run / "listening" / "order-1.json"
        if not listening.exists():
            return {}
        url = json.loads(listening.read_bytes())["http"]
        with urlopen(f"{url}/metrics") as reply:  # noqa: S310 - an address of our own shop
            text = reply.read().decode()
        found: dict[str, tuple[float, int]] = {}
        for name, labels, seconds in _SUM.findall(text):
            count = re.search(rf"^{re.escape(f'{name}_count{labels}')} (\S+)$", text, re.MULTILINE)
            assert count, labels
            told = dict(_LABEL.findall(labels))
            way = "calls" if "remote" in name else "answers"
            hop = f"order {way} {told['service']}.{told['method']}"
            before_s, before = found.get(hop, (0.0, 0))
            found[hop] = (before_s + float(seconds), before + int(float(count[1])))
        return found

    def memory_mb(self) -> dict[str, float]:
        """Memory now, by part."""
        return {
            name: sum(map(_pss_mb, [part, *self._children(name, part)]))
            for name, part in self.parts().items()
        }

    def load(self, shoppers: int, duration_s: float) -> Load:
        """Drive it. CPU counts from when all shoppers have signed in until all is delivered."""
        words = [sys.executable, "-m", "bench.driver", self.url, str(shoppers), str(duration_s)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), "the load did not begin"
            before_us, hops_before = self.cpu_us(), self.hops()
            report = json.loads(process.stdout.read())
        hops = self.hops()
        settled_s = self.settle()
        after_us = self.cpu_us()
        orders = max(1, report["orders_decided"])
        return Load(
            shoppers,
            report["orders_per_s"],
            report["latency_ms"]["p50"],
            report["latency_ms"]["p99"],
            {name: (after_us[name] - before_us[name]) / orders for name in after_us},
            report["cpu_s"] / orders * 1e6,
            settled_s,
            sum(report["retries"].values()),
            sum(report["errors"].values()),
            _means_ms(hops_before, hops),
        )

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


def _means_ms(
    before: dict[str, tuple[float, int]], after: dict[str, tuple[float, int]]
) -> dict[str, float]:
    means = {}
    for hop, (seconds, count) in after.items():
        earlier_s, earlier = before.get(hop, (0.0, 0))
        if count > earlier:
            means[hop] = (seconds - earlier_s) / (count - earlier) * 1000
    return means


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

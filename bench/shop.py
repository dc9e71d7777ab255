"""The whole shop over HTTP, on one core, beside the bare store's limit in the same run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = (sys.executable, "-c", "from emporion.platform.cli.main import main; main()")
SERVER_CORE, CLIENT_CORE = "1", "0"
START_S_MAX = 60.0
FSYNCS = 300
_OPEN = re.compile(r"The shop is open at (http://\S+) ")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one load on one shop gave."""

    name: str
    orders_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us_per_order: float
    rss_mb: float


def pinned(core: str) -> tuple[str, ...]:
    """Run on one core, where that can be said."""
    has_two = (os.cpu_count() or 1) > 1
    return ("taskset", "-c", core) if has_two and shutil.which("taskset") else ()


@contextmanager
def shop(**settings: str) -> Iterator[tuple[str, int, float]]:
    """A running shop on its own data folder: its address, its pid, seconds until it was open."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        environ = {**os.environ, **{f"EMPORION_{name}": value for name, value in settings.items()}}
        started_s = time.monotonic()
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*pinned(SERVER_CORE), *PROGRAM, "up", "--port", "0", "--data", f"{folder}/data"],
                stdout=stream,
                env=environ,
            )
        try:
            while not (found := _OPEN.search(output.read_text())):
                assert process.poll() is None, "the shop ended"
                assert time.monotonic() - started_s < START_S_MAX, "the shop did not open"
                time.sleep(0.01)
            yield found[1], process.pid, time.monotonic() - started_s
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def load(url: str, pid: int, name: str, *, shoppers: int, duration_s: int) -> Figures:
    """Drive it; what it took. The shoppers' sign-up is not counted."""
    _load(url, shoppers=shoppers, amount=("--orders", str(shoppers * 20)))  # warm, signed up
    return _measured(url, pid, name, shoppers=shoppers, duration_s=duration_s)


def _measured(url: str, pid: int, name: str, *, shoppers: int, duration_s: int) -> Figures:
    signed_up_us = _sign_up_cost_us(url, pid, shoppers)
    before_us = _cpu_us(pid)
    report = _load(url, shoppers=shoppers, amount=("--seconds", str(duration_s)))
    used_us = _cpu_us(pid) - before_us - signed_up_us
    assert report["adds_up"] is not False
    orders = report["orders_decided"]
    latency = report["latency_ms"]
    return Figures(
        name,
        report["orders_per_s"],
        latency["p50"],
        latency["p95"],
        latency["p99"],
        used_us / orders if orders else 0.0,
        _rss_mb(pid),
    )


def _sign_up_cost_us(url: str, pid: int, shoppers: int) -> float:
    """What signing up that many shoppers (and an order each) costs the shop."""
    before_us = _cpu_us(pid)
    _load(url, shoppers=shoppers, amount=("--orders", str(shoppers)))
    return _cpu_us(pid) - before_us


def _load(url: str, *, shoppers: int, amount: tuple[str, str]) -> dict:
    done = subprocess.run(
        [
            *pinned(CLIENT_CORE), *PROGRAM, "load", "--url", url,
            "--shoppers", str(shoppers), "--restock", "--json", "-", *amount,
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def _cpu_us(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6


def _rss_mb(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def fsync_ms() -> float:
    """The median time of a small write and fdatasync on the disk of temporary files."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 4096)
            file.flush()
            started_s = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started_s)
    return sorted(times)[FSYNCS // 2] * 1000


def store_limit(in_flight: int) -> float:
    """Orders per second of the bare store on the shop's core."""
    done = subprocess.run(
        [*pinned(SERVER_CORE), sys.executable, str(Path(__file__).parent / "store_limit.py"),
         str(in_flight)],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return float(re.search(r": ([\d,]+) orders/s", done.stdout)[1].replace(",", ""))

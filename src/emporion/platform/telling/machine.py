"""How a process uses its machine: processor, memory, and the queues in front of its databases."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.shop import Shop

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
LAG_MS: Final = 30_000
"""How often it is asked how far subscribers are behind: that reads their tables."""


def watch_machine(telemetry: Telemetry, shop: Shop) -> None:
    """Gauges of what the process uses, in its metrics from now on."""
    gauge = telemetry.metrics.gauge
    gauge("process_cpu_seconds", "Processor time spent so far.", time.process_time)
    gauge("process_memory_bytes", "Resident memory.", memory_bytes)
    gauge("telemetry_traces_skipped", "Traces that began unrecorded.",
          lambda: float(telemetry.sampler.skipped))  # fmt: skip
    about = "Transactions that wait or run."
    for name, database in shop.databases.items():
        gauge("database_waiting", about, lambda of=database: float(of.waiting), service=name)  # type: ignore[misc] # mypy knows no lambda with a default


def memory_bytes() -> float:
    """Resident memory of this process; the most it ever was where the system tells no more."""
    try:
        return float(int(_STATM.read_text("ascii").split()[1]) * _PAGE_BYTES)
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


class QueueAges:
    """How far subscribers are behind their publishers, asked every LAG_MS, shown as gauges."""

    def __init__(self, telemetry: Telemetry, shop: Shop, now_ms: Callable[[], int]) -> None:
        self._gauge = telemetry.metrics.gauge
        self._bus = shop.bus
        self._now_ms = now_ms
        self._asked_ms = now_ms()
        self._ages: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], float] = {}

    async def refresh(self) -> None:
        """Ask, if it is time."""
        now_ms = self._now_ms()
        if now_ms - self._asked_ms < LAG_MS:
            return
        self._asked_ms = now_ms
        for lag in await self._bus.lag():
            key = (lag.source, lag.subscriber)
            is_new = key not in self._ages
            self._ages[key] = lag.oldest_ms / 1000
            self._waiting[key] = float(lag.waiting)
            if is_new:
                self._show(key)

    def _show(self, key: tuple[str, str]) -> None:
        labels = {"service": key[1], "caller": key[0]}
        about = "Age of the oldest event that a subscriber has not come to."
        self._gauge("events_oldest_seconds", about, lambda: self._ages[key], **labels)
        about = "Events that a subscriber has not come to."
        self._gauge("events_waiting", about, lambda: self._waiting[key], **labels)

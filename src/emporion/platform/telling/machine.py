"""How a process uses its machine, and what waits in it: transactions, events, sagas."""

import os
import resource
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from emporion.chassis.saga.desk import OpenSagas, SagaDesk
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.shop import Shop
from emporion.platform.supervisor.certificates import ends_at

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
DAY_MS: Final = 86_400_000
LAG_MS: Final = 30_000
"""How often it is asked how far subscribers are behind, and how old sagas are: both read tables."""


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


def watch_certificate(telemetry: Telemetry, certificate: Path, now_ms: Callable[[], int]) -> None:
    """A gauge of how long what the process shows the others is still good.

    Raises OSError, or ValueError, when there is no certificate.
    """
    end_ms = ends_at(certificate).timestamp() * 1_000
    about = "Days until the certificate ends that this process took at its start."
    gauge = telemetry.metrics.gauge
    gauge("process_certificate_days", about, lambda: (end_ms - now_ms()) / DAY_MS)


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
        self._dead: dict[tuple[str, str], float] = {}

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
            self._dead[key] = float(lag.dead)
            if is_new:
                self._show(key)

    def _show(self, key: tuple[str, str]) -> None:
        labels = {"service": key[1], "caller": key[0]}
        about = "Age of the oldest event that a subscriber has not come to."
        self._gauge("events_oldest_seconds", about, lambda: self._ages[key], **labels)
        about = "Events that a subscriber has not come to, counted up to 10,000 per publisher."
        self._gauge("events_waiting", about, lambda: self._waiting[key], **labels)
        about = "Events whose reaction failed for days: somebody has to redrive them."
        self._gauge("dead_letters", about, lambda: self._dead[key], **labels)


class SagaAges:
    """How many sagas are not over and how old the oldest is, asked every LAG_MS, as gauges.

    Instances that share a database tell the same.

    Args:
        desks: of each service that has sagas.
    """

    def __init__(
        self, telemetry: Telemetry, desks: Mapping[str, SagaDesk], now_ms: Callable[[], int]
    ) -> None:
        self._desks = desks
        self._now_ms = now_ms
        self._asked_ms = now_ms()
        self._open = dict.fromkeys(desks, OpenSagas(0, None))
        gauge = telemetry.metrics.gauge
        for name in desks:
            number = partial(self._number, name)
            gauge("sagas_open", "Sagas that are not over.", number, service=name)
            about = "Age of the oldest saga that is not over."
            gauge("sagas_oldest_seconds", about, partial(self._age_s, name), service=name)

    async def refresh(self) -> None:
        """Ask, if it is time. Raises what the databases raise."""
        now_ms = self._now_ms()
        if now_ms - self._asked_ms < LAG_MS:
            return
        self._asked_ms = now_ms
        for name, desk in self._desks.items():
            self._open[name] = await desk.standing()

    def _number(self, service: str) -> float:
        return float(self._open[service].number)

    def _age_s(self, service: str) -> float:
        oldest_at_ms = self._open[service].oldest_at_ms
        return 0.0 if oldest_at_ms is None else max(0, self._now_ms() - oldest_at_ms) / 1000

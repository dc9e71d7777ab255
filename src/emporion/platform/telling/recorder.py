"""Carries what a process records out of its memory: into the store, and to whoever exports it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.spans import Span
from emporion.chassis.telemetry.store.records import LogRow, parts_of
from emporion.chassis.telemetry.store.samples import MetricSampler, Sample
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.kernel.errors import Unavailable
from emporion.platform.telling.store.writing import Limits, StoreWriter

FLUSH_S: Final = 1.0
SAMPLE_MS: Final = 2_000
QUIET_MS: Final = 10_000
"""Between samples of a process in which nothing happens."""
ASKED_MS: Final = 200
"""And when somebody wants to know."""
PRUNE_MS: Final = 60_000
LOGS_MAX: Final = 5_000
"""Log lines between two flushes; older ones are in the log only."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What was recorded since the last batch. `epoch_us` is when the monotonic clock was at 0."""

    spans: Sequence[Span]
    logs: Sequence[LogRow]
    sample: Sample | None
    epoch_us: int


@dataclass(slots=True)
class Recorder:
    """Empties the ring of spans and the kept log lines every FLUSH_S, off the order path.

    A store that cannot be written, or whatever else fails, is said once, and tried again; what
    should have been kept is lost. Nothing that is recorded is worth the work that it is about.

    Args:
        path: the file of the store; None: nothing is kept.
        logs: where the process's log puts its lines.
        exports: told of each batch; quick, on the loop.
        refreshes: what looks up values of gauges; one that fails is tried again a second later.
    """

    telemetry: Telemetry
    runtime: Runtime
    path: Path | None
    limits: Limits
    logs: deque[LogRow]
    exports: list[Callable[[Batch], None]] = field(default_factory=list)
    refreshes: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _sampler: MetricSampler = field(init=False)
    _writer: StoreWriter | None = field(init=False, default=None)
    _flushing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _task: asyncio.Task[None] | None = field(init=False, default=None)
    _sampled_ms: int = field(init=False, default=0)
    _pruned_ms: int = field(init=False, default=0)
    _is_failing: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._sampler = MetricSampler(self.telemetry.metrics)

    async def start(self) -> None:
        """Begin to carry; also when the store cannot be opened, which is said."""
        self._task = self.runtime.tasks.spawn("telemetry", self._serve())

    async def stop(self) -> None:
        """Carry what is left, and close the store."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def flush(self, *, for_reader: bool = False) -> None:
        """Carry what there is; for a reader also the metrics of now. What fails is said in the log.

        A caller that is cancelled leaves its batch on the way, and the next one waits for that:
        the thread that writes cannot be cancelled, and the store is one thread's at a time.
        """
        await asyncio.shield(self._carry(for_reader=for_reader))

    async def _carry(self, *, for_reader: bool) -> None:
        async with self._flushing:
            try:
                batch = self._taken(for_reader=for_reader)
                for export in self.exports:
                    export(batch)
                if self.path is not None:
                    if not (batch.spans or batch.logs or batch.sample):
                        return
                    await asyncio.to_thread(self._store, batch)
            except Exception as error:  # noqa: BLE001 - said; the next batch may well be carried
                self._failed(error)
            else:
                self._is_failing = False

    async def _serve(self) -> None:
        while True:
            await self.runtime.tasks.sleep(FLUSH_S)
            try:
                for refresh in self.refreshes:
                    await refresh()
            except Exception as error:  # noqa: BLE001 - a database that is away is no reason to stop
                _log.debug("a gauge cannot be read now: %s", error)
            await self.flush()

    def _taken(self, *, for_reader: bool) -> Batch:
        clock = self.runtime.clock
        now_ms = clock.now_ms()
        epoch_us = now_ms * 1000 - round(clock.monotonic_s() * 1e6)
        spans = self.telemetry.spans.take()
        logs = [*self.logs]
        self.logs.clear()
        pause_ms = SAMPLE_MS if spans or logs else QUIET_MS
        if for_reader:
            pause_ms = ASKED_MS
        sample = None
        if now_ms - self._sampled_ms >= pause_ms:
            sample = self._sampler.take(now_ms)
            self._sampled_ms = now_ms
        return Batch(spans, logs, sample, epoch_us)

    def _store(self, batch: Batch) -> None:
        """In a thread of its own. Raises Unavailable."""
        assert self.path is not None  # noqa: S101 - asked before
        if self._writer is None:
            self._writer = StoreWriter(self.path, self.limits)
        parts = parts_of(batch.spans, epoch_us=batch.epoch_us)
        self._writer.write(parts, batch.logs, batch.sample)
        now_ms = self.runtime.clock.now_ms()
        if now_ms - self._pruned_ms >= PRUNE_MS:
            self._pruned_ms = now_ms
            self._writer.prune(now_ms)

    def _failed(self, error: Exception) -> None:
        if not self._is_failing:
            if isinstance(error, Unavailable):
                _log.warning("nothing is kept of what this process tells: %s", error.detail)
            else:
                _log.error("what this process tells cannot be carried", exc_info=error)
        self._is_failing = True

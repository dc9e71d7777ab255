"""Sends what the process tells to a collector: in batches, bounded, never in anybody's way."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from emporion.chassis.http.outgoing import Poster
from emporion.chassis.resilience.backoff import backoff_s
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.spans import Span
from emporion.chassis.telemetry.store.records import LogRow
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.kernel.errors import EmporionError
from emporion.platform.telling.export.otlp import Messages
from emporion.platform.telling.recorder import Batch

T = TypeVar("T")
WAITING_MAX: Final = 5_000
"""Spans that wait for the collector, and as many log lines; then the oldest are dropped."""
AT_ONCE_MAX: Final = 1_000
METRICS_MS: Final = 15_000
TIMEOUT_S: Final = 10.0
TRIES_MAX: Final = 5
RETRIED: Final = frozenset({429, 502, 503, 504})
"""What OTLP says may be sent again."""
_log = logging.getLogger(__name__)


class OtlpExporter:
    """Takes batches from the recorder, and sends them one after the other.

    A collector that does not answer is tried TRIES_MAX times with a pause between; then what was
    sent is dropped and counted, as is what no longer fits while it waits.

    Args:
        url: where the collector takes OTLP over HTTP, without `/v1/...`.
        headers: what every request carries, e.g. a key.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        telemetry: Telemetry,
        runtime: Runtime,
        messages: Messages,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/x-protobuf", **headers}
        self._telemetry = telemetry
        self._runtime = runtime
        self._messages = messages
        self._poster = Poster(lambda _: True)
        self._spans: deque[Span] = deque(maxlen=WAITING_MAX)
        self._logs: deque[LogRow] = deque(maxlen=WAITING_MAX)
        self._epoch_us = 0
        self._metrics_ms = runtime.clock.now_ms()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False
        metrics = telemetry.metrics
        self._dropped = metrics.count("otlp_dropped", "Spans and log lines no collector has.")
        self._sent = metrics.count("otlp_sent", "Spans and log lines a collector has taken.")

    def offer(self, batch: Batch) -> None:
        """Take what there is; never waits."""
        self._epoch_us = batch.epoch_us
        self._take(self._spans, batch.spans)
        self._take(self._logs, batch.logs)
        self._wanted.set()

    async def start(self) -> None:
        """Begin to send."""
        self._task = self._runtime.tasks.spawn("otlp", self._serve())

    async def stop(self) -> None:
        """Try once to send what is left."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.send(tries=1)

    async def send(self, *, tries: int = TRIES_MAX) -> None:
        """Send what waits, and the metrics when it is time."""
        while spans := _some(self._spans):
            body = self._messages.traces(spans, epoch_us=self._epoch_us)
            await self._count("traces", body, len(spans), tries=tries)
        while logs := _some(self._logs):
            await self._count("logs", self._messages.logs(logs), len(logs), tries=tries)
        now_ms = self._runtime.clock.now_ms()
        if now_ms - self._metrics_ms >= METRICS_MS:
            self._metrics_ms = now_ms
            body = self._messages.metrics(self._telemetry.metrics, now_ns=now_ms * 1_000_000)
            await self._sent_off("metrics", body, tries=1)

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.send()

    def _take(self, waiting: deque[T], more: Sequence[T]) -> None:
        room = WAITING_MAX - len(waiting)
        self._dropped.add(max(0, len(more) - room))
        waiting.extend(more)

    async def _count(self, kind: str, body: bytes, number: int, *, tries: int) -> None:
        is_taken = await self._sent_off(kind, body, tries=tries)
        (self._sent if is_taken else self._dropped).add(number)

    async def _sent_off(self, kind: str, body: bytes, *, tries: int) -> bool:
        """Whether the collector has taken it."""
        why = ""
        for attempt in range(1, tries + 1):
            try:
                answer = await self._poster.post(
                    f"{self._url}/v1/{kind}", self._headers, body, timeout_s=TIMEOUT_S
                )
            except EmporionError as error:
                why = error.detail
            else:
                if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's successes
                    self._is_failing = False
                    return True
                why = f"it answered {answer.status}"
                if answer.status not in RETRIED:
                    break
            if attempt < tries:
                await self._runtime.tasks.sleep(backoff_s(attempt, self._runtime.random))
        if not self._is_failing:
            _log.warning("the collector does not take %s: %s", kind, why)
        self._is_failing = True
        return False


def _some(waiting: deque[T]) -> list[T]:
    return [waiting.popleft() for _ in range(min(AT_ONCE_MAX, len(waiting)))]

"""What this process tells, read from its own store: messages of the contract."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import msgspec

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.logs import Line
from emporion.chassis.telemetry.metrics import BOUNDS_S
from emporion.chassis.telemetry.store.records import StoredSpan
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import ListProcesses, Processes
from emporion.contracts.operations_telemetry import (
    LogLine,
    LogPage,
    MetricPage,
    MetricSeries,
    MetricsOf,
    ProcessStanding,
    SearchLogs,
    SearchTraces,
    ServiceMap,
    ServiceMapOf,
    SpanOfTrace,
    TelemetryOfShop,
    TraceDetails,
    TraceOf,
    TracePage,
    TraceSummary,
)
from emporion.kernel.clock import to_datetime, to_instant_ms
from emporion.kernel.errors import NotFound
from emporion.platform.shared_answers import SharedAnswers
from emporion.platform.telling.edges import NAMES, edges_of, ms
from emporion.platform.telling.pages import before_line, before_trace, line_id, place_of
from emporion.platform.telling.recorder import Recorder
from emporion.platform.telling.series import joined, point
from emporion.platform.telling.standing import Standing
from emporion.platform.telling.store.reading import (
    Found,
    StoredLine,
    StoredSeries,
    StoreReader,
    Wanted,
)

T = TypeVar("T")
FILE: Final = "telemetry.db"
"""In the data folder of a process."""
GAUGES: Final = ("process_cpu_seconds", "process_memory_bytes", "loop_lag_seconds")
FIRST_MS: Final = 0
LAST_MS: Final = 2**53
LONG_S: Final = 3_600
"""Reading so long a window takes a while: one is read at a time, once for all who wait for it."""
VERY_LONG_S: Final = 6 * 3_600
KEEP_S: Final = 30.0
"""What was read of so long a window is told for so long."""
QUESTIONS_MAX: Final = 20
_Question = tuple[tuple[str, ...], int, int]
"""Names of metrics, the window in seconds, the number of steps."""
_decode_line: Final = msgspec.json.Decoder(Line).decode


class Records(TelemetryOfShop):
    """The contract, of the process whose store is read.

    Args:
        process: the name of the process.
        services: what it holds.
        recorder: carries into the store what is told; None: nobody does, as beside a shop that
            is not running.
        standing: knows how the services here do; None: nobody does, likewise.
    """

    NAME = OperationsService.NAME

    def __init__(
        self, reader: StoreReader, runtime: Runtime, *, process: str, services: Sequence[str]
    ) -> None:
        self.recorder: Recorder | None = None
        self.standing: Standing | None = None
        self._reader = reader
        self._clock = runtime.clock
        self._shared, self._kept = (
            SharedAnswers[_Question, list[StoredSeries]](
                "series of a long window", runtime, keep_s=keep_s, questions_max=QUESTIONS_MAX
            )
            for keep_s in (0.0, KEEP_S)
        )
        self._long = asyncio.Lock()
        self._process = process
        self._services = list(services)

    async def service_map(self, request: ServiceMapOf) -> ServiceMap:
        """See TelemetryOfShop."""
        window_s = request.window_s
        counted = await self._series(NAMES, window_s)
        edges = edges_of(counted, window_s=window_s, is_by_method=request.is_by_method)
        standing = self._standing(await self._series(GAUGES, window_s, steps=60), window_s)
        return ServiceMap(
            window_s=window_s, bounds_s=list(BOUNDS_S), edges=edges, processes=[standing]
        )

    async def search_traces(self, request: SearchTraces) -> TracePage:
        """See TelemetryOfShop."""
        wanted = Wanted(
            since_ms=_instant(request.since, FIRST_MS),
            until_ms=_instant(request.until, LAST_MS),
            service=request.service or "",
            contains=request.contains,
            duration_us_min=request.min_duration_ms * 1000,
            is_failed=request.is_failed,
            limit=request.limit + 1,
            before=before_trace(request.cursor),
        )
        found = await self._ask(partial(self._reader.traces, wanted))
        page = [_trace(each) for each in found[: request.limit]]
        has_more = len(found) > len(page)
        return TracePage(traces=page, next_cursor=place_of(page[-1]) if has_more else "")

    async def get_trace(self, request: TraceOf) -> TraceDetails:
        """See TelemetryOfShop."""
        spans = await self._ask(partial(self._reader.spans, request.trace_id))
        logs = await self._lines(Wanted(trace_id=request.trace_id, limit=1_000))
        if not spans and not logs:
            raise NotFound("nothing is kept of such a trace")
        return TraceDetails(
            trace_id=request.trace_id,
            spans=[self._span(span) for span in spans],
            logs=logs,
        )

    async def search_logs(self, request: SearchLogs) -> LogPage:
        """See TelemetryOfShop."""
        wanted = Wanted(
            trace_id=request.trace_id,
            service=request.service or "",
            level=request.level,
            level_min=request.level_min,
            contains=request.contains,
            since_ms=_instant(request.since, FIRST_MS),
            until_ms=_instant(request.until, LAST_MS),
            limit=request.limit + 1,
            before=before_line(request.cursor, self._process),
        )
        found = await self._lines(wanted)
        page = found[-request.limit :]
        has_more = len(found) > len(page)
        return LogPage(lines=page, next_cursor=page[0].line_id if has_more else "")

    async def get_metrics(self, request: MetricsOf) -> MetricPage:
        """See TelemetryOfShop."""
        if request.name is None:
            return MetricPage(names=await self._ask(self._reader.names), series=[])
        steps = max(1, request.window_s // request.step_s)
        found = await self._series((request.name,), request.window_s, steps=steps)
        series = [
            MetricSeries(
                name=each.name,
                labels=each.labels,
                kind=each.kind,
                process=self._process,
                points=[point(step) for step in each.points],
            )
            for each in (joined(found, request.by.split(",")) if request.by else found)
        ]
        return MetricPage(names=[request.name], series=series, bounds_s=list(BOUNDS_S))

    async def list_processes(self, request: ListProcesses) -> Processes:
        """See TelemetryOfShop."""
        here = [await self.standing.tell()] if self.standing is not None else []
        return Processes(processes=here)

    async def _ask(self, question: Callable[[], T]) -> T:
        """What the store says, once it holds all that was told until now."""
        if self.recorder is not None:
            await self.recorder.flush(for_reader=True)
        return await asyncio.to_thread(question)

    async def _series(
        self, names: Sequence[str], window_s: int, *, steps: int = 1
    ) -> list[StoredSeries]:
        question = (tuple(names), window_s, steps)
        if window_s < LONG_S:
            return await self._read(*question)
        shared = self._shared if window_s < VERY_LONG_S else self._kept
        return await shared.get(question, partial(self._read_alone, question))

    async def _read_alone(self, question: _Question) -> list[StoredSeries]:
        async with self._long:
            return await self._read(*question)

    async def _read(self, names: Sequence[str], window_s: int, steps: int) -> list[StoredSeries]:
        now_ms = self._clock.now_ms()
        return await self._ask(
            partial(
                self._reader.series,
                names,
                since_ms=now_ms - window_s * 1000,
                until_ms=now_ms,
                step_ms=0 if steps == 1 else max(1_000, window_s * 1000 // steps),
            )
        )

    async def _lines(self, wanted: Wanted) -> list[LogLine]:
        lines = await self._ask(partial(self._reader.logs, wanted))
        return [self._line(stored, _decode_line(stored.line)) for stored in lines]

    def _line(self, stored: StoredLine, line: Line) -> LogLine:
        return LogLine(
            line_id=line_id(stored.at_ms, stored.sequence, self._process),
            at=datetime.fromisoformat(line.time),
            level=line.level,
            service=line.service,
            message=line.message,
            trace_id=line.trace_id,
            user_id=line.user_id,
            logger=line.logger,
            fields=_texts(line.fields),
            error=line.error,
            process=self._process,
        )

    def _span(self, span: StoredSpan) -> SpanOfTrace:
        return SpanOfTrace(
            span_id=span.span_id,
            parent_id=span.parent_id,
            service=span.service,
            name=span.name,
            kind=span.kind,
            caller=span.caller,
            started_us=span.started_us,
            duration_us=span.duration_us,
            outcome=span.outcome,
            fields=_texts(span.fields or {}),
            process=self._process,
        )

    def _standing(self, gauges: Sequence[StoredSeries], window_s: int) -> ProcessStanding:
        points = {each.name: each.points for each in gauges}
        cpu = points.get(GAUGES[0], [])
        spent_s = cpu[-1].value - cpu[0].value if cpu else 0.0
        over_s = (cpu[-1].at_ms - cpu[0].at_ms) / 1000 if len(cpu) > 1 else float(window_s)
        memory, lag = points.get(GAUGES[1], []), points.get(GAUGES[2], [])
        return ProcessStanding(
            process=self._process,
            services=self._services,
            cpu_share=round(spent_s / over_s, 4),
            memory_bytes=round(memory[-1].value) if memory else 0,
            loop_lag_ms=ms(max((point.value for point in lag), default=0.0)),
        )


def _instant(moment: datetime | None, otherwise_ms: int) -> int:
    return otherwise_ms if moment is None else to_instant_ms(moment)


def _texts(fields: dict[str, object]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
        for name, value in fields.items()
    }


def _trace(found: Found) -> TraceSummary:
    return TraceSummary(
        trace_id=found.trace_id,
        name=found.name,
        started_at=to_datetime(found.at_ms),
        duration_ms=found.duration_us / 1000,
        services=list(found.services),
        is_failed=found.is_failed,
    )

"""What a shop in several processes tells: every process is asked, and the answers put together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import ListProcesses, Processes
from emporion.contracts.operations_telemetry import (
    LogPage,
    MetricPage,
    MetricsOf,
    SearchLogs,
    SearchTraces,
    ServiceMap,
    ServiceMapOf,
    TelemetryOfShop,
    TraceDetails,
    TraceOf,
    TracePage,
    TraceSummary,
)
from emporion.kernel.errors import EmporionError, NotFound
from emporion.platform.telling.edges import together
from emporion.platform.telling.pages import place_of
from emporion.web.past.spans import in_order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Teller:
    """A process that can be asked, by its name."""

    process: str
    records: TelemetryOfShop


class Tellers(Protocol):
    """Knows the processes of the shop."""

    async def __call__(self) -> Sequence[Teller]:
        """Those that run now, every instance of a service for itself."""
        ...


class RecordsEverywhere(TelemetryOfShop):
    """The contract for the whole shop.

    A process that does not answer is named in `missing`: what the others tell is worth having
    just then.
    """

    NAME = OperationsService.NAME

    def __init__(self, tellers: Tellers) -> None:
        self._tellers = tellers

    async def service_map(self, request: ServiceMapOf) -> ServiceMap:
        """See TelemetryOfShop."""
        answers, missing = await self._all(lambda records: records.service_map(request))
        edges = [edge for answer in answers for edge in answer.edges]
        return ServiceMap(
            window_s=request.window_s,
            bounds_s=answers[0].bounds_s if answers else [],
            edges=together(edges, window_s=request.window_s),
            processes=[process for answer in answers for process in answer.processes],
            missing=missing,
        )

    async def search_traces(self, request: SearchTraces) -> TracePage:
        """See TelemetryOfShop."""
        answers, missing = await self._all(lambda records: records.search_traces(request))
        found: dict[str, TraceSummary] = {}
        for each in (trace for answer in answers for trace in answer.traces):
            known = found.get(each.trace_id)
            found[each.trace_id] = each if known is None else _joined(known, each)
        newest = sorted(found.values(), key=place_of, reverse=True)
        page = newest[: request.limit]
        has_more = len(newest) > len(page) or any(answer.next_cursor for answer in answers)
        return TracePage(
            traces=page, missing=missing, next_cursor=place_of(page[-1]) if has_more else ""
        )

    async def get_trace(self, request: TraceOf) -> TraceDetails:
        """See TelemetryOfShop."""

        async def of(records: TelemetryOfShop) -> TraceDetails:
            try:
                return await records.get_trace(request)
            except NotFound:
                return TraceDetails(trace_id=request.trace_id, spans=[], logs=[])

        answers, missing = await self._all(of)
        spans = [span for answer in answers for span in answer.spans]
        logs = [line for answer in answers for line in answer.logs]
        if not spans and not logs and not missing:
            raise NotFound("nothing is kept of such a trace")
        return TraceDetails(
            trace_id=request.trace_id,
            spans=in_order(spans),
            logs=sorted(logs, key=lambda line: line.at),
            missing=missing,
        )

    async def search_logs(self, request: SearchLogs) -> LogPage:
        """See TelemetryOfShop."""
        answers, missing = await self._all(lambda records: records.search_logs(request))
        lines = sorted((one for each in answers for one in each.lines), key=lambda one: one.line_id)
        page = lines[-request.limit :]
        has_more = len(lines) > len(page) or any(answer.next_cursor for answer in answers)
        return LogPage(lines=page, missing=missing, next_cursor=page[0].line_id if has_more else "")

    async def get_metrics(self, request: MetricsOf) -> MetricPage:
        """See TelemetryOfShop."""
        answers, missing = await self._all(lambda records: records.get_metrics(request))
        return MetricPage(
            names=sorted({name for answer in answers for name in answer.names}),
            series=[series for answer in answers for series in answer.series],
            missing=missing,
            bounds_s=answers[0].bounds_s if answers else [],
        )

    async def list_processes(self, request: ListProcesses) -> Processes:
        """See TelemetryOfShop."""
        answers, missing = await self._all(lambda records: records.list_processes(request))
        found = [process for answer in answers for process in answer.processes]
        return Processes(processes=found, missing=missing)

    async def _all(
        self, question: Callable[[TelemetryOfShop], Awaitable[T]]
    ) -> tuple[list[T], list[str]]:
        tellers = await self._tellers()
        asked = await asyncio.gather(*(_asked(question, each.records) for each in tellers))
        answers = [answer for answer in asked if answer is not None]
        missing = [
            each.process for each, answer in zip(tellers, asked, strict=True) if answer is None
        ]
        return answers, missing


async def _asked(
    question: Callable[[TelemetryOfShop], Awaitable[T]], records: TelemetryOfShop
) -> T | None:
    try:
        return await question(records)
    except EmporionError:
        return None  # it is named as missing


def _joined(known: TraceSummary, more: TraceSummary) -> TraceSummary:
    """A trace of which two processes tell; what began first names it."""
    first = min(known, more, key=lambda each: each.started_at)
    return TraceSummary(
        trace_id=first.trace_id,
        name=first.name,
        started_at=first.started_at,
        duration_ms=max(known.duration_ms, more.duration_ms),
        services=sorted({*known.services, *more.services}),
        is_failed=known.is_failed or more.is_failed,
    )

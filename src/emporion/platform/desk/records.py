"""The part of the operations contract that tells of traces, logs and metrics: handed on."""

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
)


class TelemetryBehind(TelemetryOfShop):
    """Answers with what `records` answers."""

    def __init__(self, records: TelemetryOfShop) -> None:
        self._records = records

    async def service_map(self, request: ServiceMapOf) -> ServiceMap:
        """See TelemetryOfShop."""
        return await self._records.service_map(request)

    async def search_traces(self, request: SearchTraces) -> TracePage:
        """See TelemetryOfShop."""
        return await self._records.search_traces(request)

    async def get_trace(self, request: TraceOf) -> TraceDetails:
        """See TelemetryOfShop."""
        return await self._records.get_trace(request)

    async def search_logs(self, request: SearchLogs) -> LogPage:
        """See TelemetryOfShop."""
        return await self._records.search_logs(request)

    async def get_metrics(self, request: MetricsOf) -> MetricPage:
        """See TelemetryOfShop."""
        return await self._records.get_metrics(request)

    async def list_processes(self, request: ListProcesses) -> Processes:
        """See TelemetryOfShop."""
        return await self._records.list_processes(request)

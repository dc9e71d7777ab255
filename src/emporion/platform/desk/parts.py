"""The parts of the operations contract that tell of the shop, or let it suffer: handed on."""

from emporion.contracts.contract import Empty
from emporion.contracts.operations_faults import (
    ClearFault,
    FaultList,
    FaultsOfShop,
    FaultStanding,
    ListFaults,
    SwitchFaultOn,
)
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


class PartsBehind(TelemetryOfShop, FaultsOfShop):
    """Answers with what `records` and `faults` answer."""

    def __init__(self, records: TelemetryOfShop, faults: FaultsOfShop) -> None:
        self._records = records
        self._faults = faults

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

    async def list_faults(self, request: ListFaults) -> FaultList:
        """See FaultsOfShop."""
        return await self._faults.list_faults(request)

    async def switch_fault_on(self, request: SwitchFaultOn) -> FaultStanding:
        """See FaultsOfShop."""
        return await self._faults.switch_fault_on(request)

    async def clear_fault(self, request: ClearFault) -> Empty:
        """See FaultsOfShop."""
        return await self._faults.clear_fault(request)

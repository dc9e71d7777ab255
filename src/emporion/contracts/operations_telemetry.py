"""What the shop tells of itself: messages of `contracts.operations` about traces, logs, metrics."""

from typing import Annotated, Protocol

from msgspec import Meta, field

from emporion.contracts.contract import Message, Reply, Request, Service, get, query, staff
from emporion.contracts.operations_desk import ServiceName
from emporion.contracts.operations_processes import ListProcesses, Processes
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.words import Cursor, Instant, PageSize
from emporion.kernel.errors import NotFound

_END = r"$(?!\n)"
_READ = staff("operations:read")
TraceId = Annotated[
    str,
    Meta(pattern="^[0-9a-f]{32}" + _END, description="A W3C trace id.", examples=["0" * 31 + "1"]),
]
OptionalTraceId = Annotated[str, Meta(pattern="^([0-9a-f]{32})?" + _END)]
WindowS = Annotated[
    int, Meta(ge=1, le=86_400, description="How far back from now, in seconds.", examples=[300])
]
Word = Annotated[str, Meta(max_length=80)]
Level = Annotated[str, Meta(pattern="^(debug|info|warning|error|critical)?" + _END)]
MetricName = Annotated[
    str,
    Meta(pattern="^[a-z][a-z0-9_]{0,79}" + _END, examples=["call_seconds"]),
]


class ServiceMapOf(Request, frozen=True, kw_only=True):
    """Calls of the last `window_s` seconds, by caller and callee; `is_by_method`: by method too."""

    window_s: WindowS = 300
    is_by_method: bool = False


class CallEdge(Message, frozen=True, kw_only=True):
    """Calls from one service to another, or events from one to another.

    Args:
        kind: local, remote (from process to process) or event.
        caller: a service, `edge` (requests from outside) or `platform`.
        method: empty when the methods are told together, and for events.
        errors: those that ended with an error, refusals included.
        faults: of these, those that are our own: unavailable, late, internal.
        rate_per_s: calls a second.
        buckets: how many took how long, for `bounds_s` of the map and beyond.
    """

    kind: str
    caller: str
    service: str
    method: str
    calls: int
    errors: int
    faults: int
    rate_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    total_ms: float
    buckets: list[int]


class ProcessStanding(Message, frozen=True, kw_only=True):
    """A process: what it holds and how it is doing. `cpu_share` is of one core, in the window."""

    process: str
    services: list[str]
    cpu_share: float
    memory_bytes: int
    loop_lag_ms: float


class ServiceMap(Reply, frozen=True, kw_only=True):
    """Who called whom, how often, how well. `missing` are processes that did not answer."""

    window_s: int
    bounds_s: list[float]
    edges: list[CallEdge]
    processes: list[ProcessStanding]
    missing: list[str] = field(default_factory=list)


class SearchTraces(Request, frozen=True, kw_only=True):
    """Which traces, the newest first; every condition that is given has to hold.

    Args:
        service: one that took part.
        contains: a part of the name of what the trace began with, e.g. `POST /api/orders`.
        min_duration_ms: how long that took at least.
        is_failed: only those in which something failed.
    """

    service: ServiceName | None = None
    contains: Word = ""
    min_duration_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 0
    is_failed: bool = False
    since: Instant | None = None
    until: Instant | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class TraceSummary(Message, frozen=True, kw_only=True):
    """A trace: what it began with, when, for how long, and which services took part."""

    trace_id: str
    name: str
    started_at: Instant
    duration_ms: float
    services: list[str]
    is_failed: bool


class TracePage(Reply, frozen=True, kw_only=True):
    """Traces. `missing` are processes that did not answer.

    What a process tells of a trace may begin elsewhere a moment earlier: a trace at the edge of
    two pages may be in both.
    """

    traces: list[TraceSummary]
    missing: list[str] = field(default_factory=list)
    next_cursor: str = ""


class TraceOf(Request, frozen=True, kw_only=True):
    """Which trace."""

    trace_id: TraceId


class SpanOfTrace(Message, frozen=True, kw_only=True):
    """A piece of work.

    Args:
        parent_id: what caused it; 16 zeros for what began the trace.
        kind: served, asked, edge, data, step, reaction, outside or work.
        caller: who asked for it.
        started_us, duration_us: microseconds, since the epoch and in all.
        outcome: `ok`, or why not.
        fields: what else is known, as text: never bodies, never secrets.
        process: where it was done.
    """

    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    caller: str
    started_us: int
    duration_us: int
    outcome: str
    fields: dict[str, str]
    process: str


class LogLine(Message, frozen=True, kw_only=True):
    """A line of the log; ids of lines sort as they were written."""

    at: Instant
    level: str
    service: str
    message: str
    trace_id: str
    user_id: str
    logger: str
    fields: dict[str, str]
    error: str
    process: str
    line_id: str = ""


class TraceDetails(Reply, frozen=True, kw_only=True):
    """Everything that is kept of a trace, from every process, in the order of time."""

    trace_id: str
    spans: list[SpanOfTrace]
    logs: list[LogLine]
    missing: list[str] = field(default_factory=list)


class SearchLogs(Request, frozen=True, kw_only=True):
    """Which lines: the newest that meet every condition, told in the order of time.

    Args:
        level: of exactly this level.
        level_min: of this level or a worse one.
    """

    trace_id: OptionalTraceId = ""
    service: ServiceName | None = None
    level: Level = ""
    contains: Word = ""
    since: Instant | None = None
    until: Instant | None = None
    limit: PageSize = 50
    level_min: Level = ""
    cursor: Cursor = ""


class LogPage(Reply, frozen=True, kw_only=True):
    """Lines of the log. `missing` are processes that did not answer; the next page is older."""

    lines: list[LogLine]
    missing: list[str] = field(default_factory=list)
    next_cursor: str = ""


class MetricsOf(Request, frozen=True, kw_only=True):
    """What a metric was in the last `window_s` seconds, in steps; without a name: which there are.

    Names are those of `/metrics`, without `emporion_` and `_total`.

    Args:
        by: names of labels, with commas: series that have these in common are one. Without:
            every series for itself.
    """

    name: MetricName | None = None
    window_s: WindowS = 3_600
    step_s: Annotated[int, Meta(ge=1, le=3_600)] = 60
    by: Annotated[
        str, Meta(pattern="^([a-z_]{1,40}(,[a-z_]{1,40}){0,5})?" + _END, examples=["verb,route"])
    ] = ""


class MetricPoint(Message, frozen=True, kw_only=True):
    """A step of a series.

    Args:
        value: by how much a count grew, how many were timed, or the gauge's last value.
        p50_ms, p95_ms, p99_ms: of what was timed.
        buckets: how many took how long, for `bounds_s` of the page and beyond.
    """

    at: Instant
    value: float
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    buckets: list[int] = field(default_factory=list)


class MetricSeries(Message, frozen=True, kw_only=True):
    """One metric with one set of labels, in one process; `kind` is count, durations or gauge."""

    name: str
    labels: dict[str, str]
    kind: str
    process: str
    points: list[MetricPoint]


class MetricPage(Reply, frozen=True, kw_only=True):
    """The series of a metric, or the names that there are."""

    names: list[str]
    series: list[MetricSeries]
    missing: list[str] = field(default_factory=list)
    bounds_s: list[float] = field(default_factory=list)


class TelemetryOfShop(Service, Protocol):
    """What the shop tells of itself: the last hours, kept by its own processes."""

    @query(access=_READ, rest=get("/api/operations/service-map"))
    async def service_map(self, request: ServiceMapOf) -> ServiceMap:
        """Who calls whom: rate, errors and durations of each edge, and how the processes do."""

    @query(access=_READ, rest=get("/api/operations/traces"), raises=(UnknownCursor,))
    async def search_traces(self, request: SearchTraces) -> TracePage:
        """Traces that are kept, the newest first. Raises UnknownCursor."""

    @query(access=_READ, rest=get("/api/operations/traces/{trace_id}"), raises=(NotFound,))
    async def get_trace(self, request: TraceOf) -> TraceDetails:
        """One trace with its log lines. Raises NotFound when nothing of it is kept."""

    @query(access=_READ, rest=get("/api/operations/logs"), raises=(UnknownCursor,))
    async def search_logs(self, request: SearchLogs) -> LogPage:
        """Lines of the log. Raises UnknownCursor."""

    @query(access=_READ, rest=get("/api/operations/metrics"))
    async def get_metrics(self, request: MetricsOf) -> MetricPage:
        """A metric over time."""

    @query(access=_READ, rest=get("/api/operations/processes"))
    async def list_processes(self, request: ListProcesses) -> Processes:
        """The processes of the shop: what each holds, on which engines, and whether it is ready."""

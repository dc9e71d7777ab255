"""Spans, log lines and metrics as OTLP messages, for any OpenTelemetry collector."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from emporion import __version__
from emporion.chassis.telemetry.logs import Line
from emporion.chassis.telemetry.metrics import BOUNDS_S, Count, Durations, Metrics
from emporion.chassis.telemetry.spans import NO_PARENT, OK, Kind, Span
from emporion.chassis.telemetry.store.records import LogRow

SCOPE: Final = "emporion"
INT_BELOW: Final = 2**63
"""What protobuf's integers end at; beyond it a number is told as text."""
KINDS: Final = {
    Kind.EDGE: OtlpSpan.SPAN_KIND_SERVER,
    Kind.SERVED: OtlpSpan.SPAN_KIND_SERVER,
    Kind.ASKED: OtlpSpan.SPAN_KIND_CLIENT,
    Kind.OUTSIDE: OtlpSpan.SPAN_KIND_CLIENT,
    Kind.DATA: OtlpSpan.SPAN_KIND_CLIENT,
    Kind.REACTION: OtlpSpan.SPAN_KIND_CONSUMER,
    Kind.STEP: OtlpSpan.SPAN_KIND_INTERNAL,
    Kind.WORK: OtlpSpan.SPAN_KIND_INTERNAL,
}
SEVERITIES: Final = {
    "debug": SeverityNumber.SEVERITY_NUMBER_DEBUG,
    "info": SeverityNumber.SEVERITY_NUMBER_INFO,
    "warning": SeverityNumber.SEVERITY_NUMBER_WARN,
    "error": SeverityNumber.SEVERITY_NUMBER_ERROR,
    "critical": SeverityNumber.SEVERITY_NUMBER_FATAL,
}
_decode_line: Final = msgspec.json.Decoder(Line).decode


class Messages:
    """Makes the bodies of requests to a collector, for one process.

    A service is a resource of its own, also where several share the process. `place` says of each
    which instance it is in, and where that runs.
    """

    def __init__(self, *, place: Mapping[str, str], started_ns: int) -> None:
        self._place = place
        self._started_ns = started_ns

    def traces(self, spans: Iterable[Span], *, epoch_us: int) -> bytes:
        """An ExportTraceServiceRequest; `epoch_us` is when the monotonic clock was at 0."""
        request = ExportTraceServiceRequest()
        scopes: dict[str, Any] = {}
        for span in spans:
            if span.service not in scopes:
                of_service = request.resource_spans.add(resource=self._resource(span.service))
                scopes[span.service] = of_service.scope_spans.add()
                scopes[span.service].scope.name = SCOPE
            scopes[span.service].spans.append(_span(span, epoch_us))
        return bytes(request.SerializeToString())

    def logs(self, rows: Iterable[LogRow]) -> bytes:
        """An ExportLogsServiceRequest."""
        request = ExportLogsServiceRequest()
        scopes: dict[str, Any] = {}
        for row in rows:
            if row.service not in scopes:
                of_service = request.resource_logs.add(resource=self._resource(row.service))
                scopes[row.service] = of_service.scope_logs.add()
                scopes[row.service].scope.name = SCOPE
            scopes[row.service].log_records.append(_log_record(row))
        return bytes(request.SerializeToString())

    def metrics(self, metrics: Metrics, *, now_ns: int) -> bytes:
        """An ExportMetricsServiceRequest: everything since the process started."""
        request = ExportMetricsServiceRequest()
        scope = request.resource_metrics.add(
            resource=self._resource("emporion")
        ).scope_metrics.add()
        scope.scope.name = SCOPE
        by_name: dict[str, Metric] = {}
        for name, labels, cell in metrics.cells():
            if name not in by_name:
                by_name[name] = scope.metrics.add(name=f"emporion.{name}")
            self._point(by_name[name], cell, now_ns).attributes.extend(_attributes(dict(labels)))
        return bytes(request.SerializeToString())

    def _point(self, metric: Metric, cell: object, now_ns: int) -> Any:
        times = {"start_time_unix_nano": self._started_ns, "time_unix_nano": now_ns}
        match cell:
            case Count():
                metric.sum.is_monotonic = True
                metric.sum.aggregation_temporality = (
                    AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
                )
                return metric.sum.data_points.add(as_int=cell.value, **times)
            case Durations():
                metric.unit = "s"
                metric.histogram.aggregation_temporality = (
                    AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
                )
                return metric.histogram.data_points.add(
                    count=cell.count,
                    sum=cell.total_s,
                    bucket_counts=cell.counts,
                    explicit_bounds=BOUNDS_S,
                    **times,
                )
            case _ if callable(cell):
                return metric.gauge.data_points.add(as_double=cell(), time_unix_nano=now_ns)
            case _:
                raise TypeError(f"{metric.name} is a metric of an unknown kind")

    def _resource(self, service: str) -> Resource:
        return Resource(
            attributes=_attributes(
                {
                    "service.name": service,
                    "service.namespace": SCOPE,
                    "service.version": __version__,
                    **self._place,
                }
            )
        )


def _span(span: Span, epoch_us: int) -> OtlpSpan:
    started_ns = (epoch_us + round(span.started_s * 1e6)) * 1000
    told = OtlpSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=b"" if span.parent_id == NO_PARENT else bytes.fromhex(span.parent_id),
        name=span.name,
        kind=KINDS[span.kind],
        start_time_unix_nano=started_ns,
        end_time_unix_nano=started_ns + round(span.duration_s * 1e9),
        attributes=_attributes({"emporion.kind": str(span.kind.value), "peer": span.caller}),
    )
    told.attributes.extend(_attributes(span.fields or {}))
    if span.outcome != OK:
        told.status.code = Status.STATUS_CODE_ERROR
        told.status.message = span.outcome
    return told


def _log_record(row: LogRow) -> LogRecord:
    line = _decode_line(row.line)
    record = LogRecord(
        time_unix_nano=row.at_ms * 1_000_000,
        severity_number=SEVERITIES.get(row.level, SeverityNumber.SEVERITY_NUMBER_UNSPECIFIED),
        severity_text=row.level,
        trace_id=bytes.fromhex(line.trace_id),
        span_id=bytes.fromhex(line.span_id),
    )
    record.body.string_value = line.message
    more = {"logger": line.logger, "user_id": line.user_id, "exception.stacktrace": line.error}
    record.attributes.extend(_attributes({name: text for name, text in more.items() if text}))
    record.attributes.extend(_attributes(line.fields))
    return record


def _attributes(fields: Mapping[str, object]) -> Sequence[KeyValue]:
    return [_attribute(name, value) for name, value in fields.items()]


def _attribute(name: str, value: object) -> KeyValue:
    told = KeyValue(key=name)
    match value:
        case bool():
            told.value.bool_value = value
        case int() if -INT_BELOW <= value < INT_BELOW:
            told.value.int_value = value
        case float():
            told.value.double_value = value
        case _:
            told.value.string_value = str(value)
    return told

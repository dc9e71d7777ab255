"""A collector gets spans, log lines and metrics, and one that is away is in nobody's way."""

import asyncio
import io
import logging
from collections import deque
from typing import Any

import pytest

from emporion.chassis.telemetry.logs import JsonLogs
from emporion.chassis.telemetry.spans import NO_PARENT, Kind, Span
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime
from emporion.platform.telling.export.exporter import (
    AT_ONCE_MAX,
    METRICS_MS,
    TRIES_MAX,
    WAITING_MAX,
    OtlpExporter,
)
from emporion.platform.telling.export.otlp import Messages
from emporion.platform.telling.recorder import Batch
from tests.platform.telling.collector import Collector, attributes, collecting

EPOCH_US = START_MS * 1000


class Rig:
    """An exporter to a collector."""

    def __init__(self, collector: Collector, url: str = "") -> None:
        self.collector = collector
        self.clock = ManualClock()
        self.runtime = manual_runtime(self.clock)
        self.telemetry = Telemetry(self.runtime)
        self.exporter = OtlpExporter(
            url or collector.url,
            {"x-key": "k-1"},
            telemetry=self.telemetry,
            runtime=self.runtime,
            messages=Messages(
                place={"service.instance.id": "shop"}, started_ns=START_MS * 1_000_000
            ),
        )

    def offer(self, *spans: Span, logs=()) -> None:
        self.exporter.offer(Batch(spans, logs, None, EPOCH_US))

    def counted(self, name: str) -> int:
        return self.telemetry.metrics.count(name, "").value


@pytest.fixture
async def rig():
    async with collecting() as collector:
        yield Rig(collector)


def span(number: int = 1, **but: Any) -> Span:
    given: dict[str, Any] = {
        "trace_id": "a" * 32,
        "span_id": f"{number:016x}",
        "parent_id": NO_PARENT,
        "service": "order",
        "name": "place_order",
        "caller": "edge",
        "started_s": 2.0,
        "duration_s": 0.25,
        "outcome": "ok",
        "fields": {
            "status": 201,
            "route": "/api/orders",
            "share": 0.5,
            "is_new": True,
            "large": 2**70,
        },
        "kind": Kind.EDGE,
    }
    return Span(**given | but)


async def test_a_span_arrives_with_all_that_is_known_of_it(rig):
    failed = span(2, parent_id=f"{1:016x}", service="payment", outcome="Unavailable", fields=None)
    rig.offer(span(), failed)
    await rig.exporter.send()

    (service, root), (other, child) = rig.collector.spans()
    assert (service, other) == ("order", "payment")
    assert (root.trace_id.hex(), root.span_id.hex(), root.parent_span_id) == (
        "a" * 32,
        f"{1:016x}",
        b"",
    )
    assert root.start_time_unix_nano == (START_MS + 2_000) * 1_000_000
    assert root.end_time_unix_nano - root.start_time_unix_nano == 250_000_000
    assert (root.name, root.kind, root.status.code) == ("place_order", root.SPAN_KIND_SERVER, 0)
    assert attributes(root) == {
        "emporion.kind": "edge",
        "peer": "edge",
        "status": 201,
        "route": "/api/orders",
        "share": 0.5,
        "is_new": True,
        "large": str(2**70),
    }
    assert child.parent_span_id == root.span_id
    assert (child.status.code, child.status.message) == (2, "Unavailable")
    assert rig.collector.headers[0]["content-type"] == "application/x-protobuf"
    assert rig.collector.headers[0]["x-key"] == "k-1"
    assert (rig.counted("otlp_sent"), rig.counted("otlp_dropped")) == (2, 0)


async def test_a_log_line_arrives_with_its_trace(rig):
    logs = JsonLogs(rig.telemetry.guard, stream=io.BytesIO())
    logs.kept = deque()
    log = logging.getLogger("emporion.services.order.planted")
    log.addHandler(logs)
    with rig.telemetry.span("order", "work"):
        log.warning("the oven is cold", extra={"degrees": 20})
    log.removeHandler(logs)
    rig.offer(logs=list(logs.kept))
    await rig.exporter.send()

    (request,) = rig.collector.taken["logs"]
    (of_service,) = request.resource_logs
    assert attributes(of_service.resource)["service.name"] == "order"
    (record,) = of_service.scope_logs[0].log_records
    assert record.body.string_value == "the oven is cold"
    assert (record.severity_text, record.severity_number) == ("warning", 13)
    (work,) = rig.telemetry.spans.ring
    assert (record.trace_id.hex(), record.span_id.hex()) == (work.trace_id, work.span_id)
    assert attributes(record)["degrees"] == 20


async def test_metrics_arrive_with_their_kinds(rig):
    metrics = rig.telemetry.metrics
    metrics.count("orders", "Orders.", outcome="paid").add(3)
    took = metrics.durations("call_seconds", "Calls.", service="order")
    took.observe(0.02)
    metrics.gauge("queue", "Waiting.", lambda: 7.0)
    rig.clock.advance(METRICS_MS / 1000)
    await rig.exporter.send()

    (request,) = rig.collector.taken["metrics"]
    told = {
        metric.name: metric
        for of_process in request.resource_metrics
        for scope in of_process.scope_metrics
        for metric in scope.metrics
    }
    (orders,) = told["emporion.orders"].sum.data_points
    assert (orders.as_int, attributes(orders)) == (3, {"outcome": "paid"})
    assert told["emporion.orders"].sum.is_monotonic
    (calls,) = told["emporion.call_seconds"].histogram.data_points
    assert (calls.count, calls.sum, sum(calls.bucket_counts)) == (1, 0.02, 1)
    assert len(calls.bucket_counts) == len(calls.explicit_bounds) + 1
    assert told["emporion.queue"].gauge.data_points[0].as_double == 7.0
    assert calls.time_unix_nano - calls.start_time_unix_nano == METRICS_MS * 1_000_000

    await rig.exporter.send()
    assert len(rig.collector.taken["metrics"]) == 1


async def test_a_large_heap_goes_in_parts(rig):
    rig.offer(*(span(number) for number in range(AT_ONCE_MAX + 5)))
    await rig.exporter.send()

    sizes = [
        sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans)
        for request in rig.collector.taken["traces"]
    ]
    assert sizes == [AT_ONCE_MAX, 5]


async def test_what_does_not_fit_while_it_waits_is_counted(rig):
    rig.offer(*(span(number) for number in range(WAITING_MAX)))
    rig.offer(span(), span(), span())
    assert rig.counted("otlp_dropped") == 3


@pytest.mark.parametrize(
    ("statuses", "sent", "dropped"),
    [
        ([503, 429], 1, 0),
        ([503] * TRIES_MAX, 0, 1),
        ([400], 0, 1),
    ],
)
async def test_an_overloaded_collector_is_asked_again_and_a_refusal_is_not(
    rig, caplog, statuses, sent, dropped
):
    rig.collector.statuses += statuses
    rig.offer(span())
    sending = asyncio.ensure_future(rig.exporter.send())
    while not sending.done():
        await asyncio.sleep(0)
        due_s = rig.clock.next_due_s()
        if due_s is not None:
            rig.clock.advance(max(0.0, due_s - rig.clock.monotonic_s()))
    await sending

    assert (rig.counted("otlp_sent"), rig.counted("otlp_dropped")) == (sent, dropped)
    assert caplog.text.count("the collector does not take") == dropped


async def test_a_collector_that_is_away_costs_what_it_should_have_got(caplog):
    rig = Rig(Collector(), url="http://127.0.0.1:9")
    for number in range(3):
        rig.offer(span(number))
        await rig.exporter.send(tries=1)

    assert rig.counted("otlp_dropped") == 3
    assert len(caplog.records) == 1  # it is said once

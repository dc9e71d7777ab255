"""What a shop tells of itself can be asked for: the map, traces, log lines, metrics."""

import asyncio
import io
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.logs import JsonLogs
from emporion.chassis.telemetry.store.records import LogRow
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.time import ManualClock, ManualTasks, SeededRandomness, settle
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_processes import Check, ListProcesses
from emporion.contracts.operations_telemetry import (
    MetricsOf,
    SearchLogs,
    SearchTraces,
    ServiceMapOf,
    TelemetryOfShop,
    TraceOf,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound, Unavailable
from emporion.platform.telling.everywhere import RecordsEverywhere, Teller
from emporion.platform.telling.machine import QueueAges, SagaAges, watch_machine
from emporion.platform.telling.recorder import FLUSH_S, Batch, Recorder
from emporion.platform.telling.records import FILE
from emporion.platform.telling.standing import Standing
from emporion.platform.telling.store.writing import Limits
from tests.defects.steered import TimedIds
from tests.defects.whole_shop import WholeShop

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY_S = 86_400


def recorder_of(shop: WholeShop) -> Recorder:
    """Carries what the shop tells into its store whenever somebody asks."""
    limits = Limits(bytes_max=10**8, hours=24)
    made = Recorder(shop.telemetry, shop.runtime, shop.folder / FILE, limits, deque())
    shop.shop.records.recorder = made
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory):
    """Of which two orders were wanted, and one refused."""
    shop = WholeShop(tmp_path_factory.mktemp("records") / "shop")
    await shop.open()
    recorder = recorder_of(shop)
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 2)
    await recorder.flush()
    assert (await ada.order(("croissant", 2))).status == 201
    assert (await ada.order(("croissant", 1))).status == 409
    await shop.deliver()
    shop.clock.advance(1)
    yield shop
    await recorder.stop()
    await shop.close()


def records(shop: WholeShop) -> TelemetryOfShop:
    clients = shop.shop.directory.clients("platform", scopes=frozenset({"operations:read"}))
    return clients.get(OperationsService)


async def test_the_map_tells_who_calls_whom_how_often_and_how_well(shop):
    told = await records(shop).service_map(ServiceMapOf(window_s=DAY_S))

    edges = {(edge.kind, edge.caller, edge.service): edge for edge in told.edges}
    assert edges["local", "edge", "order"].calls == 2
    assert edges["local", "edge", "order"].errors == 1
    assert edges["local", "edge", "order"].faults == 0
    assert edges["local", "order", "payment"].calls == 1
    assert edges["local", "order", "inventory"].errors == 1
    assert edges["event", "order", "email"].calls >= 1
    assert edges["local", "order", "catalog"].rate_per_s == round(2 / DAY_S, 3)
    assert sum(edges["local", "edge", "order"].buckets) == 2
    assert [each.process for each in told.processes] == ["shop"]
    assert "order" in told.processes[0].services

    by_method = await records(shop).service_map(ServiceMapOf(window_s=DAY_S, is_by_method=True))
    assert ("order", "inventory", "reserve") in {
        (edge.caller, edge.service, edge.method) for edge in by_method.edges
    }


async def test_a_window_tells_nothing_of_what_was_before_it(shop):
    await records(shop).service_map(ServiceMapOf())
    shop.clock.advance(600)
    told = await records(shop).service_map(ServiceMapOf(window_s=60))
    assert {edge.service for edge in told.edges} <= {"operations"}


async def test_a_trace_is_found_and_told(shop):
    page = await records(shop).search_traces(SearchTraces(contains="POST /api/orders"))
    failed = await records(shop).search_traces(SearchTraces(is_failed=True, contains="POST"))

    assert len(page.traces) == 2
    assert [each.trace_id for each in failed.traces] == [page.traces[0].trace_id]
    assert "inventory" in page.traces[1].services
    told = await records(shop).get_trace(TraceOf(trace_id=page.traces[1].trace_id))
    names = [f"{span.service} {span.name}" for span in told.spans]
    assert names[0] == "edge POST /api/orders"
    assert "email react to orders.created" in names
    assert told.spans[0].fields == {"status": "201"}
    assert {span.process for span in told.spans} == {"shop"}
    with pytest.raises(NotFound):
        await records(shop).get_trace(TraceOf(trace_id="f" * 32))


async def test_log_lines_are_found_by_the_trace_of_the_work_they_are_about(shop):
    recorder = shop.shop.records.recorder
    logs = JsonLogs(shop.telemetry.guard, stream=io.BytesIO())
    logs.kept = recorder.logs
    log = logging.getLogger("emporion.services.order.planted")
    log.addHandler(logs)
    with shop.telemetry.span("order", "work"):
        log.error("the oven is cold", extra={"degrees": 20})
    log.error("nobody asked")
    log.removeHandler(logs)

    page = await records(shop).search_logs(SearchLogs(service="order"))
    assert [line.message for line in page.lines] == ["the oven is cold", "nobody asked"]
    assert page.lines[0].fields == {"degrees": "20"}
    trace_id = page.lines[0].trace_id
    told = await records(shop).get_trace(TraceOf(trace_id=trace_id))
    assert [line.message for line in told.logs] == ["the oven is cold"]
    assert [span.name for span in told.spans] == ["work"]


async def test_metrics_tell_their_course(shop):
    watch_machine(shop.telemetry, shop.shop)
    ages = QueueAges(shop.telemetry, shop.shop, shop.clock.now_ms)
    shop.clock.advance(60)
    await ages.refresh()
    names = (await records(shop).get_metrics(MetricsOf())).names
    assert {"call_seconds", "process_memory_bytes", "database_waiting"} <= set(names)
    assert {"events_oldest_seconds", "events_waiting"} <= set(names)

    page = await records(shop).get_metrics(MetricsOf(name="http_request_seconds", step_s=3_600))
    by_status = {
        series.labels["status"]: sum(point.value for point in series.points)
        for series in page.series
        if series.labels["route"] == "/api/orders"
    }
    assert by_status == {"201": 1, "409": 1}

    asked = MetricsOf(name="http_request_seconds", step_s=3_600, by="route,verb")
    joined = await records(shop).get_metrics(asked)
    (orders,) = (each for each in joined.series if each.labels["route"] == "/api/orders")
    assert orders.labels == {"route": "/api/orders", "verb": "POST"}
    assert sum(point.value for point in orders.points) == 2
    assert sum(sum(point.buckets) for point in orders.points) == 2
    assert all(len(point.buckets) == len(joined.bounds_s) + 1 for point in orders.points)
    waiting = await records(shop).get_metrics(MetricsOf(name="database_waiting", by="host"))
    assert [series.labels for series in waiting.series] == [{"host": ""}]


async def test_a_process_tells_what_it_holds_and_whether_it_is_ready(shop):
    (process,) = (await records(shop).list_processes(ListProcesses())).processes

    assert (process.process, process.bus, process.discovery) == ("shop", "in-process", "")
    order = next(each for each in process.services if each.service == "order")
    assert (order.engine, order.is_ready) == ("sqlite", True)
    assert "database" in {check.name for check in order.checks}


async def test_a_service_whose_part_is_away_says_which_and_why(shop):
    async def away() -> None:
        raise Unavailable("no route to host")

    told = await Standing(
        process="shop",
        started_at=to_datetime(0),
        bus="nats",
        discovery="dns",
        engines={"order": "postgres"},
        probes={"order": {"database": away}},
    ).tell()

    (order,) = told.services
    assert not order.is_ready
    assert order.checks == [Check(name="database", is_ok=False, problem="no route to host")]


async def test_every_trace_and_line_of_several_processes_is_in_one_page(shop):
    here = shop.shop.records
    for _ in range(3):
        with shop.telemetry.span("order", "counted"):
            shop.clock.advance(2)
    recorder = here.recorder
    logs = JsonLogs(shop.telemetry.guard, stream=io.BytesIO())
    logs.kept = recorder.logs
    log = logging.getLogger("emporion.services.email.planted")
    log.addHandler(logs)
    for number in range(5):
        log.error("line %d", number)
    log.removeHandler(logs)

    async def tellers():
        return [Teller("one", here), Teller("two", here)]

    everywhere = RecordsEverywhere(tellers)
    for desk in (records(shop), everywhere):
        cursor, traces = "", list[str]()
        while True:
            wanted = SearchTraces(contains="counted", limit=2, cursor=cursor)
            page = await desk.search_traces(wanted)
            traces += [trace.trace_id for trace in page.traces]
            cursor = page.next_cursor
            if not cursor:
                break
        assert len(traces) == len(set(traces)) == 3
        cursor, read = "", list[str]()
        while True:
            found = await desk.search_logs(SearchLogs(service="email", limit=2, cursor=cursor))
            read = [line.message for line in found.lines] + read
            cursor = found.next_cursor
            if not cursor:
                break
        assert [*dict.fromkeys(read)] == [f"line {number}" for number in range(5)]


@pytest.mark.parametrize("cursor", ["x", "-" + "0" * 42, "z" * 43, " " * 43])
async def test_a_place_that_no_page_gave_is_refused(shop, cursor):
    with pytest.raises(UnknownCursor):
        await records(shop).search_traces(SearchTraces(cursor=cursor))
    with pytest.raises(UnknownCursor):
        await records(shop).search_logs(SearchLogs(cursor=cursor[:31]))


class Away(TelemetryOfShop):
    """A process that does not answer."""

    NAME = OperationsService.NAME

    async def service_map(self, request):
        raise Unavailable

    search_traces = get_trace = search_logs = get_metrics = list_processes = service_map


async def test_an_order_whose_payment_nobody_decides_shows_as_an_old_saga(tmp_path):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    ages = SagaAges(shop.telemetry, shop.shop.saga_desks, shop.clock.now_ms)

    def told(name: str, service: str) -> float:
        for cell, labels, read in shop.telemetry.metrics.cells():
            if (cell, dict(labels).get("service")) == (name, service) and callable(read):
                return read()
        raise AssertionError(f"nothing tells {name} of {service}")

    ada = await shop.customer("Ada")
    await shop.stock("croissant", 1)
    _ = await shop.live(ada.order(("croissant", 1), token="tok_never"))
    await ages.refresh()
    assert (told("sagas_open", "order"), told("sagas_oldest_seconds", "order")) == (0.0, 0.0)

    shop.clock.advance(600)
    await ages.refresh()
    shop.clock.advance(60)

    assert told("sagas_open", "order") == 1.0
    assert 660 <= told("sagas_oldest_seconds", "order") < 700
    assert told("sagas_oldest_seconds", "fraud") == 0.0
    await shop.close()


async def test_of_several_processes_each_is_asked_and_one_that_is_away_is_named(shop):
    here = shop.shop.records

    async def tellers():
        return [Teller("one", here), Teller("two", here), Teller("three", Away())]

    everywhere = RecordsEverywhere(tellers)
    edges = (await everywhere.service_map(ServiceMapOf(window_s=DAY_S))).edges
    (edge,) = (each for each in edges if (each.caller, each.service) == ("edge", "order"))
    assert (edge.calls, edge.errors) == (4, 2)
    page = await everywhere.search_traces(SearchTraces(contains="POST /api/orders"))
    assert (len(page.traces), page.missing) == (2, ["three"])
    told = await everywhere.get_trace(TraceOf(trace_id=page.traces[0].trace_id))
    assert told.missing == ["three"]
    assert len(told.spans) % 2 == 0
    assert (await everywhere.search_logs(SearchLogs())).missing == ["three"]
    assert (await everywhere.get_metrics(MetricsOf())).missing == ["three"]
    found = await everywhere.list_processes(ListProcesses())
    assert (len(found.processes), found.missing) == (2, ["three"])
    nothing = await everywhere.get_trace(TraceOf(trace_id="f" * 32))
    assert (nothing.spans, nothing.missing) == ([], ["three"])


async def test_a_store_that_cannot_be_written_is_said_once_and_tried_again(tmp_path, caplog):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    (shop.folder / FILE).mkdir()
    recorder = recorder_of(shop)
    for _ in range(2):
        with shop.telemetry.span("order", "work"):
            shop.clock.advance(60)
        await recorder.flush()
    (shop.folder / FILE).rmdir()
    with shop.telemetry.span("order", "more work"):
        shop.clock.advance(60)

    page = await shop.shop.records.search_traces(SearchTraces())
    assert [trace.name for trace in page.traces] == ["order more work"]
    assert [line.levelname for line in caplog.records if "nothing is kept" in line.message] == [
        "WARNING"
    ]
    await recorder.stop()
    await shop.close()


async def test_a_request_that_failed_on_us_is_in_the_log_of_its_trace(shop):
    kept: deque[LogRow] = deque()
    logs = JsonLogs(shop.telemetry.guard, stream=io.BytesIO())
    logs.kept = kept
    access = logging.getLogger("emporion.access")
    access.addHandler(logs)

    shop.closed = "draining"
    answer = await shop.stranger().get("/readyz")
    shop.closed = ""
    access.removeHandler(logs)

    assert answer.status == 503
    assert [row.trace_id for row in kept] == [answer.headers["x-trace-id"]]


async def test_a_gauge_that_cannot_be_looked_up_stops_nothing(tmp_path):
    clock = ManualClock()
    tasks = ManualTasks(clock)
    runtime = Runtime(clock, TimedIds(clock), SeededRandomness(), tasks)
    batches: list[Batch] = []
    recorder = Recorder(
        Telemetry(runtime), runtime, None, Limits(1, 1), deque(), exports=[batches.append]
    )

    async def away() -> None:
        raise Unavailable

    recorder.refreshes.append(away)
    await recorder.start()
    for _ in range(3):
        await settle()
        clock.advance(FLUSH_S)
    await settle()

    assert len(batches) == 3
    await recorder.stop()


class Reads:
    """Stands where threads read the store: notes what is read, and how much at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = 0
        self.running = 0
        self.most = 0
        monkeypatch.setattr(asyncio, "to_thread", self.held)

    async def held(self, work: Callable[..., Any], *args: Any) -> Any:
        if not (isinstance(work, partial) and work.func.__name__ == "series"):
            return work(*args)
        self.done += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await settle()
        self.running -= 1
        return work()


async def test_a_long_window_is_read_once_for_all_who_ask_and_told_for_a_while(shop, monkeypatch):
    reads = Reads(monkeypatch)
    long = ServiceMapOf(window_s=40_000)

    first, *others = await asyncio.gather(*(records(shop).service_map(long) for _ in range(3)))
    assert others == [first, first] and first.edges
    assert await records(shop).service_map(long) == first
    assert reads.done == 2, "calls and gauges, each once"

    shop.clock.advance(31)
    await records(shop).service_map(long)
    assert reads.done == 4
    for _ in range(2):
        await records(shop).service_map(ServiceMapOf(window_s=60))
    assert reads.done == 8, "a short window is of this moment"


async def test_one_long_window_is_read_at_a_time(shop, monkeypatch):
    reads = Reads(monkeypatch)

    await asyncio.gather(
        *(records(shop).service_map(ServiceMapOf(window_s=w)) for w in (30_000, 30_001, 4_000))
    )

    assert (reads.done, reads.most) == (6, 1)

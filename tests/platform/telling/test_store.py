"""The store gives back what was told, and stays within its bounds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from emporion.chassis.telemetry.metrics import Metrics
from emporion.chassis.telemetry.spans import NO_PARENT, Kind, Span
from emporion.chassis.telemetry.store.records import LogRow, parts_of
from emporion.chassis.telemetry.store.samples import WHOLE_EVERY, MetricSampler
from emporion.kernel.errors import Unavailable
from emporion.platform.telling.pages import before_line, line_id
from emporion.platform.telling.store.reading import ADDED_AT_ONCE, LAST, Before, StoreReader, Wanted
from emporion.platform.telling.store.writing import HOUR_MS, Limits, StoreWriter

NOW_MS = 1_767_225_600_000
PLENTY = Limits(bytes_max=10**9, hours=1_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.db"


@pytest.fixture
def writer(path: Path) -> Iterator[StoreWriter]:
    made = StoreWriter(path, PLENTY)
    yield made
    made.close()


@pytest.fixture
def reader(path: Path) -> StoreReader:
    return StoreReader(path)


def span(number: int, name: str = "place_order", **but: Any) -> Span:
    """The root span of a trace of that number."""
    given: dict[str, Any] = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "parent_id": NO_PARENT,
        "service": "order",
        "name": name,
        "caller": "edge",
        "started_s": 1.0,
        "duration_s": 0.25,
        "outcome": "ok",
        "fields": {"status": 201},
        "kind": Kind.EDGE,
    }
    return Span(**given | but)


def tell(writer: StoreWriter, *spans: Span, at_ms: int = NOW_MS, logs=(), sample=None) -> None:
    writer.write(parts_of(spans, epoch_us=at_ms * 1000 - 1_000_000), logs, sample)


def line(at_ms: int, text: str, trace_id: str = "", level: str = "info") -> LogRow:
    return LogRow(at_ms, trace_id, level, "order", text.encode())


def lines(reader: StoreReader, wanted: Wanted) -> list[bytes]:
    return [stored.line for stored in reader.logs(wanted)]


def test_spans_come_back_with_their_time_of_day(writer, reader):
    child = span(1, "reserve", span_id="c" * 16, parent_id=f"{1:016x}", started_s=1.1, fields=None)
    tell(writer, child, span(1), span(2))

    root, reserve = reader.spans(f"{1:032x}")
    assert (root.name, root.started_us, root.duration_us) == ("place_order", NOW_MS * 1000, 250_000)
    assert (root.kind, root.fields, root.parent_id) == (Kind.EDGE, {"status": 201}, NO_PARENT)
    assert (reserve.parent_id, reserve.started_us) == (root.span_id, (NOW_MS + 100) * 1000)
    assert reader.spans("f" * 32) == []


def test_what_came_of_a_trace_later_is_told_with_what_began_it(writer, reader):
    tell(writer, span(1))
    tell(writer, span(2))
    late = span(1, "react", service="email", outcome="Internal", parent_id="a" * 16)
    tell(writer, late, at_ms=NOW_MS + HOUR_MS)

    trace, other = reader.traces(Wanted())
    assert {trace.trace_id, other.trace_id} == {f"{1:032x}", f"{2:032x}"}
    (joined,) = (each for each in (trace, other) if each.services == ("email", "order"))
    assert (joined.name, joined.at_ms, joined.is_failed) == ("order place_order", NOW_MS, True)
    assert len(reader.spans(f"{1:032x}")) == 2


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), {1, 2, 3}),
        (Wanted(service="email"), {2}),
        (Wanted(service="mail"), set()),
        (Wanted(contains="place"), {1, 3}),
        (Wanted(is_failed=True), {3}),
        (Wanted(duration_us_min=1_000_000), {2}),
        (Wanted(since_ms=NOW_MS + 5), {2, 3}),
        (Wanted(until_ms=NOW_MS + 5), {1}),
        (Wanted(contains="place", is_failed=True, service="email"), set()),
        (Wanted(limit=1), {3}),
    ],
)
def test_traces_are_found_by_every_condition(writer, reader, wanted, found):
    tell(writer, span(1))
    tell(writer, span(2, "send", service="email", duration_s=2.0), at_ms=NOW_MS + 10)
    tell(writer, span(3, outcome="Unavailable"), at_ms=NOW_MS + 20)

    assert {int(each.trace_id, 16) for each in reader.traces(wanted)} == found


def test_log_lines_are_found_by_trace_level_and_text(writer, reader):
    traced = line(NOW_MS, '{"message":"paid"}', f"{7:032x}")
    bad = line(NOW_MS + 1, '{"message":"no"}', level="error")
    tell(writer, logs=[traced, bad])

    assert lines(reader, Wanted()) == [traced.line, bad.line]
    assert lines(reader, Wanted(trace_id=f"{7:032x}")) == [traced.line]
    assert lines(reader, Wanted(level="error")) == [bad.line]
    assert lines(reader, Wanted(contains="paid")) == [traced.line]
    assert lines(reader, Wanted(limit=1)) == [bad.line]
    assert lines(reader, Wanted(level_min="info")) == [traced.line, bad.line]
    assert lines(reader, Wanted(level_min="warning")) == [bad.line]


def test_log_lines_are_read_page_by_page_also_those_of_one_instant(writer, reader):
    told = [line(NOW_MS + number // 3, str(number)) for number in range(10)]
    late = line(NOW_MS + 1, "late")
    tell(writer, logs=[*told, late])

    read: list[list[bytes]] = []
    before = LAST
    while page := reader.logs(Wanted(limit=4, before=before)):
        read.append([stored.line for stored in page])
        before = Before(page[0].at_ms, sequence=page[0].sequence)

    assert read == [[b"6", b"7", b"8", b"9"], [b"3", b"4", b"5", b"late"], [b"0", b"1", b"2"]]


def test_traces_are_read_page_by_page_though_a_long_one_was_written_last(writer, reader):
    for number in range(1, 8):
        tell(writer, span(number), at_ms=NOW_MS + number)
    tell(writer, span(9, duration_s=30.0), at_ms=NOW_MS - 30_000)

    read: list[list[int]] = []
    before = LAST
    while page := reader.traces(Wanted(limit=3, before=before)):
        read.append([int(found.trace_id, 16) for found in page])
        before = Before(page[-1].at_ms, trace=bytes.fromhex(page[-1].trace_id))

    assert read == [[7, 6, 5], [4, 3, 2], [1, 9]]


def test_the_newest_traces_are_found_behind_long_ones_that_were_written_after_them(writer, reader):
    for number, began_ms in ((1, 50_000), (2, 0), (3, 10_000), (4, 20_000)):
        tell(writer, span(number), at_ms=NOW_MS + began_ms)

    found = [int(trace.trace_id, 16) for trace in reader.traces(Wanted(limit=2))]
    assert found == [1, 4]


def test_a_page_of_lines_goes_on_with_those_of_the_same_instant_in_another_process():
    ids = {line_id(5, 7, process): process for process in ("one", "two")}
    first, last = sorted(ids)

    assert before_line(last, ids[first]) == Before(5, sequence=8)
    assert before_line(last, ids[last]) == Before(5, sequence=7)
    assert before_line(first, ids[last]) == Before(5, sequence=7)


def test_metrics_come_back_in_steps(writer, reader):
    metrics = Metrics()
    orders = metrics.count("orders", "Orders.", currency="EUR")
    took = metrics.durations("order_seconds", "Orders.")
    level = [5.0]
    metrics.gauge("queue", "Waiting.", lambda: level[0])
    sampler = MetricSampler(metrics)
    for second in range(4):
        orders.add(2)
        took.observe(0.02)
        level[0] += second
        tell(writer, sample=sampler.take(NOW_MS + second * 1000))

    names = ["orders", "order_seconds", "queue"]
    found = reader.series(names, since_ms=NOW_MS, until_ms=NOW_MS + 9_999, step_ms=2_000)
    by_name = {series.name: series for series in found}
    assert [(p.at_ms - NOW_MS, p.value) for p in by_name["orders"].points] == [(0, 4), (2000, 4)]
    assert by_name["orders"].labels == {"currency": "EUR"}
    timed = by_name["order_seconds"].points[0].durations
    assert timed is not None
    assert (timed.count, timed.total_s) == (2, pytest.approx(0.04))
    assert [p.value for p in by_name["queue"].points] == [6.0, 11.0]
    assert reader.names() == ["order_seconds", "orders", "queue"]


def test_many_samples_of_a_step_are_all_added_up(writer, reader):
    metrics = Metrics()
    orders = metrics.count("orders", "Orders.")
    seconds = metrics.durations("order_seconds", "Orders.")
    metrics.gauge("queue", "Waiting.", lambda: orders.value)
    sampler = MetricSampler(metrics)
    many = 3 * ADDED_AT_ONCE + 1
    for second in range(many):
        orders.add(2)
        seconds.observe(0.01)
        tell(writer, sample=sampler.take(NOW_MS + second * 1000))

    names = ["orders", "order_seconds", "queue"]
    found = reader.series(names, since_ms=NOW_MS, until_ms=NOW_MS + many * 1000)
    values = {each.name: [point.value for point in each.points] for each in found}
    assert values == {"orders": [2 * many], "order_seconds": [many], "queue": [2 * many]}
    timed = next(each for each in found if each.name == "order_seconds").points[0].durations
    assert timed is not None and timed.total_s == pytest.approx(many / 100)


def test_a_sample_holds_what_changed_and_now_and_then_every_gauge():
    metrics = Metrics()
    orders = metrics.count("orders", "Orders.")
    metrics.gauge("queue", "Waiting.", lambda: 1.0)
    sampler = MetricSampler(metrics)

    first, second = sampler.take(1), sampler.take(2)
    orders.add()
    samples = [sampler.take(at) for at in range(3, WHOLE_EVERY + 3)]

    assert ([s.name for s in first.series], first.values) == (["orders", "queue"], {2: 1.0})
    assert (second.series, second.values) == (first.series, {})
    assert samples[0].values == {1: 1.0}
    assert [sample.at_ms for sample in samples if 2 in sample.values] == [WHOLE_EVERY + 1]


def test_a_restart_goes_on_with_the_same_series(path, reader):
    for _ in range(2):
        metrics = Metrics()
        metrics.count("orders", "Orders.").add(3)
        writer = StoreWriter(path, PLENTY)
        tell(writer, sample=MetricSampler(metrics).take(NOW_MS))
        writer.close()

    (series,) = reader.series(["orders"], since_ms=0, until_ms=NOW_MS)
    assert [point.value for point in series.points] == [6.0]


def test_a_sample_that_is_not_stored_mixes_up_no_series(writer, reader, path):
    metrics = Metrics()
    orders = metrics.count("orders", "Orders.")
    sampler = MetricSampler(metrics)
    other = apsw.Connection(str(path))
    refusal = "CREATE TRIGGER refuse BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'full'); END"
    other.execute(refusal)
    with pytest.raises(Unavailable, match="full"):
        tell(writer, sample=sampler.take(NOW_MS))
    other.execute("DROP TRIGGER refuse")
    other.execute("INSERT INTO series (name, labels, kind) VALUES ('other', '{}', 'count')")
    other.close()

    orders.add(2)
    metrics.count("refunds", "Refunds.").add(5)
    tell(writer, sample=sampler.take(NOW_MS + 1))

    names = ["orders", "other", "refunds"]
    found = reader.series(names, since_ms=0, until_ms=NOW_MS + 1)
    assert {each.name: [p.value for p in each.points] for each in found if each.points} == {
        "orders": [2.0],
        "refunds": [5.0],
    }


def test_the_oldest_is_forgotten_when_it_is_too_much_or_too_old(path, reader):
    writer = StoreWriter(path, Limits(bytes_max=400_000, hours=2))
    for minute in range(300):
        at_ms = NOW_MS + minute * 60_000
        logs = [line(at_ms, "x" * 500) for _ in range(5)]
        tell(writer, *(span(minute * 10 + n) for n in range(5)), at_ms=at_ms, logs=logs)
        writer.prune(at_ms)
        assert writer.used_bytes <= 400_000
    used = writer.used_bytes
    writer.close()

    kept = reader.traces(Wanted(limit=10_000))
    last_ms = NOW_MS + 299 * 60_000
    assert kept[0].at_ms == last_ms
    assert all(each.at_ms >= last_ms - 2 * HOUR_MS for each in kept)
    assert used > 200_000
    assert path.stat().st_size < 2 * 400_000


def test_a_file_of_another_version_is_begun_anew(path, reader):
    old = apsw.Connection(str(path))
    old.execute("CREATE TABLE part (x); INSERT INTO part VALUES (1); PRAGMA user_version = 99")
    old.close()
    assert reader.traces(Wanted()) == []

    writer = StoreWriter(path, PLENTY)
    tell(writer, span(1))
    writer.close()
    assert len(reader.traces(Wanted())) == 1


def test_where_there_is_no_file_nothing_is_found(reader):
    assert (reader.spans("a" * 32), reader.traces(Wanted()), reader.logs(Wanted())) == ([], [], [])
    assert reader.series(["orders"], since_ms=0, until_ms=1) == []


def test_a_file_that_is_none_of_ours_is_unavailable(path, reader):
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(Unavailable):
        reader.traces(Wanted())
    with pytest.raises(Unavailable):
        StoreWriter(path, PLENTY)

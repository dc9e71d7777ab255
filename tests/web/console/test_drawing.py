"""What pages draw: figures, what stands out, the map, the waterfall. Without a shop."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emporion.contracts.operations_telemetry import (
    CallEdge,
    MetricPoint,
    MetricSeries,
    ProcessStanding,
    ServiceMap,
    SpanOfTrace,
    TraceDetails,
)
from emporion.web.console.charts import LINES_MAX, Chart, Grid, Line, groups_of, largest, whole
from emporion.web.console.judging import State, together
from emporion.web.console.service_map import OUTSIDE, WIDTH, picture_of
from emporion.web.console.waterfall import DEPTH_MAX, waterfall_of
from emporion.web.figures import age, clock, instant, quantile_ms, rate, share, size, span

BOUNDS_S = [0.001, 0.01, 0.1, 1.0, 10.0]


def edge(caller: str, service: str, *, buckets: list[int], faults: int = 0, **but) -> CallEdge:
    calls = sum(buckets)
    given: dict[str, Any] = {
        "kind": "local",
        "caller": caller,
        "service": service,
        "method": "",
        "calls": calls,
        "errors": faults,
        "faults": faults,
        "rate_per_s": calls / 60,
        "p50_ms": 0.0,
        "p95_ms": 0.0,
        "p99_ms": 0.0,
        "total_ms": 0.0,
        "buckets": buckets,
    }
    return CallEdge(**given | but)


def told(*edges: CallEdge, services: list[str]) -> ServiceMap:
    process = ProcessStanding(
        process="shop", services=services, cpu_share=0.1, memory_bytes=1, loop_lag_ms=1.0
    )
    return ServiceMap(window_s=60, bounds_s=BOUNDS_S, edges=list(edges), processes=[process])


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (span(0.0004), "0 µs"),
        (span(0.85), "850 µs"),
        (span(4.2), "4.2 ms"),
        (span(850.4), "850 ms"),
        (span(1350), "1.35 s"),
        (age(12), "12 s"),
        (age(300), "5 min"),
        (age(7_300), "2 h"),
        (age(200_000), "2 d"),
        (rate(0), "0"),
        (rate(0.05), "3/min"),
        (rate(12.54), "12.5/s"),
        (rate(1_200), "1200/s"),
        (share(0, 10), "0%"),
        (share(1, 100_000), "<0.1%"),
        (share(1, 40), "2.5%"),
        (share(1, 2), "50%"),
        (size(512), "512 B"),
        (size(3 * 1024**2), "3 MB"),
        (clock(datetime(2026, 11, 30, 17, 4, 12, 250_000, UTC)), "17:04:12.250"),
        (instant(datetime(2026, 11, 30, 17, 4, 12, tzinfo=UTC)), "2026-11-30 17:04:12"),
    ],
)
def test_figures_are_short(shown, text):
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_quantile_lies_within_its_bucket_and_never_beyond_the_last_bound():
    assert quantile_ms([], BOUNDS_S, 0.99) == 0.0
    assert quantile_ms([0, 100, 0, 0, 0, 0], BOUNDS_S, 0.5) == pytest.approx(5.5)
    assert quantile_ms([99, 0, 0, 0, 0, 1], BOUNDS_S, 0.995) == 10_000.0


@pytest.mark.parametrize(
    ("buckets", "faults", "state", "why"),
    [
        ([], 0, State.IDLE, ""),
        ([100, 0, 0, 0, 0, 0], 0, State.FINE, ""),
        ([99, 0, 0, 0, 0, 0], 1, State.ODD, "failing"),
        ([9, 0, 0, 0, 0, 0], 1, State.WRONG, "failing"),
        ([90, 0, 0, 10, 0, 0], 0, State.ODD, "slow"),
        ([90, 0, 0, 0, 10, 0], 0, State.WRONG, "slow"),
        ([1, 0, 0, 0, 1, 0], 0, State.FINE, ""),
        ([90, 0, 0, 0, 10, 0], 50, State.WRONG, "failing and slow"),
    ],
)
def test_what_fails_or_is_slow_stands_out(buckets, faults, state, why):
    talk = together([edge("order", "payment", buckets=buckets, faults=faults)], BOUNDS_S)

    assert (talk.state, talk.why) == (state, why)


def test_refusals_do_not_stand_out():
    talk = together([edge("edge", "order", buckets=[10, 0, 0, 0, 0, 0], errors=8)], BOUNDS_S)

    assert (talk.refusals, talk.state) == (8, State.FINE)


def test_the_map_has_every_service_once_also_one_that_it_never_heard_of():
    picture = picture_of(
        told(
            edge("edge", "order", buckets=[1, 0, 0, 0, 0, 0]),
            edge("platform", "catalog", buckets=[1, 0, 0, 0, 0, 0]),
            edge("order", "loyalty", buckets=[1, 0, 0, 0, 0, 0]),
            edge("edge", "operations", buckets=[1, 0, 0, 0, 0, 0]),
            services=["order", "catalog", "loyalty"],
        )
    )

    nodes = {node.name: node for node in picture.nodes}
    assert len(nodes) == len(picture.nodes) and {"loyalty", OUTSIDE} < set(nodes)
    assert "operations" not in nodes
    assert picture.total.calls == 2
    places = {(node.x, node.y) for node in picture.nodes}
    assert len(places) == len(nodes)
    assert all(0 <= x <= picture.width - WIDTH and 0 <= y <= picture.height for x, y in places)
    assert not nodes["payment"].is_held and nodes["payment"].state is State.WRONG
    assert nodes["loyalty"].is_held and nodes["loyalty"].state is State.FINE


def test_calls_over_the_wire_and_in_one_process_are_one_line_and_events_another():
    picture = picture_of(
        told(
            edge("order", "payment", buckets=[5, 0, 0, 0, 0, 0]),
            edge("order", "payment", kind="remote", buckets=[0, 5, 0, 0, 0, 0]),
            edge("order", "payment", kind="event", buckets=[1, 0, 0, 0, 0, 0]),
            services=["order", "payment"],
        )
    )

    assert {line.kind: line.talk.calls for line in picture.lines} == {"call": 10, "event": 1}


def test_what_is_wrong_is_drawn_last_and_never_without_its_figures():
    picture = picture_of(
        told(
            edge("edge", "order", buckets=[0, 0, 0, 0, 9, 0]),
            edge("order", "payment", buckets=[9, 0, 0, 0, 0, 0]),
            edge("email", "user", buckets=[9, 0, 0, 0, 0, 0]),
            services=["order", "payment"],
        )
    )

    assert [line.service for line in picture.lines][-1] == "order"
    labelled = {line.service for line in picture.lines if line.is_labelled}
    assert labelled == {"order", "payment"}


def work(number: int, parent: int, at_us: int, took_us: int, **but) -> SpanOfTrace:
    given: dict[str, Any] = {
        "span_id": f"{number:016x}",
        "parent_id": f"{parent:016x}",
        "service": "order",
        "name": "work",
        "kind": "edge" if number == 1 else "served",
        "caller": "",
        "started_us": at_us,
        "duration_us": took_us,
        "outcome": "ok",
        "fields": {},
        "process": "shop",
    }
    return SpanOfTrace(**given | but)


def falling(*spans: SpanOfTrace):
    return waterfall_of(TraceDetails(trace_id="a" * 32, spans=list(spans), logs=[]))


def test_own_time_is_what_the_work_below_leaves_also_where_that_overlaps():
    fall = falling(
        work(1, 0, 1_000_000, 10_000),
        work(2, 1, 1_001_000, 4_000),
        work(3, 1, 1_003_000, 4_000),
        work(4, 1, 1_009_000, 5_000),
    )

    assert [row.own_ms for row in fall.rows] == [3.0, 4.0, 4.0, 5.0]
    assert [row.depth for row in fall.rows] == [0, 1, 1, 1]


def test_what_came_later_has_a_scale_of_its_own():
    fall = falling(
        work(1, 0, 0, 10_000),
        work(2, 1, 5_000, 5_000),
        work(3, 1, 3_600_000_000, 2_000, kind="reaction"),
    )

    assert fall.took_ms == 10.0
    assert [(row.bar_x, row.bar_width) for row in fall.rows] == [(0, 1000), (500, 500)]
    (late,) = fall.after
    assert late.depth == 0 and late.at_ms == pytest.approx(3_599_990)
    assert late.bar_x + late.bar_width <= 1_000


def test_work_that_failed_on_us_is_told_from_what_was_refused():
    fall = falling(
        work(1, 0, 0, 10, outcome="HTTP 503"),
        work(2, 1, 0, 5, outcome="Unavailable"),
        work(3, 1, 5, 5, outcome="FailedPrecondition"),
    )

    assert [row.state for row in fall.rows] == ["failed", "failed", "refused"]


def test_a_forged_trace_that_goes_in_circles_or_very_deep_is_drawn_too():
    circle = falling(work(2, 3, 0, 5), work(3, 2, 1, 5), work(4, 4, 2, 5))
    deep = falling(*(work(number, number - 1, number, 2_000) for number in range(1, 1_500)))

    assert {row.span.span_id for row in circle.rows} <= {f"{number:016x}" for number in (2, 3, 4)}
    assert len(deep.rows) == 1_499 and max(row.depth for row in deep.rows) == DEPTH_MAX


def test_nothing_kept_but_lines_is_an_empty_waterfall():
    fall = falling()

    assert (fall.rows, fall.after, fall.name) == ([], [], "log lines only")


def test_fields_are_said_in_few_words():
    fields = {"queued_us": "250", "waited_ms": "12", "work": "Store.add", "secret": "x"}
    (row,) = falling(work(1, 0, 0, 10, fields=fields)).rows

    assert row.said == "waited 12 ms, queued 0.2 ms, Store.add"


NOON = datetime(2026, 11, 30, 12, 0, 30, tzinfo=UTC)


def course(*values: float | list[int], label: str = "a", every_s: int = 60) -> MetricSeries:
    """A series that was told of in each of the last steps, the newest last."""
    last = NOON.replace(second=0)
    points = [
        MetricPoint(
            at=last - timedelta(seconds=every_s * back),
            value=float(sum(value) if isinstance(value, list) else value),
            buckets=value if isinstance(value, list) else [],
        )
        for back, value in zip(range(len(values))[::-1], values, strict=True)
    ]
    return MetricSeries(
        name="x", labels={"label": label}, kind="count", process="shop", points=points
    )


def test_a_grid_begins_with_a_whole_step_and_ends_now():
    grid = Grid(NOON, 3_600)

    assert (grid.step_s, len(grid.times)) == (60, 60)
    assert grid.times[0] > NOON.timestamp() - 3_600
    assert grid.times[-1] == NOON.replace(second=0).timestamp()
    assert Grid(NOON, 60).step_s == 2


def test_a_rate_is_of_the_time_that_a_step_has_lasted_so_far():
    grid = Grid(NOON, 3_600)

    assert grid.rates([course(120, 60)])[-3:] == [0.0, 2.0, 2.0]


def test_nothing_is_drawn_before_the_first_thing_told():
    grid = Grid(NOON, 3_600)
    series = [course(1, 0), course(5, 5, 5, label="b")]

    since = grid.first_told(series)
    assert grid.sums([series[0]], since=since)[-4:] == [None, 0.0, 1.0, 0.0]
    assert grid.first_told([]) > grid.times[-1]
    assert Chart(
        "x", "X", "count", grid.times, [Line("a", grid.sums([], since=since + 600))]
    ).is_empty


def test_a_gauge_stays_until_it_is_told_again_and_those_of_one_name_are_added():
    grid = Grid(NOON, 3_600)

    assert grid.gauges([course(4, every_s=180), course(1, 2, every_s=120)])[-4:] == [
        None,
        1.0,
        1.0,
        6.0,
    ]
    assert grid.gauges([course(4, 5)], scale=0.5)[-2:] == [2.0, 2.5]


def test_what_only_grows_is_told_by_how_fast_and_a_new_start_is_no_fall():
    assert Grid(NOON, 3_600).growth(course(60, 90, 5, 35))[-4:] == [None, 0.5, None, 0.5]


def test_quantiles_of_several_series_are_those_of_everything_that_they_timed():
    grid = Grid(NOON, 3_600)
    fast, slow = [99, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]

    p50, _, p99 = grid.quantiles([course(fast), course(slow)], BOUNDS_S)
    assert (p50.name, p50.values[-2]) == ("p50", None)
    assert p50.last is not None and p50.last < 1
    assert p99.last is not None and p99.last <= 1.0
    assert whole([course(fast), course(slow, 1)]) == (101.0, [99, 0, 0, 0, 1, 0])


def test_of_many_lines_the_largest_are_drawn():
    series = [course(number, label=f"l{number}") for number in range(10)]

    shown = largest(groups_of(series, lambda each: each.labels["label"]))
    assert shown == ["l4", "l5", "l6", "l7", "l8", "l9"] and len(shown) == LINES_MAX

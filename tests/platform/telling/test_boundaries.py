"""Boundaries are judged by who waits for whom: of what really happened, and of enough of it."""

import pytest

from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_telemetry import CallEdge, SpanOfTrace, TraceDetails
from emporion.platform.telling.boundaries import CALLS_MIN, boundaries_of, judged
from tests.defects.whole_shop import WholeShop
from tests.platform.telling.test_records import recorder_of


def edge(caller: str, service: str, calls: int, kind: str = "local") -> CallEdge:
    return CallEdge(
        kind=kind, caller=caller, service=service, method="", calls=calls, errors=0, faults=0,
        rate_per_s=1.0, p50_ms=1.0, p95_ms=2.0, p99_ms=3.0, total_ms=calls, buckets=[],
    )  # fmt: skip


def span(number: int, service: str, kind: str, caller: str, **but: int) -> SpanOfTrace:
    return SpanOfTrace(
        span_id=f"{number:016x}", parent_id=f"{but.get('under', 0):016x}", service=service,
        name="x", kind=kind, caller=caller, started_us=number, duration_us=but["lasts"],
        outcome="ok", fields={}, process="p",
    )  # fmt: skip


def request(*spans: SpanOfTrace) -> TraceDetails:
    return TraceDetails(trace_id="a" * 32, spans=list(spans), logs=[])


SPLIT = request(
    span(1, "edge", "edge", "client", lasts=10_000),
    span(2, "order", "served", "edge", under=1, lasts=9_000),
    span(3, "order", "asked", "payment", under=2, lasts=4_000),
    span(4, "payment", "served", "remote", under=3, lasts=1_500),
)
TOGETHER = request(
    span(1, "edge", "edge", "client", lasts=10_000),
    span(2, "order", "served", "edge", under=1, lasts=9_000),
    span(3, "payment", "served", "order", under=2, lasts=2_000),
    span(4, "payment", "served", "order", under=2, lasts=2_000),
)


@pytest.mark.parametrize(
    ("trace", "kind", "per_request", "waited", "way_ms"),
    [(SPLIT, "remote", 1.0, 0.4, 2.5), (TOGETHER, "local", 2.0, 0.4, None)],
)
def test_what_an_edge_costs_is_read_off_the_requests(trace, kind, per_request, waited, way_ms):
    calls = [edge("edge", "order", 100), edge("order", "payment", 100, kind)]
    report = judged(calls, [trace, trace], window_s=60)

    (talk,) = report.talks
    assert (talk.per_request, talk.waited_share, talk.way_ms) == (per_request, waited, way_ms)
    assert (report.requests, talk.share) == (2, 1.0)


@pytest.mark.parametrize(
    ("from_order", "from_outside", "is_one"),
    [(100, 0, True), (100, 25, True), (100, 30, False), (CALLS_MIN - 1, 0, False)],
)
def test_two_are_one_when_one_answers_hardly_anybody_else(from_order, from_outside, is_one):
    calls = [edge("order", "payment", from_order), edge("edge", "payment", from_outside)]
    report = judged(calls, [TOGETHER], window_s=60)

    assert [verdict.services for verdict in report.one] == [["order", "payment"]] * is_one


def test_two_that_talk_in_few_requests_are_not_one():
    quiet = request(
        span(1, "edge", "edge", "client", lasts=10), span(2, "order", "served", "edge", lasts=9)
    )
    calls = [edge("order", "payment", 100)]
    report = judged(calls, [TOGETHER, *[quiet] * 4], window_s=60)
    assert report.one == []
    assert judged(calls, [], window_s=60).one == []


def test_who_is_waited_for_by_nobody_and_asks_nobody_comes_out_first():
    report = judged(
        [
            edge("edge", "order", 100),
            edge("order", "payment", 100),
            edge("order", "email", 5, "event"),
            edge("email", "user", 5),
            edge("order", "analytics", 5, "event"),
            edge("edge", "operations", 5),
        ],
        [],
        window_s=60,
    )

    assert [verdict.services for verdict in report.first] == [["analytics"], ["email"], ["order"]]
    assert report.first[0].why == (
        "no service waits for it; it asks nobody and hears events of order"
    )
    assert "it asks user" in report.first[1].why


async def test_a_real_shop_is_told_that_order_and_payment_talk_and_analytics_does_not(tmp_path):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    recorder = recorder_of(shop)
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 100)
    await recorder.flush()
    for _ in range(CALLS_MIN):
        assert (await ada.order(("croissant", 1))).status == 201
    await shop.deliver()
    shop.clock.advance(1)

    scopes = frozenset({"operations:read"})
    desk = shop.shop.directory.clients("platform", scopes=scopes).get(OperationsService)
    report = await boundaries_of(desk, window_s=600, traces=50)
    assert report.requests == CALLS_MIN
    assert ["order", "payment"] in [verdict.services for verdict in report.one]
    free = [verdict.services[0] for verdict in report.first]
    assert "analytics" in free
    assert "inventory" not in free
    await recorder.stop()
    await shop.close()

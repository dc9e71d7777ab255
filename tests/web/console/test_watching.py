"""The pages that watch: the map, services, traces with their waterfall, and logs."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import pytest_asyncio

from emporion.kernel.errors import Unavailable
from tests.api.shopfront import NOBODY, Shopfront, must, open_shopfront
from tests.web.console.people import signed_in
from tests.web.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")
STRAY = "ord_" + "0" * 32
_log = logging.getLogger("emporion.services.order.planted")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(tmp_path_factory) -> AsyncIterator[Shopfront]:
    """A shop that keeps what it tells, in which somebody bought and was declined."""
    folder = tmp_path_factory.mktemp("watched") / "data"
    async with open_shopfront(folder, is_telling=True) as shop:
        ada = await shop.person("ada")
        _ = await shop.order(ada, "one")
        declined = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_declined"}
        answer = await shop.json(ada, "POST", "/api/orders", declined, idempotency_key="two")
        assert answer.status == 402
        for _ in range(60):
            _ = must(await shop.send(NOBODY, "GET", "/api/products"))
        await shop.until_quiet()
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(front) -> Visitor:
    """A browser with an operator's session."""
    return await signed_in(front)


@contextmanager
def logged(front: Shopfront, *lines: tuple[int, str]):
    """The lines, said by the order service within one trace."""
    with front.shop.telemetry.span("order", "planted work"):
        for level, text in lines:
            _log.log(level, text, extra={"order_id": STRAY})
    yield


async def test_the_map_shows_who_calls_whom_with_rates_and_the_table_says_the_same(operator):
    page = await operator.get("/console")

    assert re.search(r"order → payment: [\d.]+/min, p99 [\d.]+.(ms|µs)", page.html)
    assert re.search(r"order → email: [\d.]+/min", page.html)
    assert "operations" not in re.findall(r'class="node-name"[^>]*>([a-z]+)', page.html)
    assert 'class="node node-fine"' in page.html
    rows = re.findall(r"<tr><td>(\w+)</td><td>(\w+)</td><td>(calls|events)</td>", page.html)
    assert {("order", "payment", "calls"), ("order", "email", "events")} <= set(rows)
    assert "Orders paid 1 1 refused, 0 called off" in page.text


async def test_the_live_part_is_the_map_without_the_page_around_it(operator):
    part = await operator.get("/console/overview/now?window=300", hx_request="true")

    assert part.status == 200 and "<!doctype" not in part.html and "<svg" in part.html


async def test_a_long_window_comes_again_less_often_than_a_short_one(operator):
    every = {
        window_s: re.findall(
            r'hx-get="/console/overview/now[^"]*" hx-trigger="([a-z-]+) from',
            (await operator.get(f"/console?window={window_s}")).html,
        )
        for window_s in (60, 300, 3_600, 43_200)
    }
    assert every == {60: ["tick"], 300: ["tick"], 3_600: ["slow-tick"], 43_200: ["slow-tick"]}


async def test_every_service_says_whether_it_is_ready_and_if_not_why(front, operator, monkeypatch):
    assert (await operator.get("/console/overview/health")).text.count(" ready") == 13

    async def away() -> None:
        raise Unavailable("the provider does not answer")

    probes = front.shop.records.standing.probes
    monkeypatch.setitem(probes, "payment", {"provider": away})
    health = await operator.get("/console/overview/health", hx_request="true")
    services = await operator.get("/console/services")
    service = await operator.get("/console/services/payment")

    assert "payment not ready provider: the provider does not answer" in health.text
    assert "payment not ready" in services.text
    assert "provider is not there the provider does not answer" in service.text


async def test_a_service_shows_its_methods_by_who_calls_them_and_its_events(operator):
    page = await operator.get("/console/services/order")

    assert re.search(r"clients place_order [\d.]+/min 0 1 ", page.text)
    assert re.search(r"payment charge [\d.]+/min 0 1 ", page.text)
    assert re.search("order email 0 . 0 0", page.text)
    assert (await operator.get("/console/services/nothing")).status == 404


@pytest.mark.parametrize("window", ["0", "x", "86401", "-1"])
async def test_a_window_that_cannot_be_is_a_page_that_says_so(operator, window):
    page = await operator.get(f"/console?window={window}")

    assert page.status == 400 and "window_s" in page.text


async def test_traces_are_found_by_what_they_are_about(operator):
    def names(page):
        return re.findall(r'href="/console/traces/[0-9a-f]{32}">([^<]+)<', page.html)

    async def found(query):
        return names(await operator.get(f"/console/traces?{query}"))

    assert await found("contains=POST+/api/orders") == ["POST /api/orders"] * 2
    assert await found("contains=POST+/api/orders&failed=1") == ["POST /api/orders"]
    assert await found("service=payment&back=300") == ["POST /api/orders"] * 2
    assert await found("min=3600000") == []
    assert "GET /static" not in " ".join(await found(""))
    nothing = await operator.get("/console/traces?contains=nowhere")
    assert "None that is kept meets all of these" in nothing.text
    wrong = await operator.get("/console/traces?service=x%20y")
    assert wrong.status == 200 and "cannot be searched for" in wrong.text


@pytest.mark.parametrize("back", ["²", "-5", "1e3", "9" * 40, "%00"])
@pytest.mark.parametrize("path", ["/console/traces", "/console/logs"])
async def test_a_time_that_is_none_is_no_time(operator, path, back):
    page = await operator.get(f"{path}?back={quote(back)}")

    assert page.status == 200


async def test_traces_are_read_to_the_end_page_by_page(operator):
    seen, address = [], "/console/traces?contains=GET+/api/products"
    while address:
        page = await operator.get(address)
        seen += re.findall(r'href="/console/traces/([0-9a-f]{32})"', page.html)
        following = re.search(r'rel="next" href="([^"]+)"', page.html)
        address = following[1].replace("&amp;", "&") if following else ""

    assert len(seen) == len(set(seen)) > 50
    stale = await operator.get("/console/traces?cursor=x")
    assert "begin with the first" in stale.text


async def test_an_order_leads_to_its_traces_and_a_trace_to_its_order(front, operator):
    orders = must(await front.send(await front.person("ada"), "GET", "/api/orders"))["orders"]
    paid = next(order["order_id"] for order in orders if order["status"] == "paid")

    listed = await operator.get(f"/console/traces?about={paid}")
    (trace_id,) = set(re.findall(r'href="/console/traces/([0-9a-f]{32})"', listed.html))
    trace = await operator.get(f"/console/traces?about={trace_id}")

    assert trace.path == f"/console/traces/{trace_id}"
    assert f'href="/console/traces?about={paid}"' in trace.html
    assert "no such order" in (await operator.get(f"/console/traces?about={STRAY}")).text
    assert "neither the id" in (await operator.get("/console/traces?about=abc")).text


async def test_a_waterfall_shows_every_hop_in_its_place_with_its_own_time(operator):
    page = await operator.get("/console/traces?contains=POST+/api/orders")
    last = re.findall(r'href="/console/traces/([0-9a-f]{32})"', page.html)[-1]

    trace = await operator.get(f"/console/traces/{last}")

    hops = re.findall(
        r'<td class="deep-(\d)"><span class="kind kind-(\w+)">(\w+)</span>', trace.html
    )
    assert hops[0] == ("0", "edge", "edge")
    assert ("1", "served", "order") in hops and ("3", "served", "payment") in hops
    assert ("0", "reaction", "email") in hops
    assert trace.html.count('<svg class="bar"') == len(hops)
    assert "Afterwards" in trace.text
    assert (await operator.get(f"/console/traces/{'f' * 32}")).status == 404
    assert (await operator.get("/console/traces/x")).status == 400


async def test_log_lines_are_found_and_stand_beside_their_trace(front, operator):
    with logged(front, (logging.INFO, "<b>the oven</b> is warm"), (logging.ERROR, "oven cold")):
        every = await operator.get("/console/logs?service=order&contains=oven")
        bad = await operator.get("/console/logs?service=order&contains=oven&level=error")
        by_text = await operator.get("/console/logs?contains=oven+cold&back=300")

    assert "&lt;b&gt;the oven&lt;/b&gt;" in every.html and "<b>the oven" not in every.html
    assert "oven cold" in bad.text and "warm" not in bad.text
    assert "oven cold" in by_text.text and "warm" not in by_text.text
    (trace_id,) = set(re.findall(r'href="/console/traces/([0-9a-f]{32})"', every.html))
    trace = await operator.get(f"/console/traces/{trace_id}")
    assert "planted work" in trace.text and "oven cold" in trace.text and STRAY in trace.text
    assert "warm" in (await operator.get(f"/console/logs?trace={trace_id}")).text
    assert "cannot be searched" in (await operator.get("/console/logs?trace=x")).text
    assert "None that is kept" in (await operator.get("/console/logs?contains=nowhere")).text


async def test_logs_are_read_to_the_end_page_by_page(front, operator):
    with logged(front, *((logging.INFO, f"line {number}") for number in range(130))):
        seen, address = [], "/console/logs?contains=line+"
        while address:
            page = await operator.get(address)
            seen += re.findall(r"line (\d+)", page.text)
            following = re.search(r'rel="next" href="([^"]+)"', page.html)
            address = following[1].replace("&amp;", "&") if following else ""

    assert [int(number) for number in seen] == list(range(130))[::-1]


async def test_an_operation_that_is_away_is_said_in_the_part_that_asked(
    front, operator, monkeypatch
):
    async def away(_):
        raise Unavailable("telemetry.db cannot be read: disk I/O error")

    monkeypatch.setattr(front.shop.records, "service_map", away)
    part = await operator.get("/console/overview/now", hx_request="true")
    page = await operator.get("/console")

    assert part.status == page.status == 503
    assert 'role="alert"' in part.html and "<!doctype" not in part.html
    for shown in (part, page):
        assert "Telemetry.db cannot be read: disk I/O error" in shown.text


def charts(page):
    """What each chart's table says last, by its title and line."""
    found = {}
    for chart in re.findall(r"<section class=\"card-box chart.*?</section>", page.html, re.DOTALL):
        title = re.findall(r"<h2[^>]*>([^<]+)", chart)[0]
        lines = re.findall(r"data-line>([^<]+)", chart)
        rows = re.findall(r"<tr data-x.*?</tr>", chart, re.DOTALL)
        told = [re.findall(r'data-y="([^"]*)"', row) for row in rows]
        found[title] = {
            name: sum(float(row[place] or 0) for row in told) for place, name in enumerate(lines)
        }
    return found


async def test_metrics_tell_of_requests_by_route_without_those_that_look(operator):
    page = await operator.get("/console/metrics")
    one = await operator.get("/console/metrics?of=POST+/api/orders&window=300")

    assert re.search(r"POST /api/orders [\d.]+/min 2 0 1 ", page.text)
    assert "/console" not in re.findall(r'class="fill"><a[^>]*>([^<]+)', page.html)
    drawn = charts(page)
    assert drawn["Requests"]["answered"] > drawn["Requests"]["refused"] > 0
    assert drawn["Requests"]["failed on us"] == 0
    assert drawn["How long they took"]["p99"] >= drawn["How long they took"]["p50"] > 0
    assert charts(one)["Requests"]["answered"] < drawn["Requests"]["answered"]


async def test_metrics_tell_of_calls_and_events_by_their_edge(operator):
    page = await operator.get("/console/metrics?about=calls")

    edges = re.findall(r'class="fill"><a[^>]*>([^<]+)<', page.html)
    assert {"order → payment", "edge → catalog", "order → email, events"} <= set(edges)
    assert not [edge for edge in edges if "operations" in edge]
    one = await operator.get("/console/metrics?about=calls&of=order+%E2%86%92+payment")
    assert charts(one)["Calls and events"]["refused"] > 0
    assert charts(one)["Calls and events"]["failed on us"] == 0


async def test_metrics_tell_of_processes_and_of_what_is_sold(operator):
    machine = charts(await operator.get("/console/metrics?about=machine&window=300"))
    sold = charts(await operator.get("/console/metrics?about=sold&window=300"))

    assert machine["Memory"]["shop"] > 10 * 2**20
    assert machine["Transactions that wait or run"]["analytics"] == 0
    assert sold["Orders"] == {"paid": 1, "rejected": 1}
    assert sold["Revenue in EUR"]["EUR"] > 0
    assert sold["Refused by why"] == {"payment-declined": 1}


async def test_the_live_part_of_the_metrics_is_the_charts_alone(operator):
    part = await operator.get("/console/metrics/now?about=sold&window=300", hx_request="true")

    assert "<!doctype" not in part.html and "data-chart" in part.html
    odd = await operator.get("/console/metrics?about=%3Cb%3E&of=nothing")
    assert odd.status == 200 and "Nothing was told of it" in odd.text


async def test_the_topology_says_what_runs_where_and_on_what(operator):
    page = await operator.get("/console/topology")

    assert "13 services together" in page.text and "order on SQLite" in page.text
    assert "Events travel over within the process" in page.text
    assert re.search(r"shop ready \d+.s [\d.]+% \d+.MB", page.text)

"""CloudWatch's agent finds services, the process, and what is sold, in lines of JSON."""

import json

import pytest

from emporion.chassis.telemetry.metrics import Metrics
from emporion.platform.telling.export.emf import EVERY_MS, EmbeddedMetrics
from tests.defects.whole_shop import WholeShop

LABELS = {"service": "order", "method": "place_order", "caller": "edge"}


@pytest.fixture
def told():
    return []


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def embedded(metrics, told):
    place = {"service.instance.id": "order-1"}
    return EmbeddedMetrics(
        metrics, "order", lambda line: told.append(json.loads(line)), place=place
    )


def named(told, dimension):
    return [line for line in told if dimension in line]


def test_each_minute_tells_what_came_in_it(metrics, embedded, told):
    calls = metrics.durations("call_seconds", "Calls.", **LABELS)
    failures = metrics.count("call_failures", "Failed.", **LABELS, outcome="Unavailable")
    refusals = metrics.count("call_failures", "Failed.", **LABELS, outcome="NotFound")
    metrics.gauge("process_memory_bytes", "Memory.", lambda: 5.0)
    for _ in range(4):
        calls.observe(0.02)
    failures.add()
    refusals.add(2)
    embedded.tell(1_000)
    embedded.tell(1_000 + EVERY_MS - 1)
    calls.observe(0.02)
    embedded.tell(1_000 + EVERY_MS)

    first, second = named(told, "service")
    assert (first["requests"], first["errors"], first["faults"]) == (4, 3, 1)
    assert 15 <= first["latency_ms_p50"] <= 25
    assert second["requests"] == 1
    (directive,) = first["_aws"]["CloudWatchMetrics"]
    assert first["_aws"]["Timestamp"] == 1_000
    assert (directive["Namespace"], directive["Dimensions"]) == ("Emporion", [["service"]])
    for metric in directive["Metrics"]:
        assert isinstance(first[metric["Name"]], float)
    process = named(told, "process")[0]
    assert process["process_memory_bytes"] == 5.0
    assert (process["process"], process["service.instance.id"]) == ("order", "order-1")
    assert process["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["process"]]


def test_a_process_tells_the_oldest_saga_and_all_dead_letters_of_its_services(
    metrics, embedded, told
):
    for service, age_s, dead in (("order", 40.0, 1.0), ("fraud", 900.0, 2.0)):
        metrics.gauge("sagas_oldest_seconds", "Age.", lambda of=age_s: of, service=service)
        metrics.gauge("dead_letters", "Dead.", lambda of=dead: of, service=service, caller="user")
    embedded.tell(1_000)

    (process,) = named(told, "process")
    assert (process["sagas_oldest_seconds"], process["dead_letters"]) == (900.0, 3.0)


def test_each_route_that_was_asked_has_a_line_that_costs_no_metric(metrics, embedded, told):
    route = {"verb": "POST", "route": "/api/orders"}
    good = metrics.durations("http_request_seconds", "Requests.", **route, status="201")
    bad = metrics.durations("http_request_seconds", "Requests.", **route, status="503")
    for _ in range(99):
        good.observe(0.02)
    bad.observe(0.02)
    embedded.tell(1_000)
    embedded.tell(1_000 + EVERY_MS)

    (line,) = [line for line in told if line.get("kind") == "route"]
    assert (line["verb"], line["route"], line["process"]) == ("POST", "/api/orders", "order")
    assert (line["requests"], line["faults"]) == (100, 1)
    assert 15 <= line["latency_ms_p99"] <= 25
    assert "_aws" not in line


async def test_a_shop_tells_orders_revenue_and_refusals_by_reason(tmp_path, told):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 2, price_minor=250)
    assert (await ada.order(("croissant", 2))).status == 201
    assert (await ada.order(("croissant", 1))).status == 409
    await shop.deliver()
    embedded = EmbeddedMetrics(
        shop.telemetry.metrics, "shop", lambda line: told.append(json.loads(line)), place={}
    )
    embedded.tell(shop.clock.now_ms())

    assert [line["revenue_minor"] for line in named(told, "currency")] == [500]
    assert {line["outcome"]: line["orders"] for line in named(told, "outcome")} == {
        "paid": 1,
        "rejected": 1,
    }
    assert [line["reason"] for line in named(told, "order_refusals")] == ["out-of-stock"]
    scraped = (await shop.stranger().get("/metrics")).body.decode()
    assert 'emporion_revenue_minor_total{currency="EUR"} 500' in scraped
    assert 'emporion_order_refusals_total{reason="out-of-stock"} 1' in scraped
    await shop.close()

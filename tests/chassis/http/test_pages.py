"""Health pages run real probes; the other pages show what they are given."""

import asyncio

import pytest

from emporion.chassis.http import health
from emporion.chassis.http.health import Health, health_pages
from emporion.chassis.http.pages import index_page, metrics_page, openapi_page
from emporion.chassis.testing.asgi import AsgiClient
from emporion.kernel.errors import Unavailable


async def fine() -> None:
    """A part that is usable."""


async def away() -> None:
    raise Unavailable("the disk is full")


async def broken() -> None:
    raise KeyError("a secret")


async def stuck() -> None:
    await asyncio.Event().wait()


def client_of(sample, **parts):
    return AsgiClient(sample.build(health_pages(Health(**parts))))


async def test_a_process_is_ready_when_every_probe_is(sample):
    client = client_of(sample, ready={"order": {"database": fine}, "user": {"keys": fine}})

    answer = await client.get("/readyz")

    assert answer.status == 200
    assert answer.json() == {
        "status": "ok",
        "services": {"order": {"database": {"is_ok": True}}, "user": {"keys": {"is_ok": True}}},
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("probe", "problem"), [(away, "the disk is full"), (broken, "KeyError"), (stuck, "no answer")]
)
async def test_a_failing_probe_makes_its_service_and_the_process_unready(
    sample, monkeypatch, *, probe, problem
):
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.01)
    client = client_of(sample, ready={"order": {"database": probe}, "user": {"keys": fine}})

    whole, order, user = [await client.get(f"/readyz{path}") for path in ("", "/order", "/user")]

    assert (whole.status, order.status, user.status) == (503, 503, 200)
    assert order.json()["services"]["order"]["database"]["problem"].startswith(problem)
    assert b"secret" not in whole.body


async def test_readiness_says_why_there_is_no_traffic(sample):
    client = client_of(sample, ready={"order": {"database": fine}}, closed=lambda: "draining")

    ready, live = await client.get("/readyz"), await client.get("/livez")

    assert (ready.status, ready.json()["status"]) == (503, "draining")
    assert live.status == 200


async def test_liveness_has_probes_of_its_own(sample):
    client = client_of(
        sample, ready={"order": {"database": away}}, live={"order": {"writer": broken}}
    )

    assert (await client.get("/livez")).status == 503
    assert (await client.get("/livez/order")).status == 503


async def test_an_unknown_service_is_not_found(sample):
    client = client_of(sample, ready={"order": {}})

    assert (await client.get("/readyz/nonsense")).status == 404
    assert (await client.get("/livez/order")).json()["services"] == {"order": {}}


async def test_the_plain_pages_show_what_they_are_given(sample):
    pages = (
        metrics_page(lambda: b"up 1\n"),
        openapi_page(lambda: {"openapi": "3.1.0"}),
        index_page({"hello": "order something"}),
    )
    client = AsgiClient(sample.build(pages))

    metrics, openapi, index = [
        await client.get(path) for path in ("/metrics", "/openapi.json", "/")
    ]

    assert metrics.body == b"up 1\n"
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openapi.json() == {"openapi": "3.1.0"}
    assert index.body.endswith(b"}\n")


def test_two_routes_for_one_address_are_refused_when_built(sample):
    page = index_page({})

    with pytest.raises(ValueError, match="two routes for GET /"):
        sample.build((page, page))

"""The real proxy: by path to the right process, never to a dead one, a command never twice."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from emporion.platform.supervisor.local_shop import LocalShop
from emporion.platform.supervisor.part import StartFailed
from tests.platform.supervisor.conftest import (
    BACK,
    ask,
    behave,
    eventually,
    open_shop,
    topology_text,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
SHARED = BACK
ELSEWHERE = ", ".join(f"{name}: {{kind: postgres, address: env:DSN_OF_{name}}}" for name in SHARED)
"""Databases that nobody opens: the fakes have none."""
TWO_AT_THE_BACK = topology_text(instances=2, engines=f"{{default: sqlite, {ELSEWHERE}}}")
HEALTH_BOUND_S = 5.0
"""Two looks of half a second, each of which may take two: the worst that is configured."""


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SHARED:
        monkeypatch.setenv(f"DSN_OF_{name}", f"postgresql://127.0.0.1:1/{name}")


@pytest.fixture
async def shop(data: Path, said: list[str]) -> AsyncIterator[LocalShop]:
    """One process in front, two at the back."""
    async with open_shop(data, said, text=TWO_AT_THE_BACK) as opened:
        yield opened


async def who_answers(shop: LocalShop, *, asked: int = 12) -> set[object]:
    """The instances at the back that answer queries; a failure is one of them."""
    found: set[object] = set()
    for _ in range(asked):
        status, body = await ask(shop, "/api/orders")
        found.add(body.get("instance") if status == 200 else status)
    return found


async def answered_only_by(shop: LocalShop, wanted: set[str], *, within_s: float) -> None:
    """Until these and no others answer; then nothing else does any more."""
    async with asyncio.timeout(within_s):
        while await who_answers(shop) != wanted:
            pass
    assert await who_answers(shop, asked=40) == wanted


async def test_requests_go_by_path_to_the_process_of_the_service(shop: LocalShop) -> None:
    for path, process in (
        ("/api/products/prd_1", "front"),
        ("/.well-known/jwks.json", "front"),
        ("/api/inventory/levels", "back"),
        ("/api/payments/ledger/balances", "back"),
        ("/api/operations/sagas", "back"),
    ):
        status, body = await ask(shop, path)
        assert status == 200
        assert str(body["instance"]).startswith(process), path
    assert await who_answers(shop) == {"back-1", "back-2"}


async def test_an_instance_that_turns_unready_gets_no_traffic_until_it_is_ready_again(
    shop: LocalShop,
) -> None:
    unready = behave(shop, "back-1", "unready")
    await answered_only_by(shop, {"back-2"}, within_s=HEALTH_BOUND_S * 4)

    unready.unlink()
    await answered_only_by(shop, {"back-1", "back-2"}, within_s=HEALTH_BOUND_S * 4)


async def test_when_none_is_ready_nobody_is_asked(shop: LocalShop) -> None:
    for instance in ("back-1", "back-2"):
        behave(shop, instance, "unready")
    await answered_only_by(shop, {503}, within_s=HEALTH_BOUND_S * 4)  # type: ignore[arg-type]

    _, problem = await ask(shop, "/api/orders")
    assert problem["type"] == "urn:emporion:problem:unavailable"
    assert (await ask(shop, "/api/products"))[0] == 200


async def test_a_killed_instance_costs_queries_nothing_and_comes_back(shop: LocalShop) -> None:
    os.kill(shop.supervisor.kept["back-1"].pid, signal.SIGKILL)

    assert await who_answers(shop, asked=60) <= {"back-1", "back-2"}
    await eventually(lambda: shop.supervisor.kept["back-1"].restarts == 1)
    await answered_only_by(shop, {"back-1", "back-2"}, within_s=HEALTH_BOUND_S * 4)


async def test_a_change_that_cannot_be_written_is_told_as_soon_as_it_can(
    shop: LocalShop, data: Path
) -> None:
    told = data / "run" / "edge" / "endpoints"
    in_the_way = [file.with_suffix(".new") for file in told.glob("*.json")]
    for path in in_the_way:
        path.mkdir()
    os.kill(shop.supervisor.kept["back-1"].pid, signal.SIGKILL)
    await eventually(lambda: shop.supervisor.kept["back-1"].restarts == 1)

    for path in in_the_way:
        path.rmdir()

    await answered_only_by(shop, {"back-1", "back-2"}, within_s=HEALTH_BOUND_S * 4)


async def test_an_instance_that_drains_is_left_before_it_closes_its_door(shop: LocalShop) -> None:
    kept = shop.supervisor.kept["back-1"]
    os.kill(kept.pid, signal.SIGTERM)
    statuses = set()
    async with aiohttp.ClientSession() as session:
        while kept.restarts == 0:
            async with session.post(f"{shop.url}/api/orders", data=b"{}") as answer:
                statuses.add(answer.status)

    assert statuses == {200}


async def test_a_roll_fails_no_command(data: Path, said: list[str]) -> None:
    one_at_the_back = topology_text(engines=f"{{default: sqlite, {ELSEWHERE}}}")
    async with open_shop(data, said, text=one_at_the_back) as shop:
        for successor in ("back-1b", "back-1"):
            rolling = asyncio.create_task(shop.supervisor.roll())
            statuses = set()
            async with aiohttp.ClientSession() as session:
                while not rolling.done():
                    async with session.post(f"{shop.url}/api/orders", data=b"{}") as answer:
                        statuses.add(answer.status)
            await rolling
            assert statuses == {200}
            assert (await ask(shop, "/api/orders"))[1]["instance"] == successor


async def test_an_instance_that_the_edge_does_not_find_takes_nobodys_place(
    data: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emporion.platform.edge.envoy.FOUND_S_MAX", 0.0)
    one_at_the_back = topology_text(engines=f"{{default: sqlite, {ELSEWHERE}}}")
    async with open_shop(data, said, text=one_at_the_back) as shop:
        with pytest.raises(StartFailed, match="the edge has not found http://127"):
            await shop.supervisor.roll()

        assert (await ask(shop, "/api/orders"))[1]["instance"] == "back-1"
        assert set(shop.supervisor.kept) == {"front-1", "back-1", "nats", "edge"}


async def test_an_instance_that_comes_gets_its_share(data: Path, said: list[str]) -> None:
    (data / "processes" / "back-2").mkdir(parents=True)
    async with open_shop(data, said, text=TWO_AT_THE_BACK) as shop:
        os.kill(shop.supervisor.kept["back-2"].pid, signal.SIGKILL)
        crash = behave(shop, "back-2", "crash")
        await answered_only_by(shop, {"back-1"}, within_s=HEALTH_BOUND_S * 4)

        crash.unlink()
        await answered_only_by(shop, {"back-1", "back-2"}, within_s=HEALTH_BOUND_S * 8)


async def test_a_command_that_is_cut_off_is_not_sent_again(shop: LocalShop) -> None:
    for instance in ("back-1", "back-2"):
        behave(shop, instance, "reset")

    status, _ = await ask(shop, "/api/orders", verb="POST", body=b"{}")

    counted = [
        len(file.read_text().splitlines())
        for instance in ("back-1", "back-2")
        if (file := shop.folders.own(instance) / "posts").exists()
    ]
    assert status == 503
    assert sum(counted) == 1


async def test_a_body_beyond_the_limit_of_its_method_is_refused_at_the_edge(
    shop: LocalShop,
) -> None:
    large = b"x" * (256 * 1024 + 1)

    status, problem = await ask(shop, "/api/orders", verb="POST", body=large)
    assert (status, problem["type"]) == (413, "urn:emporion:problem:body-too-large")

    status, seen = await ask(shop, "/api/products/import", verb="POST", body=large)
    assert (status, seen["bytes"]) == (200, len(large))


async def test_the_way_of_a_request_can_be_followed(shop: LocalShop) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": trace, "x-request-id": "req-7", "authorization": "Bearer s3cret"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{shop.url}/api/orders?email=a@b.c", headers=headers) as answer,
    ):
        seen = await answer.json()
        assert answer.headers["x-request-id"] == "req-7"

    passed = {name.lower(): value for name, value in seen.items()}
    assert (passed["traceparent"], passed["x-request-id"]) == (trace, "req-7")
    log = shop.folders.logs / "access.log"
    await eventually(lambda: log.exists() and "req-7" in log.read_text())
    text = log.read_text()
    line = next(entry for entry in map(json.loads, text.splitlines()) if entry["status"] == 200)
    assert (line["path"], line["process"], line["traceparent"]) == ("/api/orders", "back", trace)
    assert "a@b.c" not in text
    assert "s3cret" not in text


async def test_a_client_cannot_pass_for_another_address(shop: LocalShop) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{shop.url}/api/orders", headers={"x-forwarded-for": "203.0.113.9"}
        ) as answer,
    ):
        seen = {name.lower(): value for name, value in (await answer.json()).items()}

    # For a client on loopback Envoy writes the machine's own address.
    claimed, _, seen_by_envoy = str(seen["x-forwarded-for"]).partition(",")
    assert claimed == "203.0.113.9"
    assert seen_by_envoy


async def test_the_descriptions_are_there_while_no_process_is(shop: LocalShop) -> None:
    for instance in ("front-1", "back-1", "back-2"):
        behave(shop, instance, "unready")

    _, index = await ask(shop, "/")
    status, document = await ask(shop, "/openapi.json")

    assert index["api"] == "/openapi.json"
    assert status == 200
    assert "/api/orders" in document["paths"]  # type: ignore[operator]
    assert "/api/products" in document["paths"]  # type: ignore[operator]


async def test_nothing_of_the_administration_is_reached_by_clients(shop: LocalShop) -> None:
    for path in ("/metrics", "/readyz", "/stats", "/quitquitquit", "/config_dump"):
        status, problem = await ask(shop, path)
        assert (status, problem["type"]) == (404, "urn:emporion:problem:no-such-route")


async def test_a_request_in_flight_is_answered_while_the_shop_ends(
    data: Path, said: list[str]
) -> None:
    async with open_shop(data, said, text=topology_text()) as shop:
        behave(shop, "back-1", "slow", "1.5")
        asked = asyncio.create_task(ask(shop, "/api/orders", verb="POST", body=b"{}"))
        posts = shop.folders.own("back-1") / "posts"
        await eventually(posts.exists)
        await shop.supervisor.stop()
        assert (await asked)[0] == 200

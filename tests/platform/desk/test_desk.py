"""The desk of operations: stuck sagas are seen and called off, and every deed is kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.events import feed
from emporion.chassis.events.bus import Lag
from emporion.chassis.events.desk import prune_outbox
from emporion.kernel.clock import to_datetime
from emporion.platform.desk import rehearsing, telling
from tests.defects.people import Person, slug_of
from tests.defects.whole_shop import WholeShop
from tests.platform.test_operations import (
    API,
    BODIES,
    UNKNOWN_SAGA,
    ask_every_process,
    fail_for_good,
    lag_of,
)


@pytest.fixture(params=["one process", "every process"])
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[WholeShop]:
    """An open shop with something to buy."""
    whole = WholeShop(tmp_path / "shop")
    whole.allows_faults = True
    await whole.open()
    if request.param == "every process":
        ask_every_process(whole)
    await whole.stock("croissant", 9)
    yield whole
    await whole.close()


@pytest.fixture
async def operator(shop: WholeShop) -> Person:
    return await shop.operator()


async def stuck(shop: WholeShop) -> tuple[Person, str]:
    """A customer and an order whose charge got no answer."""
    ada = await shop.customer("Ada")
    shop.provider.is_charge_down = True
    return ada, (await ada.order(("croissant", 2))).json()["order_id"]


async def test_a_stuck_saga_tells_its_steps_and_what_is_held_for_it(shop, operator):
    _, order_id = await stuck(shop)

    told = (await operator.get(f"{API}/sagas/{order_id}")).json()
    assert (told["state"], told["step"], told["order_id"]) == (
        "running",
        "charge payment",
        order_id,
    )
    assert [step["name"] for step in told["steps"]][:3] == [
        "open order",
        "reserve inventory",
        "charge payment",
    ]
    assert (told["units_held"], told["money_held"]) == (2, None)
    assert told["last_error"]
    assert "tok_ok" not in str(told)

    for query, count in (
        ("is_stuck=true", 1),
        ("name=create-order&state=running", 1),
        ("name=cancel-order", 0),
        ("state=compensating", 0),
        ("service=payment", 0),
    ):
        listed = (await operator.get(f"{API}/sagas?{query}")).json()["sagas"]
        assert [saga["units_held"] for saga in listed] == [2] * count, query
    assert slug_of(await operator.get(f"{API}/sagas/{UNKNOWN_SAGA}")) == "not-found"


@pytest.mark.parametrize("ill", ["payment", "inventory"])
async def test_who_hangs_is_told_as_not_known_and_keeps_nobody_from_calling_off(
    shop, operator, ill
):
    _, order_id = await stuck(shop)
    path = f"{API}/sagas/{order_id}"
    fault = {"kind": "hang", "duration_s": 60}
    assert (await operator.send("PUT", f"{API}/faults/{ill}", fault)).status == 200
    begun_s = shop.clock.monotonic_s()

    (listed,) = (await operator.get(f"{API}/sagas")).json()["sagas"]
    listed_s = shop.clock.monotonic_s()
    (again,) = (await operator.get(f"{API}/sagas")).json()["sagas"]
    again_s = shop.clock.monotonic_s()
    told = (await operator.get(path)).json()
    off = await operator.send("POST", f"{path}/compensate", {"reason": "it hangs"})

    known = (ill != "payment", ill != "inventory")
    for saga in (listed, again, told, off.json()):
        assert (saga["is_money_known"], saga["is_units_known"]) == known
        assert (saga["money_held"], saga["units_held"]) == (None, 2 if known[1] else 0)
    assert (off.status, off.json()["state"]) == (200, "compensating")
    assert listed_s - begun_s < 1
    assert again_s == listed_s, "they were asked again at once"


async def test_a_called_off_saga_undoes_all_and_can_never_charge_later(shop, operator):
    ada, order_id = await stuck(shop)
    reason = {"reason": "the provider is gone"}

    first = await operator.send("POST", f"{API}/sagas/{order_id}/compensate", reason)
    again = await operator.send("POST", f"{API}/sagas/{order_id}/compensate", reason)
    assert (first.status, first.json()["state"], again.json()["state"]) == (
        200,
        *["compensating"] * 2,
    )
    shop.provider.is_charge_down = False
    await shop.take_up_sagas()

    order = (await ada.get(f"/api/orders/{order_id}")).json()
    assert (order["status"], order["refusal"]["slug"]) == ("rejected", "called-off")
    assert "the provider is gone" not in str(order), "why is the staff's to read"
    over = await operator.send("POST", f"{API}/sagas/{order_id}/compensate", reason)
    assert (over.status, slug_of(over)) == (409, "saga-is-over")
    (deed,) = (await operator.get(f"{API}/deeds")).json()["deeds"]
    assert (deed["actor"], deed["action"], deed["subject"], deed["reason"]) == (
        operator.user_id,
        "compensate",
        order_id,
        "the provider is gone",
    )
    assert await shop.audit() == []


async def test_calling_a_saga_off_needs_a_reason_and_a_saga(shop, operator):
    _, order_id = await stuck(shop)
    path = f"{API}/sagas/{order_id}/compensate"
    assert (await operator.send("POST", path, {})).status == 422
    assert (await operator.send("POST", path, {"reason": ""})).status == 422
    unknown = f"{API}/sagas/{UNKNOWN_SAGA}/compensate"
    assert (await operator.send("POST", unknown, {"reason": "x"})).status == 404


async def test_a_dry_run_tells_what_would_be_delivered_and_changes_nothing(shop, operator):
    (order_id,) = await fail_for_good(shop, 1)
    redrive, replay = (f"{API}/subscribers/email/{verb}" for verb in ("redrive", "replay"))
    since = {"publisher": "order", "since": "2026-01-01T00:00:00Z"}

    for _ in range(2):
        told = (await operator.send("POST", redrive, {"is_dry_run": True})).json()
        assert told == {"events": 1, "keys": [order_id], "is_dry_run": True}
        told = (await operator.send("POST", replay, {**since, "is_dry_run": True})).json()
        assert (told["events"], told["keys"], told["is_dry_run"]) == (1, [order_id], True)
    later = {**since, "since": "2026-01-09T00:00:00Z", "is_dry_run": True}
    assert (await operator.send("POST", replay, later)).json()["events"] == 0

    assert (await lag_of(operator, "order", "email"))["dead"] == 1
    assert (await operator.get(f"{API}/deeds")).json()["deeds"] == []


async def test_whatever_is_done_to_a_subscriber_is_listed_with_who_and_why(shop, operator):
    for verb, body in BODIES.items():
        path = f"{API}/subscribers/email/{verb}"
        assert (await operator.send("POST", path, {**body, "reason": f"to {verb}"})).status < 300
    await operator.send("POST", f"{API}/subscribers/inventory/pause", {"speaks_for": "usr_evil"})

    deeds: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await operator.get(f"{API}/deeds?limit=2&cursor={cursor}")).json()
        deeds += page["deeds"]
        cursor = page["next_cursor"]
        if not cursor:
            break

    told = {(deed["subject"], deed["action"], deed["reason"]) for deed in deeds}
    assert told == {("inventory", "pause", ""), *(("email", v, f"to {v}") for v in BODIES)}
    assert len(deeds) == len(BODIES) + 1
    assert {deed["actor"] for deed in deeds} == {operator.user_id}
    assert (await operator.get(f"{API}/deeds?cursor=nonsense")).status == 400


async def test_much_that_waits_is_counted_once_for_all_who_look_until_something_is_done(
    shop, operator, monkeypatch
):
    ada = await shop.customer("Ada")
    for _ in range(3):
        await ada.order(("croissant", 1))
    monkeypatch.setattr(feed, "WAITING_MAX", 2)
    monkeypatch.setattr(telling, "LONG_FROM", 2)
    count, counted = shop.shop.bus.lag, 0

    async def counting() -> list[Lag]:
        nonlocal counted
        counted += 1
        found: list[Lag] = await count()
        return found

    monkeypatch.setattr(shop.shop.bus, "lag", counting)

    for _ in range(2):
        email = await lag_of(operator, "order", "email")
        assert (email["waiting"], email["is_more_waiting"], email["is_paused"]) == (2, True, False)
    assert counted == 1
    await operator.send("POST", f"{API}/subscribers/email/pause", {"reason": "too much"})
    assert (await lag_of(operator, "order", "email"))["is_paused"]
    assert counted == 2
    await shop.pass_time(6)
    await lag_of(operator, "order", "email")
    assert counted == 3


async def test_a_dry_run_of_a_replay_looks_from_its_instant_on_up_to_a_bound_and_gives_way(
    shop, operator, monkeypatch
):
    ada = await shop.customer("Ada")
    for _ in range(3):
        await ada.order(("croissant", 1))
    await shop.pass_time(3600)
    since = {"publisher": "order", "since": told_at(shop), "is_dry_run": True}
    latest = [(await ada.order(("croissant", 1))).json()["order_id"] for _ in range(2)]
    monkeypatch.setattr(rehearsing, "PAGE", 1)
    looked = []
    read = SqliteDatabase.read
    path = f"{API}/subscribers/email/replay"

    async def noting(self: SqliteDatabase, work: Any) -> Any:
        found = await read(self, work)
        if getattr(work, "func", None) is rehearsing._rows:
            looked.append(tuple(found))
        return found

    monkeypatch.setattr(SqliteDatabase, "read", noting)
    answer = (await operator.send("POST", path, since)).json()
    assert (answer["events"], answer["keys"], answer["is_more"]) == (2, latest, False)
    assert len(looked) == 3, "it looked at what came before that instant"
    real = (await operator.send("POST", path, {**since, "is_dry_run": False})).json()
    assert real["position"] == answer["position"] > 0

    monkeypatch.setattr(rehearsing, "LOOKED_AT_MAX", 1)
    answer = (await operator.send("POST", path, since)).json()
    assert (answer["events"], answer["is_more"]) == (1, True)


async def test_a_dry_run_gives_way_between_pages(shop, operator, monkeypatch):
    ada = await shop.customer("Ada")
    for _ in range(3):
        await ada.order(("croissant", 1))
    monkeypatch.setattr(rehearsing, "PAGE", 1)
    rests = 0
    sleep = shop.tasks.sleep

    async def resting(duration_s: float) -> None:
        nonlocal rests
        rests += duration_s == 0
        await sleep(duration_s)

    monkeypatch.setattr(shop.tasks, "sleep", resting)
    body = {"publisher": "order", "since": "2026-01-01T00:00:00Z", "is_dry_run": True}
    answer = await operator.send("POST", f"{API}/subscribers/email/replay", body)
    assert answer.json()["events"] == 3
    assert rests >= 3


async def test_a_dry_run_is_refused_where_the_replay_would_be(shop, operator):
    ada = await shop.customer("Ada")
    for _ in range(3):
        await ada.order(("croissant", 1))
    await shop.deliver()
    head = "SELECT max(position) FROM outbox"
    order = shop.shop.databases["order"]
    ((newest,),) = await order.read(lambda tx: tx.fetch(head))
    await prune_outbox(order, below=newest)
    body = {"publisher": "order", "since": "2026-01-01T00:00:00Z"}
    answers = [
        await operator.send(
            "POST", f"{API}/subscribers/email/replay", {**body, "is_dry_run": is_dry}
        )
        for is_dry in (True, False)
    ]
    assert [(it.status, slug_of(it)) for it in answers] == [(409, "history-pruned")] * 2


def told_at(shop: WholeShop) -> str:
    return to_datetime(shop.clock.now_ms()).isoformat()


async def test_deeds_are_told_by_time_over_all_services_and_by_what_they_are_about(shop, operator):
    async def pause(subscriber: str, count: int) -> None:
        for number in range(count):
            body = {"reason": f"{subscriber} {number}"}
            path = f"{API}/subscribers/{subscriber}/pause"
            assert (await operator.send("POST", path, body)).status == 204

    async def reasons(query: str) -> tuple[list[str], str]:
        page = (await operator.get(f"{API}/deeds?{query}")).json()
        return [deed["reason"] for deed in page["deeds"]], page["next_cursor"]

    await pause("analytics", 3)
    await pause("webhook", 1)
    await pause("analytics", 2)

    newest, cursor = await reasons("limit=3")
    older, end = await reasons(f"limit=3&cursor={cursor}")
    assert newest == ["analytics 1", "analytics 0", "webhook 0"]
    assert (older, end) == (["analytics 2", "analytics 1", "analytics 0"], "")
    assert await reasons("subject=webhook&limit=1") == (["webhook 0"], "")
    assert await reasons("service=webhook&limit=1") == (["webhook 0"], "")
    assert await reasons("service=webhook&subject=analytics") == ([], "")
    about, more = await reasons("service=analytics&subject=analytics&limit=4")
    assert about == ["analytics 1", "analytics 0", "analytics 2", "analytics 1"] and more
    for cursor in ("order:", "deed_1", "evt_" + "0" * 32):
        assert (await operator.get(f"{API}/deeds?cursor={cursor}")).status == 400

"""Faults on purpose: the shop survives each kind, and each is told, bounded and over in time."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.calls.inbound import ServedMethod
from emporion.chassis.testing.asgi import Answer
from emporion.contracts.operations_faults import DURATION_S_MAX, FaultKind
from emporion.contracts.payment import PaymentService
from tests.defects.books import Mail
from tests.defects.people import Person, slug_of
from tests.defects.whole_shop import WholeShop
from tests.platform.test_operations import API, ask_every_process

FAULTS = f"{API}/faults"
LISTENERS = ("email", "fraud", "recommendation", "analytics")
KINDS = [kind.value for kind in FaultKind]
SOON_S = 150
"""What failed for a few seconds has been tried again by then."""


EVERYWHERE = pytest.mark.parametrize("shop", ["one process", "every process"], indirect=True)


@pytest.fixture
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[WholeShop]:
    """An open shop in which faults are allowed, with something to buy."""
    whole = WholeShop(tmp_path / "shop")
    whole.allows_faults = True
    await whole.open()
    if getattr(request, "param", "") == "every process":
        ask_every_process(whole)
    await whole.stock("croissant", 9)
    yield whole
    await whole.close()


@pytest.fixture
async def operator(shop: WholeShop) -> Person:
    return await shop.operator()


async def switch_on(operator: Person, service: str, kind: str, **more: object) -> Answer:
    return await operator.send("PUT", f"{FAULTS}/{service}", {"kind": kind, **more})


async def on(operator: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await operator.get(FAULTS)).json()["faults"]
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_is_taken_at_once_whatever_ails_those_who_only_listen(shop, operator, kind):
    ada = await shop.customer("Ada")
    await shop.start()
    for service in LISTENERS:
        ill = await switch_on(operator, service, kind, latency_ms=20_000, duration_s=20)
        assert ill.status == 200
    before_s = shop.clock.monotonic_s()

    bought = await ada.order(("croissant", 1))

    assert (bought.status, bought.json()["status"]) == (201, "paid")
    assert shop.clock.monotonic_s() - before_s < 1
    await shop.pass_time(10)
    assert await shop.mails() == []
    await shop.pass_time(SOON_S)
    (mail,) = await shop.mails()
    assert mail[:2] == ("order-confirmation", bought.json()["order_id"])
    assert await on(operator) == []
    assert await shop.audit() == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_order_waits_while_payment_is_ill_and_is_paid_once_it_is_well(
    shop, operator, kind
):
    ada = await shop.customer("Ada")
    await shop.start()
    assert (await switch_on(operator, "payment", kind, latency_ms=30_000)).status == 200

    placed = await ada.order(("croissant", 2))

    order_id = placed.json()["order_id"]
    assert (placed.status, placed.json()["status"]) == (202, "pending")
    cleared = await operator.send("DELETE", f"{FAULTS}/payment")
    await shop.pass_time(SOON_S)
    assert cleared.status == 204
    assert (await ada.get(f"/api/orders/{order_id}")).json()["status"] == "paid"
    assert await shop.audit() == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_ends_by_itself(shop, operator, kind):
    ada = await shop.customer("Ada")
    await switch_on(operator, "payment", kind, latency_ms=30_000, duration_s=30)
    assert (await ada.order(("croissant", 1))).status == 202

    await shop.pass_time(31)

    assert await on(operator) == []
    assert (await ada.order(("croissant", 1))).status == 201


@EVERYWHERE
async def test_a_hung_call_goes_on_when_the_fault_is_cleared(shop, operator):
    ada = await shop.customer("Ada")
    await switch_on(operator, "payment", "hang")

    async def clear() -> Answer:
        await shop.tasks.sleep(0.5)
        cleared: Answer = await operator.send("DELETE", f"{FAULTS}/payment")
        return cleared

    placed, cleared = await shop.all([ada.order(("croissant", 1)), clear()])

    assert (placed.status, placed.json()["status"], cleared.status) == (201, "paid", 204)


@EVERYWHERE
async def test_a_list_tells_what_is_on_for_how_long_by_whom_and_why(shop, operator):
    assert (await operator.get(FAULTS)).json()["services"] == sorted(shop.shop.databases)
    await switch_on(
        operator,
        "fraud",
        "latency",
        latency_ms=200,
        jitter_ms=100,
        share_percent=25,
        reason="drill",
    )
    await shop.pass_time(10)

    (fault,) = await on(operator)

    assert (fault["service"], fault["kind"]) == ("fraud", "latency")
    assert fault["effect"] == "25 % of its calls and batches of events are 200 to 300 ms late"
    assert (fault["actor"], fault["reason"]) == (operator.user_id, "drill")
    assert fault["left_s"] == pytest.approx(50, abs=1)
    assert fault["processes"] == ["shop"]


@EVERYWHERE
async def test_a_second_fault_takes_the_place_of_the_first(shop, operator):
    ada = await shop.customer("Ada")
    await switch_on(operator, "payment", "hang", duration_s=5)
    await switch_on(operator, "payment", "errors", error="internal", duration_s=60)
    await shop.pass_time(10)

    assert [fault["kind"] for fault in await on(operator)] == ["errors"]
    assert (await ada.order(("croissant", 1))).status == 202


async def test_some_calls_fail_and_others_do_not(shop, operator):
    await switch_on(operator, "recommendation", "errors", share_percent=50)
    target = "/api/recommendations/croissant"

    statuses = [(await operator.get(target)).status for _ in range(40)]

    assert set(statuses) == {200, 503}


async def test_reactions_that_fail_are_made_later(shop, operator):
    ada = await shop.customer("Ada")
    await switch_on(operator, "email", "errors")
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    await shop.deliver()
    lags = (await operator.get(f"{API}/subscribers")).json()["subscribers"]
    assert {lag["subscriber"]: lag["parked"] for lag in lags if lag["publisher"] == "order"}[
        "email"
    ] == 1

    await operator.send("DELETE", f"{FAULTS}/email")
    await shop.pass_time(SOON_S)
    await shop.deliver()

    assert await shop.mails() == [Mail("order-confirmation", order_id, "queued")]


@EVERYWHERE
async def test_who_switched_what_on_and_why_is_a_deed_and_in_the_log(shop, operator, caplog):
    caplog.set_level(logging.INFO, logger="emporion.platform.operations")
    await switch_on(operator, "email", "hang", reason="drill", duration_s=5)
    await operator.send("DELETE", f"{FAULTS}/email")
    await switch_on(operator, "fraud", "crash", duration_s=5)
    await shop.pass_time(6)

    said = [record.getMessage() for record in caplog.records]
    assert "the fault 'hang' is on in email for 5 s" in said
    assert "the fault in email is cleared" in said
    assert "the fault in fraud is over: its time is up" in said
    assert {vars(record)["actor"] for record in caplog.records} == {operator.user_id}
    deeds = (await operator.get(f"{API}/deeds")).json()["deeds"]
    told = [(deed["service"], deed["action"], deed["reason"], deed["actor"]) for deed in deeds]
    assert told == [
        ("fraud", "switch on", "", operator.user_id),
        ("email", "clear", "", operator.user_id),
        ("email", "switch on", "drill", operator.user_id),
    ]


async def test_a_shop_in_which_faults_are_not_allowed_says_how_to_allow_them(tmp_path):
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    operator = await whole.operator()

    refused = await switch_on(operator, "email", "hang")

    assert (refused.status, slug_of(refused)) == (409, "faults-not-allowed")
    for way in ("--allow-faults", "EMPORION_ALLOW_FAULTS=true", "`faults: on`"):
        assert way in refused.json()["detail"]
    assert (await operator.get(FAULTS)).json()["is_allowed"] is False
    assert (await operator.send("DELETE", f"{FAULTS}/email")).status == 204
    await whole.close()


@EVERYWHERE
@pytest.mark.parametrize(
    ("service", "wanted", "status"),
    [
        ("nobody", {"kind": "hang"}, 404),
        ("operations", {"kind": "hang"}, 404),
        ("email", {"kind": "fire"}, 422),
        ("email", {}, 422),
        ("email", {"kind": "hang", "duration_s": DURATION_S_MAX + 1}, 422),
        ("email", {"kind": "hang", "duration_s": 0}, 422),
        ("email", {"kind": "errors", "error": "not-found"}, 422),
        ("email", {"kind": "errors", "share_percent": 0}, 422),
        ("email", {"kind": "latency", "latency_ms": 30_001}, 422),
    ],
)
async def test_what_makes_no_fault_is_refused(shop, operator, service, wanted, status):
    answer = await operator.send("PUT", f"{FAULTS}/{service}", wanted)

    assert answer.status == status
    assert await on(operator) == []


async def test_calls_go_straight_to_the_service_before_and_after_a_fault(shop, operator):
    ada = await shop.customer("Ada")
    assert (await ada.order(("croissant", 1))).status == 201
    inbound = shop.shop.directory.find(PaymentService)
    served: list[ServedMethod] = inbound._served
    plain = [method.target for method in served]
    own = [getattr(inbound._implementation, method.name) for method in served]
    assert served
    assert plain == own

    await switch_on(operator, "payment", "errors")
    assert not [method.name for method in served if method.target in own]

    await operator.send("DELETE", f"{FAULTS}/payment")
    assert [method.target for method in served] == plain


async def test_a_shop_that_stops_does_not_wait_for_a_hung_service(shop, operator):
    ada = await shop.customer("Ada")
    await shop.start()
    await switch_on(operator, "email", "hang", duration_s=600)
    assert (await ada.order(("croissant", 1))).status == 201
    before_s = shop.clock.monotonic_s()

    await shop.live(shop.shop.stop())

    assert shop.clock.monotonic_s() - before_s < 1

"""Who runs a shop sees what is under way in it, and sets it going again, while it runs."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.calls.directory import Directory
from emporion.chassis.testing.asgi import AsgiClient
from emporion.contracts.contract import Retry, rpcs
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_faults import FaultsOfShop
from emporion.platform.desk.faults_everywhere import FaultsEverywhere
from emporion.platform.front import http_app
from emporion.platform.operations_everywhere import WholeShopOperations
from tests.defects.books import Mail
from tests.defects.people import Person
from tests.defects.whole_shop import WholeShop

THREE_DAYS_S = 3 * 86_400.0
API = "/api/operations"
UNKNOWN_SAGA = "ord_" + "0" * 32
BODIES = {
    "redrive": {},
    "pause": {},
    "resume": {},
    "replay": {"publisher": "order", "since": "2026-01-01T00:00:00Z"},
}
ON = {"switch_fault_on": {"kind": "errors"}}


def ask_every_process(whole: WholeShop) -> None:
    """Answer operations as a process does that speaks for services of several processes."""
    shop = whole.shop
    desks = dict.fromkeys(shop.assemblies, shop.operations)
    directory = Directory(shop.directory.chain)

    async def everybody() -> dict[str, FaultsOfShop]:
        return {"shop": shop.operations}

    operations = WholeShopOperations(desks, shop.records, FaultsEverywhere(everybody))
    everywhere = directory.add(OperationsService, operations)
    doors = [door for door in shop.directory.inbounds if door.contract is not OperationsService]
    whole.http = AsgiClient(http_app(shop, lambda: whole.closed, doors=[*doors, everywhere]))


@pytest.fixture(params=["one process", "every process"])
async def shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[WholeShop]:
    """An open shop with something to buy."""
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    if request.param == "every process":
        ask_every_process(whole)
    await whole.stock("croissant", 9)
    yield whole
    await whole.close()


@pytest.fixture
async def operator(shop: WholeShop) -> Person:
    return await shop.operator()


async def fail_for_good(shop: WholeShop, orders: int) -> list[str]:
    """So many orders whose mails became dead letters; their ids."""
    ada = await shop.customer("Ada")
    await shop.break_mails()
    answers = [await ada.order(("croissant", 1)) for _ in range(orders)]
    await shop.deliver()
    shop.clock.advance(THREE_DAYS_S + 1)
    await shop.deliver()
    return [answer.json()["order_id"] for answer in answers]


async def lag_of(operator: Person, publisher: str, subscriber: str) -> dict[str, Any]:
    listed = (await operator.get(f"{API}/subscribers")).json()["subscribers"]
    (found,) = [
        lag for lag in listed if (lag["publisher"], lag["subscriber"]) == (publisher, subscriber)
    ]
    return dict(found)


async def test_a_dead_letter_is_seen_and_after_its_redrive_delivered_once(shop, operator):
    (order_id,) = await fail_for_good(shop, 1)
    assert (await lag_of(operator, "order", "email"))["dead"] == 1
    (letter,) = (await operator.get(f"{API}/dead-letters")).json()["dead_letters"]
    assert (letter["subscriber"], letter["publisher"]) == ("email", "order")
    assert (letter["name"], letter["key"]) == ("orders.created", order_id)
    assert letter["attempts"] > 1
    assert letter["last_error"]
    assert "payload" not in letter

    await shop.mend_mails()
    redrive = f"{API}/subscribers/email/redrive"
    first = await operator.send("POST", redrive, {"event_ids": [letter["event_id"]]})
    await shop.deliver()
    again = await operator.send("POST", redrive)
    await shop.deliver()

    assert (first.json()["events"], again.json()["events"]) == (1, 0)
    assert await shop.mails() == [Mail("order-confirmation", order_id, "queued")]
    assert (await operator.get(f"{API}/dead-letters")).json()["dead_letters"] == []
    assert await shop.audit() == []


async def test_a_redrive_is_narrowed_by_the_name_of_the_event(shop, operator):
    await fail_for_good(shop, 1)

    answers = [
        await operator.send("POST", f"{API}/subscribers/email/redrive", {"name": name})
        for name in ("orders.cancelled", "orders.created")
    ]

    assert [answer.json()["events"] for answer in answers] == [0, 1]


async def test_the_pages_of_dead_letters_show_each_once(shop, operator):
    order_ids = await fail_for_good(shop, 3)
    found, cursor = [], ""
    for _ in range(9):
        target = f"{API}/dead-letters?limit=1" + (f"&cursor={cursor}" if cursor else "")
        page = (await operator.get(target)).json()
        found += [letter["key"] for letter in page["dead_letters"]]
        cursor = page["next_cursor"]
        if not cursor:
            break

    assert sorted(found) == sorted(order_ids)
    assert cursor == ""
    mine = (await operator.get(f"{API}/dead-letters?subscriber=inventory")).json()
    assert mine == {"dead_letters": [], "next_cursor": ""}


async def test_nothing_reaches_a_paused_subscriber_until_it_is_resumed(shop, operator):
    ada = await shop.customer("Ada")
    paused = await operator.send("POST", f"{API}/subscribers/email/pause", {"reason": "no server"})
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    shop.clock.advance(60)
    await shop.deliver()

    lag = await lag_of(operator, "order", "email")
    assert paused.status == 204
    assert lag["is_paused"]
    assert lag["waiting"] == 1
    assert lag["oldest_age_s"] >= 60
    assert await shop.mails() == []

    resumed = await operator.send("POST", f"{API}/subscribers/email/resume")
    await shop.deliver()

    assert resumed.status == 204
    assert not (await lag_of(operator, "order", "email"))["is_paused"]
    assert await shop.mails() == [Mail("order-confirmation", order_id, "queued")]


async def test_a_replay_reacts_again_to_what_came_after_an_instant(shop, operator):
    ada = await shop.customer("Ada")
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    await shop.deliver()
    await shop.write("email", "DELETE FROM mail")

    content = {"publisher": "order", "since": "2000-01-01T00:00:00Z", "reason": "lost mails"}
    answer = await operator.send("POST", f"{API}/subscribers/email/replay", content)
    await shop.deliver()

    assert answer.json()["position"] == 0
    assert await shop.mails() == [Mail("order-confirmation", order_id, "queued")]


async def pending_order(shop: WholeShop) -> str:
    """An order whose payment is not known, as the provider does not answer."""
    ada = await shop.customer("Ada")
    shop.provider.is_charge_down = True
    answer = await ada.order(("croissant", 1))
    assert answer.status == 202
    return str(answer.json()["order_id"])


async def test_a_saga_that_waits_is_listed_and_tried_again_at_once(shop, operator):
    order_id = await pending_order(shop)
    (saga,) = (await operator.get(f"{API}/sagas")).json()["sagas"]
    assert (saga["saga_id"], saga["service"], saga["state"]) == (order_id, "order", "running")
    assert saga["step"] == "charge payment"
    assert saga["attempts"] >= 1
    assert "Unavailable" in saga["last_error"]

    shop.provider.is_charge_down = False
    retried = await operator.send("POST", f"{API}/sagas/{order_id}/retry", {"reason": "mended"})
    await shop.live(shop.shop.engines["order"].run_due())

    assert retried.json()["saga_id"] == order_id
    assert await shop.orders() == {order_id: "paid"}
    assert (await operator.get(f"{API}/sagas")).json()["sagas"] == []
    (over,) = (await operator.get(f"{API}/sagas?is_open=false")).json()["sagas"]
    assert (over["state"], over["next_attempt_at"]) == ("completed", None)


async def test_a_saga_that_is_over_or_unknown_is_not_tried_again(shop, operator):
    ada = await shop.customer("Ada")
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]

    over = await operator.send("POST", f"{API}/sagas/{order_id}/retry")
    unknown = await operator.send("POST", f"{API}/sagas/{UNKNOWN_SAGA}/retry")

    assert (over.status, over.json()["type"]) == (409, "urn:emporion:problem:saga-is-over")
    assert (unknown.status, unknown.json()["type"]) == (404, "urn:emporion:problem:not-found")


@pytest.mark.parametrize("word", BODIES)
async def test_a_subscriber_that_does_not_exist_is_not_found(shop, operator, word):
    for subscriber in ("nobody", "catalog"):
        target = f"{API}/subscribers/{subscriber}/{word}"
        answer = await operator.send("POST", target, BODIES[word])

        assert (answer.status, answer.json()["type"]) == (
            404,
            "urn:emporion:problem:unknown-subscriber",
        )


@pytest.mark.parametrize(
    "target",
    [
        "sagas?cursor=nonsense",
        "sagas?cursor=order:x",
        "sagas?cursor=mail:1",
        "dead-letters?cursor=x",
    ],
)
async def test_a_cursor_from_elsewhere_is_refused(shop, operator, target):
    answer = await operator.get(f"{API}/{target}")

    assert (answer.status, answer.json()["type"]) == (400, "urn:emporion:problem:unknown-cursor")


async def test_only_operators_may_see_or_do_anything_here(shop, operator):
    customer, stranger = await shop.customer("Ada"), shop.stranger()
    for rpc in rpcs(OperationsService).values():
        assert rpc.rest is not None
        target = rpc.rest.path.format(
            subscriber="email", saga_id=UNKNOWN_SAGA, trace_id="f" * 32, service="nobody"
        )
        has_body = rpc.rest.verb in {"POST", "PUT"}
        content = {**(BODIES | ON).get(rpc.name, {}), "reason": "x"} if has_body else None
        statuses = [
            (await who.send(rpc.rest.verb, target, content)).status
            for who in (stranger, customer, operator)
        ]

        assert statuses[:2] == [401, 403], rpc.name
        assert statuses[2] in {200, 204, 404}, rpc.name


async def test_a_write_needs_more_than_the_scope_to_read(shop):
    scopes = {rpc.name: rpc.access.scope for rpc in rpcs(OperationsService).values()}

    assert {name for name, scope in scopes.items() if scope == "operations:read"} == {
        name for name, rpc in rpcs(OperationsService).items() if rpc.retry is Retry.SAFE
    }
    assert set(scopes.values()) == {"operations:read", "operations:write", "faults:write"}
    assert {name for name, scope in scopes.items() if scope == "faults:write"} == {
        "switch_fault_on",
        "clear_fault",
    }


async def test_who_did_what_is_in_the_log_and_why_in_the_deeds_alone(shop, operator, caplog):
    caplog.set_level(logging.INFO, logger="emporion.platform.operations")
    order_id = await pending_order(shop)
    for word, body in BODIES.items():
        content = {**body, "reason": f"to {word}"}
        await operator.send("POST", f"{API}/subscribers/email/{word}", content)
    await operator.send("POST", f"{API}/sagas/{order_id}/retry", {"reason": "to retry"})

    reasons = {*(f"to {word}" for word in BODIES), "to retry"}
    records = [vars(record) for record in caplog.records if "actor" in vars(record)]
    assert len(records) >= len(reasons)
    assert {record["actor"] for record in records} == {operator.user_id}
    assert not any(reason in str(record) for record in records for reason in reasons)
    deeds = (await operator.get(f"{API}/deeds")).json()["deeds"]
    assert {deed["reason"] for deed in deeds} == reasons

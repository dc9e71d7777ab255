"""The desks: what is stuck, given up or held is seen, acted upon with a reason, and said once."""

import pytest
import pytest_asyncio

from emporion.web.console.sections import events, sagas
from tests.defects.whole_shop import WholeShop
from tests.platform.test_operations import fail_for_good
from tests.web.console.desk import Desk, desk_of, hold_everything, without

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = "the provider is gone"
UNKNOWN = "ord_" + "9" * 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory):
    shop = WholeShop(tmp_path_factory.mktemp("desks") / "shop")
    await shop.open()
    await shop.stock("croissant", 500)
    yield shop
    await shop.close()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(shop: WholeShop) -> Desk:
    return await desk_of(shop)


async def stuck(shop: WholeShop, name: str) -> str:
    """An order whose charge got no answer."""
    buyer = await shop.customer(name)
    shop.provider.is_charge_down = True
    order_id: str = (await buyer.order(("croissant", 2))).json()["order_id"]
    shop.provider.is_charge_down = False
    return order_id


async def deeds(shop: WholeShop, subject: str) -> list[tuple[str, str, str]]:
    """What was kept about something: who, what, why."""
    operator = await shop.operator()
    kept = (await operator.get("/api/operations/deeds")).json()["deeds"]
    return [
        ("operator" if deed["actor"] == operator.user_id else "?", deed["action"], deed["reason"])
        for deed in kept
        if deed["subject"] == subject
    ]


async def test_a_stuck_saga_is_found_explained_and_tried_again_with_a_reason(shop, desk):
    order_id = await stuck(shop, "Ann")
    listed = await desk.get("/console/sagas?view=stuck")
    page = await desk.get(f"/console/sagas/{order_id}")

    assert "charge payment" in listed.text and order_id in listed.html
    assert "here, not known to be done" in page.text and "Units held 2" in page.text
    silent = await desk.submit(page, f"/console/sagas/{order_id}/retry")
    assert silent.status == 400 and "Say why" in silent.text
    done = await desk.submit(page, f"/console/sagas/{order_id}/retry", reason=WHY)

    assert "The next attempt is made now" in done.text and WHY in done.text
    await shop.pass_time(1)
    await shop.take_up_sagas()
    assert "It is over" in (await desk.get(f"/console/sagas/{order_id}")).text
    assert await deeds(shop, order_id) == [("operator", "retry", WHY)]
    late = await desk.submit(page, f"/console/sagas/{order_id}/retry", reason=WHY)
    assert late.status == 409 and "The saga is over" in late.text


async def test_what_was_done_to_a_saga_is_shown_however_much_was_done_to_others(
    shop, desk, monkeypatch
):
    monkeypatch.setattr(sagas, "DEEDS_MAX", 1)
    monkeypatch.setattr(events, "DEEDS_MAX", 1)
    order_id = await stuck(shop, "Dan")
    page = await desk.get(f"/console/sagas/{order_id}")
    await desk.submit(page, f"/console/sagas/{order_id}/compensate", reason="it is Dan's wish")
    webhook = await desk.get("/console/events/webhook")
    await desk.submit(webhook, "/console/events/webhook/pause", reason="they are away")
    analytics = await desk.get("/console/events/analytics")
    for verb in ("pause", "resume"):
        action = f"/console/events/analytics/{verb}"
        analytics = await desk.submit(analytics, action, reason="cleaning")

    assert "it is Dan's wish" in (await desk.get(f"/console/sagas/{order_id}")).text
    webhook = await desk.get("/console/events/webhook")
    assert "they are away" in webhook.text
    await desk.submit(webhook, "/console/events/webhook/resume", reason="they are back")


async def test_a_compensation_sent_twice_undoes_once_and_both_are_told_so(shop, desk):
    order_id = await stuck(shop, "Bea")
    page = await desk.get(f"/console/sagas/{order_id}")
    action = f"/console/sagas/{order_id}/compensate"

    first = await desk.submit(page, action, reason=WHY)
    again = await desk.submit(page, action, reason=WHY)

    assert "It is called off" in first.text and "It is called off" in again.text
    assert "being undone" in first.text
    await shop.take_up_sagas()
    order = await desk.get(f"/console/orders/{order_id}")
    assert "rejected" in order.text and "called off" in order.text


async def test_dead_letters_are_seen_rehearsed_and_redriven(shop, desk):
    await shop.deliver()
    dead = await fail_for_good(shop, 2)
    await shop.mend_mails()
    everything = await desk.get("/console/events")
    page = await desk.get("/console/events/email")

    assert everything.text.count("orders.created") == 2 and dead[0] in everything.html
    rehearsed = await desk.post(
        "/console/events/email/redrive",
        {"guard": dict(page.forms["/console/events/email/pause"].fields)["guard"], "dry": "1"},
    )
    assert "Dry run: 2 events would be delivered" in rehearsed.text
    assert "Dead letters Event" in (await desk.get("/console/events/email")).text

    done = await desk.submit(rehearsed, "/console/events/email/redrive", reason=WHY)
    assert "They are delivered again" in done.text and "No dead letters" in done.text
    assert ("operator", "redrive", WHY) in await deeds(shop, "email")


async def test_a_subscriber_is_paused_and_resumed(shop, desk):
    page = await desk.get("/console/events/recommendation")
    paused = await desk.submit(page, "/console/events/recommendation/pause", reason="maintenance")
    assert "Delivery is paused" in paused.text
    assert "paused" in (await desk.get("/console/events/now")).text

    resumed = await desk.submit(paused, "/console/events/recommendation/resume", reason="done")
    assert "Delivery goes on" in resumed.text
    assert [it[1:] for it in await deeds(shop, "recommendation")] == [
        ("resume", "done"),
        ("pause", "maintenance"),
    ]


async def test_a_replay_is_rehearsed_first_and_a_second_click_replays_nothing(shop, desk):
    _ = await (await shop.customer("Cleo")).order(("croissant", 1))
    await shop.deliver()
    page = await desk.get("/console/events/fraud")
    action = "/console/events/fraud/replay"
    dry = await desk.submit(page, action, publisher="order", since="2026-01-01T00:00")
    assert "would be delivered" in dry.text and await deeds(shop, "fraud") == []

    done = await desk.submit(dry, action, reason=WHY)
    again = await desk.submit(dry, action, reason=WHY)

    assert "It reacts again" in done.text and "It reacts again" in again.text
    assert await deeds(shop, "fraud") == [("operator", "replay", WHY)]
    bad = await desk.submit(page, action, publisher="order", since="")
    assert bad.status == 400 and "from which instant" in bad.text.lower()


async def test_a_held_order_is_released_or_rejected_with_the_rules_in_view(shop, desk):
    await hold_everything(shop)
    buyer = await shop.customer("Dora")
    ids = [(await buyer.order(("croissant", 1))).json()["order_id"] for _ in range(2)]
    await shop.deliver()
    queue = await desk.get("/console/fraud")
    pages = [await desk.get(f"/console/fraud/{order_id}") for order_id in ids]

    assert all(order_id in queue.html for order_id in ids)
    assert "all-of-it" in pages[0].text and "+100" in pages[0].text
    released = await desk.submit(pages[0], f"/console/fraud/{ids[0]}/release", reason="a regular")
    rejected = await desk.submit(pages[1], f"/console/fraud/{ids[1]}/reject", reason="a thief")
    late = await desk.submit(pages[1], f"/console/fraud/{ids[1]}/release", reason="oh")

    assert "it may be shipped" in released.text and "“a regular”" in released.text
    assert "called off" in rejected.text
    assert late.status == 409 and "decided otherwise" in late.text
    await shop.take_up_sagas()
    assert "cancelled" in (await desk.get(f"/console/orders/{ids[1]}")).text


@pytest.mark.parametrize(
    ("scope", "path", "form"),
    [
        ("operations:write", "/console/events/email", "/console/events/email/pause"),
        ("inventory:write", "/console/stock/croissant", "/console/stock/croissant/move"),
    ],
)
async def test_who_may_not_act_sees_no_form_and_reads_which_scope_is_missing(
    shop, desk, monkeypatch, scope, path, form
):
    allowed = await desk.get(path)
    without(desk, monkeypatch, scope)

    page = await desk.get(path)
    forged = await desk.submit(
        allowed, form, reason=WHY, quantity=1, warehouse="main", kind="adjusted"
    )

    assert form not in page.forms and scope in page.text
    assert forged.status == 403 and scope in forged.text


@pytest.mark.parametrize("part", ["", "/then"])
async def test_what_a_service_does_not_tell_of_a_moment_is_not_said_to_be_nothing(
    shop, desk, monkeypatch, part
):
    buyer = await shop.customer(f"Hal{len(part)}")
    order_id = (await buyer.order(("croissant", 1))).json()["order_id"]
    path = f"/console/orders/{order_id}{part}"
    assert "captured" in (await desk.get(path)).text

    without(desk, monkeypatch, "payments:read")
    page = await desk.get(path)

    assert "not known: payment did not tell" in page.text
    assert "nothing charged yet" not in page.text


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("fraud:read", "/console/fraud"),
        ("inventory:read", "/console/stock"),
        ("returns:read", "/console/returns"),
        ("shipping:read", "/console/shipments"),
    ],
)
async def test_who_may_not_look_reads_which_scope_is_missing(desk, monkeypatch, scope, path):
    without(desk, monkeypatch, scope)

    page = await desk.get(path)

    assert page.status == 403 and scope in page.text


@pytest.mark.parametrize(
    "path",
    [
        f"/console/orders/{UNKNOWN}",
        "/console/orders/x",
        f"/console/orders/{UNKNOWN}/then",
        f"/console/sagas/{UNKNOWN}",
        "/console/sagas/x",
        "/console/events/nobody",
        "/console/events/x%20y",
        f"/console/fraud/{UNKNOWN}",
        "/console/fraud/x",
        "/console/stock/unobtainium",
        "/console/returns/x",
        f"/console/shipments/{UNKNOWN}",
        "/console/shipments/x",
    ],
)
async def test_what_is_not_there_is_said_so(desk, path):
    page = await desk.get(path)

    assert page.status == 404 and "There is nothing here" in page.text


async def test_a_form_of_another_session_does_nothing(shop, desk):
    page = await desk.get("/console/events/email")
    stranger = await desk_of(shop)

    refused = await stranger.submit(page, "/console/events/email/pause", reason=WHY)

    assert refused.status == 403 and "gone stale" in refused.text
    assert "paused" not in (await desk.get("/console/events/now")).text

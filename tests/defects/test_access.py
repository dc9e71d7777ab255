"""Defects of access: other people's orders, and secrets on spans, in logs, in metrics, at rest."""

import io
import logging

import pytest

from emporion.chassis.telemetry.logs import JsonLogs
from tests.defects.people import slug_of

CARD = "tok_4111111111111111"
TOKEN = "pm_nobody_elses_1Nq9xT"
COOKIE = "session-c00kie-s3cret"
API_KEY = "api-k3y-s3cret"


@pytest.fixture
def log_lines():
    """Everything that is logged, also the least important, as the shop's own JSON lines."""
    stream = io.BytesIO()
    root = logging.getLogger()
    level = root.level
    yield_to = []

    def watch(guard) -> io.BytesIO:
        handler = JsonLogs(guard, stream=stream)
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        yield_to.append(handler)
        return stream

    yield watch
    root.setLevel(level)
    for handler in yield_to:
        handler.flush()
        root.removeHandler(handler)


async def test_defect_11_nobody_reads_the_order_of_somebody_else(shop):
    ada, bob, stranger = await shop.customer("Ada"), await shop.customer("Bob"), shop.stranger()
    await shop.stock("croissant", 5)
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]

    assert (await ada.get(f"/api/orders/{order_id}")).status == 200
    assert (await bob.get(f"/api/orders/{order_id}")).status == 404
    assert (await stranger.get(f"/api/orders/{order_id}")).status == 401
    assert (await bob.get(f"/api/payments/{order_id}")).status == 404
    assert (await stranger.get(f"/api/payments/{order_id}")).status == 401


async def test_defect_11_a_list_of_orders_shows_ones_own_and_asks_who_one_is(shop):
    ada, bob, stranger = await shop.customer("Ada"), await shop.customer("Bob"), shop.stranger()
    await shop.stock("croissant", 5)
    hers = (await ada.order(("croissant", 1))).json()["order_id"]
    his = (await bob.order(("croissant", 1))).json()["order_id"]

    listed = {
        person.name: [
            order["order_id"] for order in (await person.get("/api/orders")).json()["orders"]
        ]
        for person in (ada, bob)
    }

    assert listed == {"Ada": [hers], "Bob": [his]}
    assert (await stranger.get("/api/orders")).status == 401


async def test_defect_11_nobody_cancels_the_order_of_somebody_else(shop):
    ada, bob, stranger = await shop.customer("Ada"), await shop.customer("Bob"), shop.stranger()
    await shop.stock("croissant", 5)
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    cancel = f"/api/orders/{order_id}/cancel"

    assert (await bob.send("POST", cancel, {})).status == 404
    assert (await stranger.send("POST", cancel, {})).status == 401
    assert await shop.orders() == {order_id: "paid"}
    assert await shop.ledger() == [("capture", 250)]

    assert (await ada.send("POST", cancel, {})).status == 200
    assert await shop.orders() == {order_id: "cancelled"}
    await shop.deliver()
    assert await shop.audit() == []


async def test_defect_11_what_belongs_to_the_shop_is_for_its_staff(shop):
    ada, operator = await shop.customer("Ada"), await shop.operator()
    for target in ("/api/mails", "/api/payments", "/api/inventory/levels"):
        refused = await ada.get(target)
        assert (refused.status, slug_of(refused)) == (403, "permission-denied")
        assert (await operator.get(target)).status == 200
    await shop.stock("croissant", 5)

    theft = {"movement_key": "mine", "sku": "croissant", "warehouse_id": "main", "quantity": -5}
    refused = await ada.send("POST", "/api/inventory/movements", theft, key="mine")

    assert refused.status == 403
    assert await shop.levels() == {("croissant", "main"): (5, 0)}


async def test_defect_14_no_card_data_and_no_header_is_recorded_anywhere(shop, log_lines):
    stream = log_lines(shop.telemetry.guard)
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    headers = {"cookie": COOKIE, "x-api-key": API_KEY}
    line = {"lines": [{"sku": "croissant", "quantity": 1}]}

    shop.provider.is_charge_down = True
    pending = await ada.send(
        "POST", "/api/orders", {**line, "payment_token": TOKEN}, key="1", **headers
    )
    shop.provider.is_charge_down = False
    await shop.take_up_sagas()
    wrong = await ada.send(
        "POST", "/api/orders", {**line, "card": CARD, "payment_token": CARD}, key="2", **headers
    )
    card = await ada.send(
        "POST", "/api/orders", {**line, "payment_token": CARD}, key="3", **headers
    )
    lost = await ada.send("GET", "/nowhere", **headers)
    await shop.deliver()
    await shop.send_mails()

    assert [each.status for each in (pending, wrong, card, lost)] == [202, 422, 400, 404]
    assert list((await shop.orders()).values()) == ["rejected"]
    logging.getLogger().handlers[-1].flush()
    recorded = {
        "spans": repr(list(shop.telemetry.spans.ring)),
        "logs": stream.getvalue().decode(),
        "metrics": shop.telemetry.metrics.exposition().decode(),
        "databases": await shop.everything_stored(),
        "answers": repr([pending, wrong, card, lost]),
    }
    secrets = [
        CARD,
        TOKEN,
        COOKIE,
        API_KEY,
        "Bearer",
        ada.headers()["authorization"].partition(" ")[2],
    ]
    leaks = [
        (place, secret) for place, text in recorded.items() for secret in secrets if secret in text
    ]
    assert all(recorded.values())
    assert leaks == []

"""Orders through time, stock, shipments and returns: seen, and acted upon once for each form."""

import re

import pytest
import pytest_asyncio

from emporion.kernel.clock import to_datetime
from tests.defects.whole_shop import WholeShop
from tests.web.console.desk import Desk, desk_of, without

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory):
    shop = WholeShop(tmp_path_factory.mktemp("goods") / "shop")
    await shop.open()
    await shop.stock("croissant", 500)
    await shop.stock("tea", 5)
    yield shop
    await shop.close()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(shop: WholeShop) -> Desk:
    return await desk_of(shop)


async def ordered(shop: WholeShop, name: str, units: int = 2) -> str:
    buyer = await shop.customer(name)
    order_id: str = (await buyer.order(("croissant", units))).json()["order_id"]
    await shop.deliver()
    return order_id


async def test_orders_are_found_by_status_person_time_and_id(shop, desk):
    before = await ordered(shop, "Ann")
    shop.clock.advance(3600)
    began = to_datetime(shop.clock.now_ms()).strftime("%Y-%m-%dT%H:%M:%S")
    order_id = await ordered(shop, "Bea")
    bea = (await shop.customer("Bea")).user_id

    everything = await desk.get("/console/orders")
    later = await desk.get(f"/console/orders?since={began}")
    earlier = await desk.get(f"/console/orders?until={began}&status=paid")
    hers = await desk.get(f"/console/orders?person={bea}")
    none = await desk.get("/console/orders?status=refunded")
    straight = await desk.get(f"/console/orders?order=%20{order_id}")

    assert before in everything.html and order_id in everything.html
    assert order_id in later.html and before not in later.html
    assert before in earlier.html and order_id not in earlier.html
    assert order_id in hers.html and before not in hers.html
    assert "No such orders" in none.text
    assert straight.path == f"/console/orders/{order_id}"
    for bad in ("order=42", "person=bea", "since=noon", "status=lost"):
        page = await desk.get(f"/console/orders?{bad}")
        assert page.status == 400 and "is not valid" in page.text, bad
    assert bea not in (await desk.get("/console/orders?person=bea")).html


async def test_an_order_is_shown_as_it_was_at_each_moment_with_what_changed_it(shop, desk):
    buyer = await shop.customer("Cleo")
    order_id = (await buyer.order(("croissant", 2))).json()["order_id"]
    await shop.deliver()
    shop.clock.advance(60)
    await buyer.send("POST", f"/api/orders/{order_id}/cancel", {"reason": "changed"})
    await shop.deliver()
    address = f"/console/orders/{order_id}"

    now = await desk.get(address)
    first = await desk.get(f"{address}?at=1")
    part = await desk.get(f"{address}/then?at=1", hx_request="true")

    assert "Change 2 of 2" in now.text and "Change 1 of 2" in first.text
    assert f"{address}?at=1" in now.html and f"{address}?at=2" in first.html
    assert "<!doctype" not in part.html and "Change 1 of 2" in part.text
    assert "order.place_order" in part.text and "order.cancel_order" in now.text
    assert "<del>paid</del>" in now.html and "<ins>cancelled</ins>" in now.html
    assert "<del>committed</del>" in now.html and "<ins>€5.00</ins>" in now.html
    assert "rejection" not in now.text and "captured" in part.text
    assert "cancellation mail" in now.text or "mail" in now.text


async def test_what_an_account_may_not_see_of_an_order_is_named(shop, desk, monkeypatch):
    order_id = await ordered(shop, "Dora")
    without(desk, monkeypatch, "payments:read")

    page = await desk.get(f"/console/orders/{order_id}")

    assert page.status == 200 and "payments:read" in page.text


async def test_stock_is_explained_and_corrected_once_for_each_form(shop, desk):
    order_id = await ordered(shop, "Elsa", units=3)
    found = await desk.get("/console/stock?sku=croissant&warehouse=main")
    page = await desk.get("/console/stock/croissant")
    action = "/console/stock/croissant/move"
    counted = {
        "warehouse": "main",
        "quantity": "\N{MINUS SIGN}4",
        "kind": "adjusted",
        "reason": "mice",
    }

    assert "croissant" in found.text and "tea" not in found.text
    assert order_id in page.html
    first = await desk.submit(page, action, **counted)
    again = await desk.submit(page, action, **counted)
    other = await desk.submit(page, action, **{**counted, "quantity": "7"})
    too_much = await desk.submit(first, action, **{**counted, "quantity": "-100000"})

    assert "The stock is corrected" in first.text and "mice" in first.text
    assert again.text.count("mice") == first.text.count("mice")
    assert other.status == 422 and too_much.status == 409
    assert 'value="-100000"' in too_much.html, "what was typed stays"
    zero = await desk.submit(first, action, **{**counted, "quantity": "0"})
    assert zero.status == 400


async def test_an_order_is_sent_delivered_returned_counted_and_refunded(shop, desk):
    order_id = await ordered(shop, "Fay", units=2)
    buyer = await shop.customer("Fay")
    at = f"/console/shipments/{order_id}"
    waiting = await desk.get("/console/shipments")
    page = await desk.get(at)
    assert order_id in waiting.html and "2 \N{MULTIPLICATION SIGN} croissant" in page.text

    sent = await desk.submit(page, f"{at}/ship", carrier="Post", tracking="RR 1")
    again = await desk.submit(page, f"{at}/ship", carrier="Post", tracking="RR 1")
    assert "on its way" in sent.text and again.text.count("RR 1") == 1
    arrived = await desk.submit(sent, f"{at}/deliver")
    assert "it arrived" in arrived.text.lower()
    await shop.deliver()

    wanted = {"lines": [{"sku": "croissant", "quantity": 2}], "reason": "stale"}
    target = f"/api/orders/{order_id}/returns"
    back = (await buyer.send("POST", target, wanted, key="back")).json()
    here = f"/console/returns/{back['return_id']}"
    assert back["return_id"] in (await desk.get("/console/returns?status=requested")).html
    approved = await desk.submit(await desk.get(here), f"{here}/approve")
    none = await desk.submit(approved, f"{here}/receive", **{"count-croissant": "0"})
    assert none.status == 400 and "count at least one" in none.text.lower()
    counted = {"count-croissant": "1", "fate-croissant": "written-off", "warehouse": "main"}
    astray = await desk.submit(approved, f"{here}/receive", **{**counted, "warehouse": "moon"})
    assert astray.status == 404
    assert re.search(r'name="count-croissant"[^>]* value="1"', astray.html), "nobody counts twice"
    assert '<option value="written-off" selected>' in astray.html
    received = await desk.submit(approved, f"{here}/receive", **counted)
    twice = await desk.submit(approved, f"{here}/receive", **counted)

    assert "€2.50" in received.text and "written off" in received.text
    assert "refunded" in received.text and "refunded" in twice.text
    assert twice.text.count("written off") == received.text.count("written off")
    late = await desk.submit(approved, f"{here}/refuse", reason="too late")
    assert late.status == 409


async def test_a_return_is_refused_with_the_reason_that_its_owner_reads(shop, desk):
    order_id = await ordered(shop, "Gina", units=1)
    at = f"/console/shipments/{order_id}"
    sent = await desk.submit(await desk.get(at), f"{at}/ship", carrier="Post")
    _ = await desk.submit(sent, f"{at}/deliver")
    await shop.deliver()
    buyer = await shop.customer("Gina")
    wanted = {"lines": [{"sku": "croissant", "quantity": 1}], "reason": "stale"}
    back = (await buyer.send("POST", f"/api/orders/{order_id}/returns", wanted, key="gone")).json()
    here = f"/console/returns/{back['return_id']}"

    refused = await desk.submit(await desk.get(here), f"{here}/refuse", reason="half eaten")

    assert "Refused. The customer reads the reason." in refused.text
    assert "half eaten" in refused.text and f"{here}/approve" not in refused.forms

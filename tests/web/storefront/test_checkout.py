"""The checkout: one order however often it is sent, and a refusal loses nothing."""

import asyncio
import re
from typing import Any

import pytest

from emporion.chassis.auth.verifier import TokenExpired
from emporion.contracts.order import OrderService
from emporion.contracts.payment import PaymentDeclined
from emporion.kernel.errors import DeadlineExceeded, ResourceExhausted
from emporion.web.asking import LocalAsking
from tests.api.shopfront import must
from tests.web.storefront.people import put_into_cart, signed_up
from tests.web.visitor import Shown, Visitor, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")
GOOD: dict[str, Any] = {"country": "DE", "delivery": "post", "payment": "tok_ok", "action": "order"}


async def ready(front, *, quantity: int = 2) -> tuple[Visitor, Shown]:
    """Somebody at the checkout with croissants in the cart."""
    visitor = await signed_up(front.app)
    await put_into_cart(visitor, "croissant", quantity=quantity)
    page = await visitor.get("/checkout")
    assert page.status == 200, page.text
    return visitor, page


async def orders_of(visitor: Visitor) -> list[str]:
    page = await visitor.get("/orders")
    return re.findall(r'href="/orders/(ord_[0-9a-f]{32})"', page.html)


async def test_an_order_is_made_paid_and_shown(front):
    visitor, page = await ready(front)

    shown = await visitor.submit(page, "/checkout", **GOOD)

    assert re.fullmatch(r"/orders/ord_[0-9a-f]{32}", shown.path)
    for words in ("Thank you: your order is paid", "By post", "€4.90", "€9.90"):
        assert words in shown.text, shown.text
    assert "Your cart is empty" in (await visitor.get("/cart")).text
    assert await orders_of(visitor) == [shown.path.removeprefix("/orders/")]


async def test_a_form_sent_often_at_once_and_later_makes_one_order(front):
    visitor, page = await ready(front)
    form = filled(page, "/checkout", **GOOD)

    answers = await asyncio.gather(*(visitor.post("/checkout", form, hops=0) for _ in range(4)))
    answers.append(await visitor.post("/checkout", form, hops=0))

    assert {answer.status for answer in answers} == {303}
    assert len({answer.header("location") for answer in answers}) == 1
    assert len(await orders_of(visitor)) == 1


async def test_a_declined_payment_is_said_and_the_cart_and_the_form_stay(front):
    visitor, page = await ready(front)
    key = dict(filled(page, "/checkout"))["key"]

    refused = await visitor.submit(page, "/checkout", **GOOD | {"payment": "tok_declined"})

    assert refused.status == 402 and "The payment was declined" in refused.text
    again = dict(filled(refused, "/checkout"))
    assert again["country"] == "DE" and again["delivery"] == "post"
    assert again["seen"] == "croissant*2" and again["key"] != key
    paid = await visitor.submit(refused, "/checkout", **GOOD)
    assert "your order is paid" in paid.text
    assert len(await orders_of(visitor)) == 2  # the refused one is on record


async def test_a_declined_form_sent_twice_puts_the_cart_back_once(front):
    visitor, page = await ready(front)
    form = filled(page, "/checkout", **GOOD | {"payment": "tok_declined"})

    await asyncio.gather(*(visitor.post("/checkout", form) for _ in range(3)))

    assert "€5.00" in (await visitor.get("/cart")).text


async def test_a_shortage_is_named_beside_the_cart(front):
    visitor = await signed_up(front.app)
    price = {"amount_minor": 100, "currency": "EUR"}
    rare = {"name": "Rare thing", "variants": [{"sku": "rare", "name": "one", "price": price}]}
    must(await front.json(front.operator, "POST", "/api/products", rare))
    await put_into_cart(visitor, "rare", quantity=3)

    shown = await visitor.submit(await visitor.get("/checkout"), "/checkout", **GOOD)

    assert shown.status == 409 and "Not everything is there any more" in shown.text
    assert "0 left, 3 wanted" in shown.text
    assert "€3.00" in (await visitor.get("/cart")).text


async def unsure_after(visitor: Visitor, page: Shown, monkeypatch, **changed: Any) -> Shown:
    """What is shown when the order is made, and its reply is lost."""
    ask = LocalAsking.ask

    async def reply_lost(self, asked):
        reply = await ask(self, asked)
        if asked.contract is OrderService and asked.rpc.name == "checkout":
            raise DeadlineExceeded
        return reply

    with monkeypatch.context() as patched:
        patched.setattr(LocalAsking, "ask", reply_lost)
        return await visitor.submit(page, "/checkout", **GOOD | changed)


async def test_an_unknown_outcome_keeps_the_key_so_that_sending_again_is_safe(front, monkeypatch):
    visitor, page = await ready(front)
    key = dict(filled(page, "/checkout"))["key"]

    unsure = await unsure_after(visitor, page, monkeypatch)

    assert "Your cart is empty" in (await visitor.get("/cart")).text  # the order has it
    assert unsure.status == 504 and "do not know yet" in unsure.text and "€9.90" in unsure.text
    again = dict(filled(unsure, "/checkout"))
    assert again["key"] == key and again["seen"] == "croissant*2"
    shown = await visitor.submit(unsure, "/checkout", **GOOD)
    assert "your order is paid" in shown.text
    assert len(await orders_of(visitor)) == 1


@pytest.mark.parametrize(
    "changed", [{"action": "price"}, {"payment": ""}, {"payment": "4242424242424242"}], ids=str
)
async def test_an_unsure_form_keeps_the_key_whatever_is_wrong_with_it(front, monkeypatch, changed):
    visitor, page = await ready(front)
    key = dict(filled(page, "/checkout"))["key"]
    unsure = await unsure_after(visitor, page, monkeypatch)

    still = await visitor.submit(unsure, "/checkout", **GOOD | changed)

    assert dict(filled(still, "/checkout"))["key"] == key
    shown = await visitor.submit(still, "/checkout", **GOOD)
    assert "your order is paid" in shown.text
    assert len(await orders_of(visitor)) == 1


async def test_an_unsure_form_that_is_shed_is_unsure_still(front, monkeypatch):
    visitor, page = await ready(front)
    key = dict(filled(page, "/checkout"))["key"]
    unsure = await unsure_after(visitor, page, monkeypatch)
    ask = LocalAsking.ask

    async def shed(self, asked):
        if asked.contract is OrderService and asked.rpc.name == "checkout":
            raise ResourceExhausted
        return await ask(self, asked)

    with monkeypatch.context() as patched:
        patched.setattr(LocalAsking, "ask", shed)
        still = await visitor.submit(unsure, "/checkout", **GOOD)

    assert still.status == 503 and "do not know yet" in still.text
    assert dict(filled(still, "/checkout"))["key"] == key
    assert "Your cart is empty" in (await visitor.get("/cart")).text


async def test_an_unsure_form_with_other_wishes_leads_to_the_order_that_was_made(
    front, monkeypatch
):
    visitor, page = await ready(front)
    unsure = await unsure_after(visitor, page, monkeypatch)

    shown = await visitor.submit(unsure, "/checkout", **GOOD | {"country": "FR"})

    assert shown.path == "/orders" and len(await orders_of(visitor)) == 1
    assert "Your cart is empty" in (await visitor.get("/cart")).text


async def test_a_lost_refusal_is_told_when_the_form_is_sent_again(front, monkeypatch):
    visitor, page = await ready(front)
    declined = {"payment": "tok_declined"}
    ask = LocalAsking.ask

    async def refusal_lost(self, asked):
        try:
            return await ask(self, asked)
        except PaymentDeclined as refusal:
            raise DeadlineExceeded from refusal

    with monkeypatch.context() as patched:
        patched.setattr(LocalAsking, "ask", refusal_lost)
        unsure = await visitor.submit(page, "/checkout", **GOOD | declined)
    refused = await visitor.submit(unsure, "/checkout", **GOOD | declined)

    assert unsure.status == 504
    assert refused.status == 402 and "€5.00" in (await visitor.get("/cart")).text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"country": ""}, "Choose the country"),
        ({"country": "XX"}, "Choose the country"),
        ({"delivery": ""}, "Choose a way of delivery"),
        ({"delivery": "bicycle", "country": "FR"}, "no such delivery"),
        ({"payment": ""}, "Choose how to pay"),
        ({"code": "NOSUCHCODE"}, "code is not valid"),
        ({"code": "a b"}, "not valid"),
        ({"payment": "4242424242424242"}, "not valid"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said_beside_its_field(front, changed, said):
    visitor, page = await ready(front)

    shown = await visitor.submit(page, "/checkout", **GOOD | changed)

    assert 400 <= shown.status < 500 and said in shown.text, shown.text
    assert await orders_of(visitor) == []
    assert "€5.00" in (await visitor.get("/cart")).text


async def test_prices_follow_code_and_delivery_before_anything_is_ordered(front):
    visitor, page = await ready(front, quantity=4)

    shown = await visitor.submit(
        page, "/checkout", **GOOD | {"code": "WELCOME-10", "action": "price"}
    )

    assert shown.status == 200
    for words in ("Welcome: a tenth off", "\N{MINUS SIGN}€1.00", "€4.90", "€13.90", "(included)"):
        assert words in shown.text, shown.text
    assert await orders_of(visitor) == []


async def test_no_price_of_a_form_is_believed(front):
    visitor, page = await ready(front)

    shown = await visitor.submit(
        page, "/checkout", **GOOD, total="1", price="1", amount_minor="1", unit_price="0"
    )

    assert "€9.90" in shown.text


async def test_a_cart_that_changed_elsewhere_is_shown_first(front):
    visitor, page = await ready(front)
    await put_into_cart(visitor, "scone", sku="scone")

    shown = await visitor.submit(page, "/checkout", **GOOD)

    assert shown.status == 409 and "Your cart has changed" in shown.text
    assert "Scone" in shown.text and await orders_of(visitor) == []


async def test_a_guest_signs_in_before_the_checkout(front):
    guest = Visitor(front.app)
    await put_into_cart(guest, "croissant")

    page = await guest.get("/checkout")

    assert page.path == "/sign-in?next=/checkout"


async def test_orders_of_others_are_not_found(front):
    visitor, page = await ready(front)
    shown = await visitor.submit(page, "/checkout", **GOOD)
    other = await signed_up(front.app)

    for path in (shown.path, f"{shown.path}/live"):
        assert (await other.get(path)).status == 404
    own = filled(await other.get("/cart"), "/sign-out")
    for act in ("cancel", "again"):
        assert (await other.post(f"{shown.path}/{act}", own)).status == 404


async def test_an_order_is_called_off_and_put_into_the_cart_again(front):
    visitor, page = await ready(front)
    shown = await visitor.submit(page, "/checkout", **GOOD)

    off = await visitor.submit(shown, f"{shown.path}/cancel")
    cart = await visitor.submit(off, f"{shown.path}/again")
    await visitor.submit(off, f"{shown.path}/again")

    assert "Your order was called off" in off.text
    assert "€5.00" in cart.text and "€5.00" in (await visitor.get("/cart")).text


async def test_the_status_is_told_live_until_the_order_is_over(front):
    visitor, page = await ready(front)
    slow = await visitor.submit(page, "/checkout", **GOOD | {"payment": "tok_timeout"})
    assert "settling your order" in slow.text or "is paid" in slow.text

    async def call_off() -> None:
        async with asyncio.timeout(20):
            while "is paid" not in (await visitor.get(slow.path)).text:
                await asyncio.sleep(0.1)
        await visitor.submit(await visitor.get(slow.path), f"{slow.path}/cancel")

    stream, _ = await asyncio.gather(visitor.get(f"{slow.path}/live"), call_off())

    assert stream.header("content-type") == "text/event-stream; charset=utf-8"
    said = re.findall(r"<h2>([^<]+)</h2>", stream.html)
    assert said[-1] == "Your order was called off" and len(said) >= 2, said
    assert stream.html.startswith("retry: 2000\n\nevent: status\ndata: <h2>")
    assert stream.html.endswith("event: over\ndata\n\n")


async def test_only_so_many_pages_are_followed_at_once(front, monkeypatch):
    visitor, page = await ready(front)
    shown = await visitor.submit(page, "/checkout", **GOOD)
    await visitor.submit(shown, f"{shown.path}/cancel")

    monkeypatch.setattr("emporion.web.storefront.orders.STREAMS_MAX", 1)
    one_after_the_other = [await visitor.get(f"{shown.path}/live") for _ in range(3)]
    monkeypatch.setattr("emporion.web.storefront.orders.STREAMS_MAX", 0)
    refused = await visitor.get(f"{shown.path}/live")

    assert [stream.status for stream in one_after_the_other] == [200, 200, 200]
    assert refused.status == 503


async def test_a_stream_renews_no_session_whose_cookies_can_no_longer_leave(front, monkeypatch):
    visitor, page = await ready(front)
    shown = await visitor.submit(page, "/checkout", **GOOD)
    ask, asked = LocalAsking.ask, []

    async def expiring(self, it):
        asked.append(it.rpc.name)
        if asked.count("get_order") > 1 and it.rpc.name == "get_order":
            raise TokenExpired
        return await ask(self, it)

    monkeypatch.setattr(LocalAsking, "ask", expiring)
    monkeypatch.setattr("emporion.web.storefront.orders.SLOW_S", 0.01)
    stream = await visitor.get(f"{shown.path}/live")

    assert stream.html.startswith("retry: 2000") and "event: over" not in stream.html
    assert asked.count("get_order") == 2 and "refresh" not in asked

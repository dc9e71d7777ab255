"""Gift cards at the checkout: they pay first, and nobody is charged more than the page said."""

from typing import Any

import pytest

from emporion.chassis.testing.asgi import AsgiClient
from tests.api.shopfront import Shopfront, must
from tests.web.storefront.people import put_into_cart, signed_up
from tests.web.storefront.test_checkout import GOOD, orders_of, ready, unsure_after
from tests.web.visitor import Shown, Visitor, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRICE: dict[str, Any] = {"country": "DE", "delivery": "post", "action": "price"}
TOTAL_MINOR = 990
"""Two croissants, by post."""


async def issued(front: Shopfront, amount_minor: int, currency: str = "EUR") -> tuple[str, str]:
    """A new card: its code, and how that ends."""
    worth = {"amount": {"amount_minor": amount_minor, "currency": currency}}
    made = must(await front.json(front.operator, "POST", "/api/gift-cards", worth))
    return made["code"], made["card"]["ending"]


async def balance(front: Shopfront, code: str) -> int:
    told = await front.json(front.operator, "POST", "/api/gift-cards/balance", {"code": code})
    return int(must(told)["balance"]["amount_minor"])


async def with_card(visitor: Visitor, page: Shown, code: str, **fields: Any) -> Shown:
    return await visitor.submit(page, "/checkout", **PRICE | {"gift_card": code} | fields)


def hidden(page: Shown, name: str) -> list[str]:
    return [value for field, value in filled(page, "/checkout") if field == name]


async def charged(front: Shopfront, order_id: str) -> int:
    told = await front.send(front.operator, "GET", f"/api/payments/{order_id}")
    return 0 if told.status == 404 else int(must(told)["amount"]["amount_minor"])


async def test_cards_pay_first_and_the_rest_is_charged(front):
    visitor, page = await ready(front)
    (first, end), (second, other) = await issued(front, 300), await issued(front, 200)

    one = await with_card(visitor, page, first.lower().replace("-", " "))
    assert f"Gift card that ends in {end}" in one.text and "€3.00 on it" in one.text
    assert "Left to pay €6.90" in one.text
    two = await with_card(visitor, one, second)
    assert "Left to pay €4.90" in two.text
    assert len(hidden(two, "card")) == 2

    shown = await visitor.submit(two, "/checkout", **GOOD)

    assert f"Paid by the gift card that ends in {end} €3.00" in shown.text, shown.text
    assert f"Paid by the gift card that ends in {other} €2.00" in shown.text
    assert "Charged €4.90" in shown.text
    for code in (first, second):
        assert code not in shown.html and code.replace("-", "") not in shown.html
        assert await balance(front, code) == 0
    assert await charged(front, shown.path.rpartition("/")[2]) == 490


async def test_a_card_that_pays_all_asks_for_no_other_payment(front):
    visitor, page = await ready(front)
    code, end = await issued(front, TOTAL_MINOR + 10)

    covered = await with_card(visitor, page, code)

    assert "nothing else is charged" in covered.text and "Left to pay €0.00" in covered.text
    assert 'type="radio" name="payment"' not in covered.html
    form = {key: value for key, value in GOOD.items() if key != "payment"}
    shown = await visitor.submit(covered, "/checkout", **form)
    assert "your order is paid" in shown.text and "Charged €0.00" in shown.text
    assert await charged(front, shown.path.rpartition("/")[2]) == 0
    assert await balance(front, code) == 10
    order = shown.path
    called_off = await visitor.submit(shown, f"{order}/cancel")
    assert f"Back on the gift card that ends in {end} €9.90" in called_off.text
    await front.until_quiet()
    assert await balance(front, code) == TOTAL_MINOR + 10


async def test_a_card_is_removed_and_the_payment_is_asked_for_again(front):
    visitor, page = await ready(front)
    code, end = await issued(front, 5_000)
    covered = await with_card(visitor, page, code)

    without = await visitor.submit(covered, "/checkout", country="DE", without=end)

    assert f"ends in {end}" not in without.text and hidden(without, "card") == []
    assert 'type="radio" name="payment"' in without.html
    assert dict(filled(without, "/checkout"))["payment"] == "tok_ok"
    assert await balance(front, code) == 5_000


async def test_what_is_wrong_with_a_card_is_said_and_the_others_stay(front):
    visitor, page = await ready(front)
    good, end = await issued(front, 100)
    empty, gone = await issued(front, 100), await issued(front, 100)
    foreign, _ = await issued(front, 100, "USD")
    cards = must(await front.send(front.operator, "GET", "/api/gift-cards?limit=200"))["cards"]
    ids = {card["ending"]: card["card_id"] for card in cards}
    taken = {"amount": {"amount_minor": -100, "currency": "EUR"}, "reason": "x"}
    target = f"/api/gift-cards/{ids[empty[1]]}/adjustments"
    must(await front.json(front.operator, "POST", target, taken, idempotency_key=empty[1]))
    target = f"/api/gift-cards/{ids[gone[1]]}/void"
    must(await front.json(front.operator, "POST", target, {"reason": "lost"}))
    page = await with_card(visitor, page, good)
    for code, said in (
        ("1234", "A code has 20 letters and digits."),
        ("Ä" * 20, "A code has 20 letters and digits."),
        ("0000-0000-0000-0000-0000", "There is no gift card with this code."),
        (empty[0], f"There is not enough on the gift card (it ends in {empty[1]})."),
        (gone[0], f"The gift card is blocked (it ends in {gone[1]})."),
        (foreign, "is in USD."),
    ):
        page = await with_card(visitor, page, code)
        assert said in page.text, (said, page.text)
        assert f"Gift card that ends in {end}" in page.text and "Left to pay €8.90" in page.text
    again = await with_card(visitor, page, good)
    assert len(hidden(again, "card")) == 1


async def test_codes_are_not_guessed_for_long(front):
    visitor, page = await ready(front)
    good, end = await issued(front, 100)
    page = await with_card(visitor, page, good)
    for number in range(5):
        page = await with_card(visitor, page, f"0000-0000-0000-0000-000{number}")
        assert "There is no gift card with this code" in page.text

    refused = await with_card(visitor, page, "0000-0000-0000-0000-0009")

    assert "Too many gift card codes were tried" in refused.text
    assert f"Gift card that ends in {end}" in refused.text
    typing = dict(PRICE) | {"gift_card": "0000-0000-0000-0000-0008"}
    fields = filled(refused, "/checkout", **typing)
    part = await visitor.post("/checkout", fields, hx_request="true")
    assert "gift card with this code" not in part.text


async def test_a_code_that_is_still_being_typed_is_neither_tried_nor_lost_when_ordering(front):
    visitor, page = await ready(front)
    code, end = await issued(front, 300)

    first = await visitor.submit(page, "/checkout", **GOOD | {"gift_card": code})

    assert await orders_of(visitor) == []
    assert f"Gift card that ends in {end}" in first.text and "Left to pay €6.90" in first.text
    assert "your order is paid" in (await visitor.submit(first, "/checkout", **GOOD)).text


async def test_nobody_is_charged_more_than_the_page_said(front):
    visitor, page = await ready(front)
    code, _ = await issued(front, 300)
    seen = await with_card(visitor, page, code)
    other = await signed_up(front.app)
    await put_into_cart(other, "croissant", quantity=1)
    form = await with_card(other, await other.get("/checkout"), code)
    bought = await other.submit(form, "/checkout", **GOOD)
    assert "your order is paid" in bought.text, bought.text

    shown = await visitor.submit(seen, "/checkout", **GOOD)

    assert "pay something else than before" in shown.text
    assert await orders_of(visitor) == []


async def test_sending_again_while_the_outcome_is_unknown_spends_a_card_once(front, monkeypatch):
    visitor, page = await ready(front)
    code, end = await issued(front, TOTAL_MINOR)
    covered = await with_card(visitor, page, code)

    unsure = await unsure_after(visitor, covered, monkeypatch)

    assert "do not know yet" in unsure.text and f"Gift card that ends in {end}" in unsure.text
    assert await balance(front, code) == 0
    shown = await visitor.submit(unsure, "/checkout", **GOOD)
    assert "your order is paid" in shown.text
    assert len(await orders_of(visitor)) == 1


async def test_a_forged_rest_pays_nothing(front):
    visitor, page = await ready(front)
    code, _ = await issued(front, 100)
    seen = await with_card(visitor, page, code)

    shown = await visitor.submit(seen, "/checkout", **GOOD | {"rest": "0", "payment": ""})

    assert "pay something else than before" in shown.text
    assert await orders_of(visitor) == []


async def test_what_comes_back_to_cards_by_a_return_is_shown(front):
    visitor, page = await ready(front)
    code, _ = await issued(front, 900)
    placed = await visitor.submit(await with_card(visitor, page, code), "/checkout", **GOOD)
    order_id = placed.path.rpartition("/")[2]
    assert "Given back" not in placed.text
    clerk = front.operator
    await front.until_quiet()
    target = f"/api/shipping/fulfilments/{order_id}"
    (place,) = must(await front.send(clerk, "GET", target))["to_ship"]
    parcel = {"carrier": "DHL", "warehouse_id": place["warehouse_id"]}
    key = f"p-{order_id}"
    sent = await front.json(clerk, "POST", f"{target}/shipments", parcel, idempotency_key=key)
    arrived = f"/api/shipping/shipments/{must(sent)['shipment_id']}/deliver"
    must(await front.send(clerk, "POST", arrived))
    await front.until_quiet()
    lines = [{"sku": "croissant", "quantity": 2}]
    owner = {"authorization": f"Bearer {visitor.cookies['access']}"}
    asked = await AsgiClient(front.app, headers=owner).json(
        "POST",
        f"/api/orders/{order_id}/returns",
        {"lines": lines, "reason": "too dry"},
        headers={"idempotency-key": f"r-{order_id}"},
    )
    back = f"/api/returns/{must(asked)['return_id']}"
    must(await front.send(clerk, "POST", f"{back}/approve"))
    counted = {"warehouse_id": place["warehouse_id"], "lines": [lines[0] | {"is_restocked": True}]}
    must(await front.json(clerk, "POST", f"{back}/receive", counted, idempotency_key=key))

    shown = await visitor.get(placed.path)

    assert "Given back for a return €9.00 of it to your gift cards €9.90" in shown.text, shown.text
    assert await balance(front, code) == 900

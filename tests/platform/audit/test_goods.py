"""A whole life of an order adds up over all services, and what was edited anywhere is found."""

from typing import Any

import pytest

from emporion.platform.audit.goods import DEPARTED, KNOWN, REFUNDED, RESTOCKED
from emporion.services.order import audit as order
from emporion.services.shipping import audit as shipping
from tests.defects.whole_shop import WholeShop


@pytest.fixture
async def shop(tmp_path):
    whole = WholeShop(tmp_path / "shop")
    await whole.open()
    yield whole
    await whole.close()


async def told(person: Any, verb: str, target: str, content: object = None, key: str = "") -> Any:
    answer = await person.send(verb, target, content, key=key)
    assert answer.status < 300, answer
    return answer.json()


async def lived(shop: WholeShop) -> None:
    """An order of three that was sent in two parcels, of which two units came back.

    A gift card of 6.00 EUR paid for it, and the payment method the rest, 1.50 EUR.
    """
    ada, clerk = await shop.customer("Ada"), await shop.operator()
    await shop.stock("croissant", 5)
    worth = {"amount": {"amount_minor": 600, "currency": "EUR"}}
    code = (await told(clerk, "POST", "/api/gift-cards", worth))["code"]
    bought = {
        "lines": [{"sku": "croissant", "quantity": 3}],
        "payment_token": "tok_ok",
        "gift_cards": [code],
    }
    order_id = (await told(ada, "POST", "/api/orders", bought, "o1"))["order_id"]
    await shop.deliver()
    await shop.deliver()
    target, parcel = f"/api/shipping/fulfilments/{order_id}/shipments", {"carrier": "DHL"}
    (place, *_) = (await told(clerk, "GET", f"/api/shipping/fulfilments/{order_id}"))["to_ship"]
    parcel["warehouse_id"] = place["warehouse_id"]
    part = parcel | {"lines": [{"sku": "croissant", "quantity": 2}]}
    for key, content in (("p1", part), ("p2", parcel)):
        shipment = await told(clerk, "POST", target, content, key)
        where = f"/api/shipping/shipments/{shipment['shipment_id']}/deliver"
        await told(clerk, "POST", where)
    await shop.deliver()
    lines = [{"sku": "croissant", "quantity": 2}]
    asked = {"lines": lines, "reason": "too dry"}
    back = await told(ada, "POST", f"/api/orders/{order_id}/returns", asked, "r1")
    await told(clerk, "POST", f"/api/returns/{back['return_id']}/approve")
    counted = [
        {"sku": "croissant", "quantity": 1, "is_restocked": is_good} for is_good in (True, False)
    ]
    content = {"warehouse_id": place["warehouse_id"], "lines": counted}
    done = await told(clerk, "POST", f"/api/returns/{back['return_id']}/receive", content, "c1")
    assert done["status"] == "refunded"
    assert (done["refund"]["amount_minor"], done["to_gift_cards"]["amount_minor"]) == (500, 350)
    on_card = await told(clerk, "POST", "/api/gift-cards/balance", {"code": code})
    assert on_card["balance"]["amount_minor"] == 350
    await shop.deliver()
    assert (await told(ada, "GET", f"/api/orders/{order_id}"))["status"] == "delivered"


async def test_what_left_came_back_and_was_refunded_adds_up(shop):
    await lived(shop)
    assert await shop.audit() == []


@pytest.mark.parametrize(
    ("service", "edit", "check"),
    [
        ("shipping", "UPDATE shipment SET lines = '[[\"croissant\",1]]'", DEPARTED),
        ("shipping", "DELETE FROM shipment", DEPARTED),
        ("shipping", "UPDATE shipment SET shipment_id = 'shp_x' WHERE lines LIKE '%2]]'", KNOWN),
        ("shipping", "UPDATE shipment SET status = 'shipped' WHERE lines LIKE '%1]]'", KNOWN),
        ("order", "DELETE FROM order_return", RESTOCKED),
        ("order", "UPDATE order_return SET status = 'approved'", f"order: {order.RETURNS}"),
        ("shipping", "UPDATE fulfilment SET status = 'ready'", f"shipping: {shipping.FOLLOWS}"),
        ("order", "UPDATE order_return SET refund_minor = refund_minor + 1", REFUNDED),
        ("giftcard", "UPDATE gift_card_spending SET returned_minor = 349", REFUNDED),
        ("giftcard", "DELETE FROM gift_card_spending", REFUNDED),
    ],
)
async def test_what_was_edited_is_found(shop, service: str, edit: str, check: str):
    await lived(shop)
    await shop.write(service, edit)
    assert any(line.startswith(check) for line in await shop.audit())

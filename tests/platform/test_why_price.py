"""Why an order costs what it costs: asked over HTTP, for an order in which everything is in."""

from tests.defects.people import slug_of
from tests.defects.whole_shop import WholeShop
from tests.platform.audit.test_goods import told


async def test_an_order_explains_its_total_as_it_was_when_it_was_placed(tmp_path):
    shop = WholeShop(tmp_path / "shop")
    await shop.open()
    ada, bob, clerk = await shop.customer("Ada"), await shop.customer("Bob"), await shop.operator()
    await shop.stock("croissant", 9)
    percent = {"name": "Spring", "kind": "percent", "percent_bp": 1_000, "code": "SPRING-10"}
    await told(clerk, "PUT", "/api/promotions/spring", percent)
    await told(clerk, "PUT", "/api/taxes/DE", {"standard_bp": 1_900})
    post = {"name": "Post", "price": {"amount_minor": 490, "currency": "EUR"}}
    await told(clerk, "PUT", "/api/deliveries/post", post)
    worth = {"amount": {"amount_minor": 600, "currency": "EUR"}}
    code = (await told(clerk, "POST", "/api/gift-cards", worth))["code"]
    bought = {
        "lines": [{"sku": "croissant", "quantity": 4}],
        "payment_token": "tok_ok",
        "codes": ["SPRING-10"],
        "country": "DE",
        "delivery": "post",
        "gift_cards": [code],
    }
    order = await told(ada, "POST", "/api/orders", bought, "o1")
    target = f"/api/orders/{order['order_id']}/why-price"

    why = await told(ada, "GET", target)

    assert why["total"] == order["total"]
    assert why["is_changed"] is False
    counted = [each for each in why["details"] if not each["is_included"]]
    assert sum(each["amount"]["amount_minor"] for each in counted) == why["total"]["amount_minor"]
    kinds = [each["kind"] for each in why["details"]]
    assert kinds == ["goods", "promotion", "delivery", "tax", "gift_card"]
    assert not any("not recorded" in each["says"] for each in (*why["lines"], *why["details"]))
    assert slug_of(await bob.send("GET", target)) == "not-found"
    assert await told(clerk, "GET", target) == why

    shop.clock.advance(60)
    await told(clerk, "PUT", "/api/taxes/DE", {"standard_bp": 2_000})
    later = await told(ada, "GET", target)
    assert later["is_changed"] is True
    assert [each["now"] for each in later["details"] if each["is_changed"]] == [
        "taxes of DE in the price: 20.00 %"
    ]
    assert [each["says"] for each in later["details"]] == [each["says"] for each in why["details"]]
    await shop.close()

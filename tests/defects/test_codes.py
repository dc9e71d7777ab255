"""Codes that many customers spend at once, in a whole shop: as often as they may be used."""

from collections import Counter

from tests.defects.people import slug_of

ORDERS = "/api/orders"


async def promotion(shop, **fields):
    """A promotion of half the price, but for the fields given."""
    operator = await shop.operator()
    content = {"name": "Half", "kind": "percent", "percent_bp": 5_000} | fields
    answer = await operator.send("PUT", "/api/promotions/half", content)
    assert answer.status == 200, answer.json()
    return operator


def wanting(code: str, *, token: str = "tok_ok") -> dict[str, object]:
    return {
        "lines": [{"sku": "croissant", "quantity": 2}],
        "payment_token": token,
        "codes": [code],
    }


async def test_two_hundred_spenders_of_a_code_for_fifty_make_fifty_orders_at_its_price(shop):
    await shop.stock("croissant", 1_000)
    operator = await promotion(shop, code="FIFTY", uses_max=50)
    spenders = [await shop.customer(f"s{number}") for number in range(200)]

    answers = await shop.all(
        one.send("POST", ORDERS, wanting("fifty"), key="mine") for one in spenders
    )

    outcomes = Counter((one.status, slug_of(one)) for one in answers)
    assert outcomes == {(201, ""): 50, (409, "code-used-up"): 150}
    totals = {one.json()["total"]["amount_minor"] for one in answers if one.status == 201}
    assert totals == {250}
    assert (await operator.get("/api/promotions/half")).json()["uses"] == 50
    assert await shop.audit() == []


async def test_an_order_whose_payment_is_declined_gives_its_code_back(shop):
    await shop.stock("croissant", 10)
    operator = await promotion(shop, code="ONCE", uses_max=1)
    ada, bob = await shop.customer("Ada"), await shop.customer("Bob")

    declined = await ada.send("POST", ORDERS, wanting("ONCE", token="tok_declined"), key="a")
    paid = await bob.send("POST", ORDERS, wanting("ONCE"), key="b")

    assert (declined.status, paid.status) == (402, 201)
    assert (await operator.get("/api/promotions/half")).json()["uses"] == 1
    assert await shop.audit() == []


async def test_an_order_that_a_promotion_makes_free_moves_no_money(shop):
    await shop.stock("croissant", 10)
    await promotion(shop, percent_bp=10_000)
    ada = await shop.customer("Ada")

    order = await ada.order(("croissant", 1))

    assert order.status == 201
    assert order.json()["total"]["amount_minor"] == 0
    assert await shop.audit() == []

    cancelled = await ada.send("POST", f"{ORDERS}/{order.json()['order_id']}/cancel", {})

    assert cancelled.json()["status"] == "cancelled"
    assert await shop.audit() == []


async def test_an_order_tells_what_its_total_is_made_of(shop):
    await shop.stock("croissant", 10)
    operator = await promotion(shop, code="HALF-OFF")
    post = {"name": "Post", "price": {"amount_minor": 490, "currency": "EUR"}, "countries": ["DE"]}
    await operator.send("PUT", "/api/deliveries/post", post)
    await operator.send("PUT", "/api/taxes/DE", {"standard_bp": 1_900})
    ada = await shop.customer("Ada")
    wish = wanting("half-off") | {"country": "DE", "delivery": "post"}

    quote = await ada.send(
        "POST", "/api/prices", {k: wish[k] for k in wish if k != "payment_token"}
    )
    order = await ada.send("POST", ORDERS, wish, key="a")

    told = [(one["kind"], one["amount"]["amount_minor"]) for one in order.json()["details"]]
    assert told == [("goods", 500), ("promotion", -250), ("delivery", 490), ("tax", 118)]
    assert order.json()["total"]["amount_minor"] == 740
    assert quote.json()["details"] == order.json()["details"]
    assert (await ada.get(f"{ORDERS}/{order.json()['order_id']}")).json() == order.json()
    assert await shop.audit() == []

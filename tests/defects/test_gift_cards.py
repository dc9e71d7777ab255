"""Gift cards that many customers spend at once, in a whole shop: to the last cent, no further."""

from collections import Counter

import pytest

from tests.defects.people import slug_of

ORDERS = "/api/orders"


async def issued(shop, amount_minor: int):
    """A new card: its code and its own address."""
    operator = await shop.operator()
    worth = {"amount": {"amount_minor": amount_minor, "currency": "EUR"}}
    answer = await operator.send("POST", "/api/gift-cards", worth)
    assert answer.status == 201, answer.json()
    told = answer.json()
    return told["code"], f"/api/gift-cards/{told['card']['card_id']}"


def paying(code: str, *, units: int = 1, token: str = "tok_ok") -> dict[str, object]:
    lines = [{"sku": "croissant", "quantity": units}]
    return {"lines": lines, "payment_token": token, "gift_cards": [code]}


async def balance_minor(shop, code: str) -> int:
    answer = await shop.stranger().send("POST", "/api/gift-cards/balance", {"code": code})
    return int(answer.json()["balance"]["amount_minor"])


async def test_two_hundred_spenders_of_a_card_for_fifty_orders_make_fifty_and_leave_nothing(shop):
    await shop.stock("croissant", 1_000)
    code, card = await issued(shop, 50 * 250)
    spenders = [await shop.customer(f"s{number}") for number in range(200)]

    answers = await shop.all(one.send("POST", ORDERS, paying(code), key="mine") for one in spenders)

    outcomes = Counter((one.status, slug_of(one)) for one in answers)
    assert outcomes == {(201, ""): 50, (409, "gift-card-not-enough"): 150}
    assert await balance_minor(shop, code) == 0
    operator = await shop.operator()
    page = (await operator.get(f"{card}/entries?limit=200")).json()
    spent = [entry for entry in page["entries"] if entry["kind"] == "spent"]
    paid = {one.json()["order_id"] for one in answers if one.status == 201}
    assert len(spent) == 50
    assert {entry["order_id"] for entry in spent} == paid
    assert len(page["entries"]) == 51
    assert shop.provider_book() == []
    assert await shop.audit() == []


async def test_a_card_pays_first_and_the_provider_only_the_rest(shop):
    await shop.stock("croissant", 10)
    code, _ = await issued(shop, 300)
    ada = await shop.customer("Ada")

    order = await ada.send("POST", ORDERS, paying(code, units=2), key="a")

    told = order.json()
    assert [(one["kind"], one["amount"]["amount_minor"]) for one in told["details"]] == [
        ("goods", 500),
        ("gift_card", 300),
    ]
    payment = (await ada.get(f"/api/payments/{told['order_id']}")).json()
    assert payment["amount"]["amount_minor"] == 200
    assert (await ada.get(f"{ORDERS}/{told['order_id']}")).json() == told
    assert await shop.audit() == []

    cancelled = await ada.send("POST", f"{ORDERS}/{told['order_id']}/cancel", {})

    assert cancelled.json()["status"] == "cancelled"
    stored = await shop.everything_stored()
    assert code not in stored
    assert code.replace("-", "") not in stored
    assert await balance_minor(shop, code) == 300
    assert await shop.audit() == []


@pytest.mark.parametrize(("token", "units"), [("tok_declined", 2), ("tok_ok", 11)])
async def test_an_order_that_is_refused_gives_the_card_back(shop, token, units):
    await shop.stock("croissant", 10)
    code, _ = await issued(shop, 300)
    ada = await shop.customer("Ada")

    refused = await ada.send("POST", ORDERS, paying(code, units=units, token=token), key="a")

    assert refused.status in (402, 409)
    assert await balance_minor(shop, code) == 300
    assert await shop.audit() == []


async def test_who_tries_codes_at_the_checkout_has_to_wait(shop):
    await shop.stock("croissant", 10)
    code, _ = await issued(shop, 300)
    ada, bob = await shop.customer("Ada"), await shop.customer("Bob")
    wrong = "0000-0000-0000-0000-0000"

    slugs = [
        slug_of(await ada.send("POST", ORDERS, paying(each), key=f"a{number}"))
        for number, each in enumerate([wrong] * 5 + [code])
    ]
    by_bob = await bob.send("POST", ORDERS, paying(code), key="b")

    assert slugs == ["unknown-gift-card"] * 5 + ["too-many-gift-card-codes"]
    assert by_bob.status == 201
    assert await shop.audit() == []


async def test_the_audit_misses_what_a_card_has_paid(shop):
    await shop.stock("croissant", 10)
    code, _ = await issued(shop, 300)
    ada = await shop.customer("Ada")
    assert (await ada.send("POST", ORDERS, paying(code), key="a")).status == 201

    await shop.write("giftcard", "DELETE FROM gift_card_spending")

    found = " ".join(await shop.audit())
    assert "paid orders = captured payments" in found
    assert "gift card entries have their spending" in found

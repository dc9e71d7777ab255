"""Defects of carts: parallel changes that overwrite one another."""


async def test_defect_13_parallel_adds_to_a_cart_all_count(shop):
    ada = await shop.customer("Ada")
    skus = [f"tea-{n}" for n in range(30)]
    await shop.all(shop.sell(sku) for sku in skus)

    answers = await shop.all(ada.add(sku) for sku in [*skus, *skus, *["tea-0"] * 20])

    assert {answer.status for answer in answers} == {200}
    assert await ada.cart() == {**dict.fromkeys(skus, 2), "tea-0": 22}


async def test_defect_13_what_is_added_while_checking_out_is_ordered_or_kept(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    await shop.stock("bagel", 50)
    await ada.add("croissant")

    _, checkout, _ = await shop.all([ada.add("bagel"), ada.checkout(), ada.add("bagel", 2)])

    ordered = {line["sku"]: line["quantity"] for line in checkout.json()["lines"]}
    left = await ada.cart()
    assert checkout.status == 201
    assert ordered.get("croissant", 0) + left.get("croissant", 0) == 1
    assert ordered.get("bagel", 0) + left.get("bagel", 0) == 3
    assert await shop.audit() == []


async def test_defect_13_a_refused_checkout_gives_the_cart_back_beside_what_came_meanwhile(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 50)
    await shop.stock("bagel", 50)
    await ada.add("croissant", 2)

    async def meanwhile(_: str) -> None:
        assert await ada.cart() == {}
        await ada.add("bagel")

    shop.provider.before_charge = meanwhile
    answer = await ada.checkout(token="tok_declined")

    assert answer.status == 402
    assert await ada.cart() == {"croissant": 2, "bagel": 1}
    assert await shop.audit() == []

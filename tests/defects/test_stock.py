"""Defects around stock: units sold twice, lines checked apart, warehouses forgotten."""

from tests.defects.people import slug_of


async def test_defect_06_the_last_unit_goes_to_exactly_one_of_fifty_buyers(shop):
    buyers = [await shop.customer(f"buyer-{n}") for n in range(50)]
    await shop.stock("croissant", 1)

    answers = await shop.all(buyer.order(("croissant", 1)) for buyer in buyers)

    refused = [answer for answer in answers if answer.status != 201]
    assert len(refused) == 49
    assert {(answer.status, slug_of(answer)) for answer in refused} == {(409, "out-of-stock")}
    assert await shop.levels() == {("croissant", "main"): (1, 1)}
    assert await shop.ledger() == [("capture", 250)]
    assert await shop.audit() == []


async def test_defect_06_what_buyers_give_back_is_sold_again_and_no_more(shop):
    buyers = [await shop.customer(f"buyer-{n}") for n in range(30)]
    await shop.stock("croissant", 6)
    await shop.stock("croissant", 4, at="east", priority=200)
    tokens = ["tok_declined", "tok_ok", "tok_ok"] * 10

    answers = await shop.all(
        buyer.order(("croissant", 1), token=token)
        for buyer, token in zip(buyers, tokens, strict=True)
    )
    paid = [answer for answer in answers if answer.status == 201]
    held = sum(reserved for _, reserved in (await shop.levels()).values())

    assert held == len(paid) <= 10
    assert len(await shop.ledger()) == len(paid)
    assert await shop.audit() == []


async def test_defect_07_two_lines_naming_one_item_are_checked_together(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)

    refused = await ada.order(("croissant", 3), ("croissant", 3))
    assert (refused.status, slug_of(refused)) == (409, "out-of-stock")
    assert refused.json()["shortages"] == [{"sku": "croissant", "wanted": 6, "available": 5}]
    assert await shop.levels() == {("croissant", "main"): (5, 0)}

    taken = await ada.order(("croissant", 3), ("croissant", 2))
    assert taken.status == 201
    assert await shop.levels() == {("croissant", "main"): (5, 5)}
    assert await shop.ledger() == [("capture", 5 * 250)]
    await shop.deliver()
    assert await shop.audit() == []


async def test_defect_08_an_order_is_filled_from_all_warehouses_together(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 2, at="east", priority=50)
    await shop.stock("croissant", 3, at="main", priority=100)
    await shop.stock("croissant", 4, at="west", priority=150)

    too_many = await ada.order(("croissant", 10))
    answer = await ada.order(("croissant", 8))

    assert too_many.json()["shortages"] == [{"sku": "croissant", "wanted": 10, "available": 9}]
    assert answer.status == 201
    assert await shop.levels() == {
        ("croissant", "east"): (2, 2),
        ("croissant", "main"): (3, 3),
        ("croissant", "west"): (4, 3),
    }
    assert await shop.audit() == []


async def test_defect_08_what_was_taken_from_several_warehouses_goes_back_to_each(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 2, at="east", priority=50)
    await shop.stock("croissant", 3, at="main", priority=100)

    answer = await ada.order(("croissant", 4), token="tok_declined")

    assert answer.status == 402
    assert await shop.levels() == {("croissant", "east"): (2, 0), ("croissant", "main"): (3, 0)}
    assert await shop.audit() == []

"""The list of products: sorted as people sort, searched as people search, every one once."""

import pytest

from emporion.contracts.catalog import GetProduct, ListProducts
from emporion.kernel.errors import InvalidArgument


async def all_in_pages(shelf, limit, **narrowed):
    names, cursor = [], ""
    while True:
        page = await shelf.api.list_products(ListProducts(limit=limit, cursor=cursor, **narrowed))
        assert len(page.products) <= limit
        names += [product.name for product in page.products]
        if not page.next_cursor:
            return names
        cursor = page.next_cursor


async def test_products_are_sorted_by_name_whatever_the_case_and_each_comes_once(shelf):
    names = ["banana", "Apple", "cherry", "Éclair", "apple", "Banana", "Apple"]
    for number, name in enumerate(names):
        await shelf.put(name, (f"sku-{number}", 100))

    listed = await all_in_pages(shelf, 2)

    assert sorted(listed) == sorted(names)
    assert [name.casefold() for name in listed] == sorted(name.casefold() for name in names)


async def test_the_last_page_says_that_it_is_the_last_also_when_it_is_full(shelf):
    for number in range(4):
        await shelf.put(f"Tart {number}", (f"sku-{number}", 100))

    first = await shelf.api.list_products(ListProducts(limit=2))
    second = await shelf.api.list_products(ListProducts(limit=2, cursor=first.next_cursor))

    assert len(second.products) == 2
    assert second.next_cursor == ""


async def test_a_page_goes_on_behind_a_product_that_was_archived_meanwhile(shelf):
    products = [await shelf.put(f"Tart {number}", (f"sku-{number}", 100)) for number in range(4)]
    first = await shelf.api.list_products(ListProducts(limit=2))

    await shelf.api.archive_product(GetProduct(product_id=products[1].product_id))
    second = await shelf.api.list_products(ListProducts(limit=2, cursor=first.next_cursor))

    assert [product.name for product in second.products] == ["Tart 2", "Tart 3"]


@pytest.mark.parametrize("cursor", ["nonsense", "prd_" + "f" * 32])
async def test_a_cursor_that_no_list_gave_out_is_refused(shelf, cursor):
    with pytest.raises(InvalidArgument):
        await shelf.api.list_products(ListProducts(cursor=cursor))


async def test_a_search_looks_at_names_skus_and_categories_whatever_the_case(shelf):
    await shelf.put("Croissant", ("BUTTER-01", 250), category="Viennoiserie")
    await shelf.put("Éclair", ("choc-02", 300), category="Pâtisserie")
    await shelf.put("Baguette", ("bread-03", 120), category="Boulangerie")

    found = {
        text: await shelf.names(search=text)
        for text in ("CROISS", "butter-0", "pÂTISS", "éCLAIR", "03", "nothing")
    }

    assert found == {
        "CROISS": ["Croissant"],
        "butter-0": ["Croissant"],
        "pÂTISS": ["Éclair"],
        "éCLAIR": ["Éclair"],
        "03": ["Baguette"],
        "nothing": [],
    }


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("100%", ["100% rye"]),
        ("%", ["100% rye"]),
        ("_", ["under_score"]),
        ("\\", ["back\\slash"]),
        ("'; DROP TABLE product; --", []),
    ],
)
async def test_special_characters_mean_themselves_in_a_search(shelf, search, expected):
    for number, name in enumerate(["100% rye", "100 rye", "under_score", "back\\slash"]):
        await shelf.put(name, (f"sku-{number}", 100))

    assert await shelf.names(search=search) == expected


async def test_the_list_can_be_narrowed_to_a_category_and_paged(shelf):
    for number in range(5):
        category = "bread" if number % 2 else "cake"
        await shelf.put(f"Item {number}", (f"sku-{number}", 100), category=category)

    assert await shelf.names(category="bread") == ["Item 1", "Item 3"]
    assert await shelf.names(category="Bread") == []
    assert await all_in_pages(shelf, 1, category="cake", search="item") == [
        "Item 0",
        "Item 2",
        "Item 4",
    ]


async def test_a_new_name_is_found_and_the_old_one_is_not(shelf):
    await shelf.load("sku | product | price | currency\na | Bun | 1 | EUR")
    await shelf.load("sku | product | variant | price | currency\na | Bun | Raisin | 1 | EUR")

    assert await shelf.names(search="raisin") == ["Bun"]

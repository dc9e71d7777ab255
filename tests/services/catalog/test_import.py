"""Import: whole or not at all, every fault by line and column, the same file twice is no change."""

import asyncio

import msgspec
import pytest

from emporion.contracts.catalog import GetProduct, ImportProducts, ImportRow, ListProducts
from emporion.services.catalog.domain.product import VARIANTS_MAX

BAKERY = """
sku      | product   | variant      | price | currency | description | category
plain    | Croissant |              | 2.50  | EUR      | Buttery     | Viennoiserie
almond   | Croissant | with almonds | 3.10  | EUR      |             |
baguette | Baguette  |              | 1.2   | EUR      |             | Bread
mochi    | Mochi     |              | 300   | JPY      |             |
"""


def row(**cells):
    """A line that is right, but for these cells."""
    right = {"line": 7, "sku": "a", "product": "A", "price": "1", "currency": "EUR"}
    return msgspec.convert(right | cells, ImportRow)


async def faults(shelf, *rows):
    report = await shelf.api.import_products(ImportProducts(rows=list(rows)))
    assert (report.created, report.updated, report.unchanged) == (0, 0, 0)
    assert await shelf.names() == []
    return [(error.line, error.column) for error in report.errors]


async def test_lines_of_one_name_become_variants_of_one_product(shelf):
    report = await shelf.load(BAKERY)

    page = await shelf.api.list_products(ListProducts())
    assert (report.created, report.updated, report.unchanged, report.errors) == (4, 0, 0, [])
    assert [product.name for product in page.products] == ["Baguette", "Croissant", "Mochi"]
    croissant = page.products[1]
    assert [(each.sku, each.name, str(each.price)) for each in croissant.variants] == [
        ("plain", "Croissant", "2.50 EUR"),
        ("almond", "with almonds", "3.10 EUR"),
    ]
    assert (croissant.description, croissant.category) == ("Buttery", "Viennoiserie")


async def test_the_same_file_twice_changes_nothing(shelf):
    await shelf.load(BAKERY)
    before = await shelf.api.list_products(ListProducts())
    announced = await shelf.announced()
    shelf.clock.advance(60)

    report = await shelf.load(BAKERY)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 4)
    assert await shelf.api.list_products(ListProducts()) == before
    assert await shelf.announced() == announced


async def test_the_same_file_from_many_at_once_creates_each_product_once(shelf):
    reports = await asyncio.gather(*(shelf.load(BAKERY) for _ in range(5)))

    assert sorted(report.created for report in reports) == [0, 0, 0, 0, 4]
    assert len(await shelf.names()) == 3


async def test_a_file_in_two_parts_gives_the_same_products_as_in_one(shelf):
    header, *rows = BAKERY.strip().splitlines()
    for part in (rows[:1], rows[1:]):
        await shelf.load("\n".join([header, *part]))

    page = await shelf.api.list_products(ListProducts(search="croissant"))

    (croissant,) = page.products
    assert [variant.sku for variant in croissant.variants] == ["plain", "almond"]
    assert croissant.description == "Buttery"
    again = await shelf.load(BAKERY)
    assert again.unchanged == 4


async def test_a_new_price_and_a_new_variant_are_told_apart_from_what_stays(shelf):
    await shelf.load(BAKERY)

    report = await shelf.load(
        """
        sku      | product   | variant      | price | currency
        almond   | Croissant | with almonds | 3.30  | EUR
        plain    | Croissant |              | 2.50  | EUR
        cheese   | Croissant | with cheese  | 3.00  | EUR
        """
    )

    assert (report.created, report.updated, report.unchanged) == (1, 1, 1)
    assert await shelf.price("almond") == "3.30 EUR"


async def test_an_import_never_takes_variants_away(shelf):
    await shelf.load(BAKERY)

    await shelf.load("sku | product | price | currency\nplain | Croissant | 2.60 | EUR")

    assert await shelf.price("almond") == "3.10 EUR"


async def test_a_dry_run_reports_the_same_and_writes_nothing(shelf):
    dry = await shelf.load(BAKERY, is_dry_run=True)

    assert await shelf.names() == []
    assert await shelf.announced() == []
    assert await shelf.load(BAKERY) == dry


async def test_one_wrong_line_keeps_all_others_out(shelf):
    report = await shelf.load(BAKERY.rstrip() + "\nbad sku | X | | 1 | EUR | |")

    assert [(error.line, error.column) for error in report.errors] == [(6, "sku")]
    assert report.created == 0
    assert await shelf.names() == []


async def test_every_fault_of_a_line_and_of_every_line_is_told_at_once(shelf):
    found = await faults(
        shelf,
        row(line=1, sku="?", price="free", currency="EUR"),
        row(line=2, product="", currency="QQQ"),
        row(line=3, sku="b"),
    )

    assert found == [(1, "sku"), (1, "price"), (2, "product"), (2, "currency")]


@pytest.mark.parametrize("second_line", [8, 7])
async def test_one_sku_on_two_lines_is_a_fault_of_the_second(shelf, second_line):
    found = await faults(
        shelf, row(line=7), row(line=second_line, product="B", price="2"), row(line=9, sku="b")
    )

    assert found == [(second_line, "sku")]


async def test_a_product_described_in_two_ways_is_a_fault(shelf):
    found = await faults(
        shelf,
        row(line=1, description="red", category="x"),
        row(line=2, sku="b", description="blue", category="x"),
        row(line=3, sku="c", category="y"),
    )

    assert found == [(2, "description"), (3, "category")]


async def test_the_sku_of_another_product_is_a_fault_that_names_the_owner(shelf):
    await shelf.load(BAKERY)

    report = await shelf.load(
        """
        sku   | product | price | currency
        plain | Thief   | 1     | EUR
        own   | Thief   | 1     | EUR
        """
    )

    (error,) = report.errors
    assert (error.line, error.column) == (2, "sku")
    assert "Croissant" in error.message
    assert await shelf.price("plain") == "2.50 EUR"
    assert await shelf.names(search="thief") == []


async def test_a_product_has_a_limited_number_of_variants_over_all_files(shelf):
    def rows(first, count):
        return [
            row(line=number, sku=f"sku-{number}", product="Big", variant=str(number))
            for number in range(first, first + count)
        ]

    full = await shelf.api.import_products(ImportProducts(rows=rows(1, VARIANTS_MAX)))
    more = await shelf.api.import_products(ImportProducts(rows=rows(1_001, 1)))

    assert full.created == VARIANTS_MAX
    assert [(error.line, error.column) for error in more.errors] == [(1_001, "product")]


async def test_an_archived_product_that_is_imported_is_on_sale_again(shelf):
    await shelf.load(BAKERY)
    (baguette, *_) = (await shelf.api.list_products(ListProducts())).products
    await shelf.api.archive_product(GetProduct(product_id=baguette.product_id))

    report = await shelf.load(BAKERY)

    assert (report.updated, report.unchanged) == (1, 3)
    assert await shelf.price("baguette") == "1.20 EUR"


async def test_of_two_products_with_one_name_the_one_that_owns_the_sku_is_meant(shelf):
    await shelf.put("Twin", ("first", 100))
    await shelf.put("Twin", ("second", 200))

    report = await shelf.load("sku | product | price | currency\nsecond | Twin | 2.50 | EUR")

    assert (report.updated, report.errors) == (1, [])
    assert await shelf.price("second") == "2.50 EUR"
    assert await shelf.price("first") == "1.00 EUR"


async def test_blanks_around_cells_do_not_count(shelf):
    rows = [row(sku=" a ", product="\tA ", price=" 1.50 ", currency="EUR ")]

    report = await shelf.api.import_products(ImportProducts(rows=rows))

    assert report.errors == []
    assert await shelf.price("a") == "1.50 EUR"


async def test_a_thousand_lines_are_one_request(shelf):
    rows = [row(line=number, sku=f"s{number}", product=f"P{number}") for number in range(1, 1_001)]

    first = await shelf.api.import_products(ImportProducts(rows=rows))
    second = await shelf.api.import_products(ImportProducts(rows=rows))

    assert (first.created, second.unchanged) == (1_000, 1_000)

"""The rules of the catalog, for any product and any file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import MINOR_DIGITS, Money
from emporion.services.catalog.domain.catalogue_file import Line, plan, read
from emporion.services.catalog.domain.product import (
    Product,
    Variant,
    label,
    search_key,
    search_text,
)

WORDS = st.text(st.sampled_from("aAbÉ %_\\-'"), min_size=1, max_size=6)
CELLS = st.one_of(
    st.sampled_from(["a", "b", "A b", "", "1.50", "EUR", "\x00"]), st.text(max_size=8)
)
GOOD = st.builds(
    Line,
    number=st.integers(1, 99),
    sku=st.from_regex(r"[a-z]{1,2}", fullmatch=True),
    product=st.sampled_from(["Bun", "Roll", "Tart"]),
    price=st.decimals(1, 9, places=2).map(str),
    currency=st.sampled_from(["EUR", "USD"]),
    variant=st.sampled_from(["", "small", "large"]),
    description=st.just(""),
    category=st.just(""),
)
ANY = st.builds(Line, st.integers(1, 99), CELLS, CELLS, CELLS, CELLS, CELLS, CELLS, CELLS)


def new_id(name: str) -> ProductId:
    return ProductId("prd_" + name)


@given(st.lists(GOOD, unique_by=lambda line: line.sku, max_size=20))
def test_a_file_read_again_after_it_was_written_changes_nothing(lines):
    first = plan(read(lines), [], new_id=new_id, now_ms=1)
    second = plan(read(lines), first.products, new_id=new_id, now_ms=2)

    assert first.faults == []
    assert first.tally == (len(lines), 0, 0)
    assert second.products == []
    assert second.tally == (0, 0, len(lines))


@given(st.lists(GOOD, unique_by=lambda line: line.sku, max_size=20))
def test_every_line_becomes_exactly_one_variant_of_the_product_it_names(lines):
    products = plan(read(lines), [], new_id=new_id, now_ms=1).products

    made = {
        variant.sku: (product.name, variant.price)
        for product in products
        for variant in product.variants
    }
    assert sum(len(product.variants) for product in products) == len(lines)
    assert set(made) == {line.sku for line in lines}
    assert all(made[Sku(line.sku)][0] == line.product for line in lines)


@given(st.lists(st.one_of(GOOD, ANY), max_size=20))
def test_with_any_fault_nothing_is_written_and_every_fault_points_at_a_cell_of_the_file(lines):
    made = plan(read(lines), [], new_id=new_id, now_ms=1)

    assert not (made.faults and made.products)
    assert sum(made.tally) == (0 if made.faults else len(lines))
    numbers = {line.number for line in lines}
    assert all(fault.line in numbers and fault.column in Line._fields for fault in made.faults)


@given(st.integers(1, 10**9), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_price_is_read_exactly(amount_minor, currency):
    price = Money(amount_minor, currency)
    text = str(price).split()[0]

    (product,) = plan(
        read([Line(1, "a", "A", text, currency)]), [], new_id=new_id, now_ms=1
    ).products

    assert product.variants[0].price == price
    assert MINOR_DIGITS[currency] == len(text.partition(".")[2])


@given(WORDS, WORDS, WORDS)
def test_a_search_key_is_in_exactly_the_texts_that_contain_the_search(name, sku, search):
    product = Product(new_id("x"), name, "", "", (Variant(Sku(sku), name, Money(1, "EUR")),))

    contains = search.casefold() in name.casefold() or search.casefold() in sku.casefold()
    assert (search_key(search) in search_text(product)) == contains


def test_a_variant_named_like_its_product_is_called_so_once():
    assert label("Croissant", "Croissant") == "Croissant"
    assert label("Croissant", "with almonds") == "Croissant, with almonds"


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "has blank"}, "sku"),
        ({"sku": "-dash-first"}, "sku"),
        ({"sku": "x" * 65}, "sku"),
        ({"sku": "ünïcode"}, "sku"),
        ({"product": ""}, "product"),
        ({"product": " \t "}, "product"),
        ({"product": "x" * 201}, "product"),
        ({"product": "nul\x00byte"}, "product"),
        ({"variant": "x" * 201}, "variant"),
        ({"variant": "line\nbreak"}, "variant"),
        ({"description": "x" * 4_001}, "description"),
        ({"description": "bell\x07"}, "description"),
        ({"category": "x" * 101}, "category"),
        ({"category": "esc\x1b[0m"}, "category"),
        ({"price": ""}, "price"),
        ({"price": "free"}, "price"),
        ({"price": "2,50"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "0"}, "price"),
        ({"price": "0.00"}, "price"),
        ({"price": "1.234"}, "price"),
        ({"price": "1e5"}, "price"),
        ({"price": "٣"}, "price"),
        ({"price": "9" * 5_000}, "price"),
        ({"price": "99999999999"}, "price"),
        ({"price": "99999999999999999"}, "price"),
        ({"price": "1.5", "currency": "JPY"}, "price"),
        ({"currency": ""}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "XXX"}, "currency"),
    ],
)
def test_a_cell_that_is_wrong_is_named_by_line_and_column(cells, column):
    right = {"sku": "a", "product": "A", "price": "1", "currency": "EUR"}

    made = plan(read([Line(7, **(right | cells))]), [], new_id=new_id, now_ms=1)

    assert [(fault.line, fault.column) for fault in made.faults] == [(7, column)]

"""Catalogue files as people write them, and every way they can be wrong."""

from pathlib import Path

import pytest

from emporion.platform.catalog_file import CHUNK_ROWS_MAX, read_catalog
from emporion.platform.table_file import BadFile, Mistake

HEADER = "sku,product,price,currency,variant,stock,warehouse\n"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "catalogue.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def mistakes(folder: Path, content: str | bytes) -> list[Mistake]:
    with pytest.raises(BadFile) as caught:
        read_catalog(write(folder, content))
    return caught.value.mistakes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_found_by_name_whatever_separates_them(tmp_path, delimiter):
    text = "Currency,Price,SKU,Product\nEUR,2.50,croissant,Croissant\n".replace(",", delimiter)
    catalog = read_catalog(write(tmp_path, text))

    (row,) = next(catalog.chunks())
    assert (row.line, row.sku, row.product, row.price) == (2, "croissant", "Croissant", "2.50")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    catalog = read_catalog(write(tmp_path, b"\xef\xbb\xbf" + HEADER.encode() + b"a,A,1,EUR,,,\r\n"))

    assert [row.sku for row in next(catalog.chunks())] == ["a"]


def test_a_cell_over_several_lines_keeps_the_number_of_its_first(tmp_path):
    text = HEADER + '"a","Two\nlines",1,EUR,,,\nb,B,1,EUR,,x,\n'

    assert mistakes(tmp_path, text)[0].line == 4


def test_latin_1_is_named_with_its_line(tmp_path):
    (mistake,) = mistakes(tmp_path, HEADER.encode() + "a,Crème,1,EUR,,,\n".encode("latin-1"))

    assert mistake.line == 2
    assert "0xe8 is not UTF-8" in mistake.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be a header"),
        ("\n", "must be a header"),
        ("sku,product,price\na,A,1\n", "currency: the header lacks this column"),
        ("sku,product,price,currency,colour\n", "colour: unknown column"),
        ("sku,sku,product,price,currency\n", "sku: twice"),
        (HEADER, "no products below"),
        (HEADER + "a,A,1,EUR\n", "4 cells, but 7 columns"),
        (HEADER + "a,A,1,EUR,,ten,\n", "stock: 'ten' is not a whole number"),
        (HEADER + "a,A,1,EUR,,-1,\n", "stock: '-1' is not a whole number"),
        (HEADER + "a,A,1,EUR,,1,Main Street\n", "warehouse: use 1..40"),
        (HEADER + 'a,"A,1,EUR,,1,\n', "quote a cell"),
        (HEADER + "a,A,1,EUR,,,\na,A,2,EUR,,,\n", "sku: 'a' stands in line 2 already"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, content, said):
    found = mistakes(tmp_path, content)

    assert said in " / ".join(mistake.show("f.csv") for mistake in found)


def test_a_missing_file_is_named():
    with pytest.raises(BadFile) as caught:
        read_catalog(Path("no-such-file.csv"))

    assert caught.value.mistakes[0].show(caught.value.file) == (
        "no-such-file.csv: no such file or directory"
    )


def test_the_lines_of_a_product_are_never_split_over_chunks(tmp_path):
    lines = [f"s{n},P{n % 400},1,EUR,v{n},,\n" for n in range(1_500)]
    catalog = read_catalog(write(tmp_path, HEADER + "".join(lines)))

    chunks = list(catalog.chunks())
    homes: dict[str, set[int]] = {}
    for number, chunk in enumerate(chunks):
        assert len(chunk) <= CHUNK_ROWS_MAX
        for row in chunk:
            homes.setdefault(row.product, set()).add(number)
    assert sum(map(len, chunks)) == 1_500
    assert all(len(home) == 1 for home in homes.values())


def test_stock_is_keyed_by_content_and_line_so_that_it_is_received_once(tmp_path):
    first = read_catalog(write(tmp_path, HEADER + "a,A,1,EUR,,5,\nb,B,1,EUR,,0,\n"))
    again = read_catalog(write(tmp_path, HEADER + "a,A,1,EUR,,5,\nb,B,1,EUR,,0,\n"))
    other = read_catalog(write(tmp_path, HEADER + "a,A,1,EUR,,6,\nb,B,1,EUR,,0,\n"))

    keys = [[receipt.movement_key for receipt in c.receipts] for c in (first, again, other)]
    assert keys[0] == keys[1] == [f"import-{first.digest}-2"]
    assert keys[2] != keys[0]
    assert first.warehouses == ["main"]

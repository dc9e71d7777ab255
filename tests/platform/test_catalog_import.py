"""A catalogue file into a shop: checked whole, then written, and repeatable."""

from pathlib import Path

import pytest

from emporion.platform.catalog_file import read_catalog
from emporion.platform.catalog_import import import_catalog
from emporion.platform.client.address import Address
from emporion.platform.client.rest import RestClients
from emporion.platform.table_file import BadFile
from tests.platform.fakeshop import fake_shop


def catalogue(folder: Path, lines: list[str]) -> Path:
    path = folder / "c.csv"
    path.write_text("sku,product,price,currency,stock,warehouse\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
async def shop():
    async with fake_shop() as running:
        yield running


@pytest.fixture
async def clients(shop):
    connected = RestClients(Address.parse(shop.url))
    await connected.sign_in("operator@emporion.test", "emporion-demo-operator")
    yield connected
    connected.close()


async def test_products_warehouses_and_stock_arrive_once(tmp_path, shop, clients):
    lines = [f"s{n},P{n},1.50,EUR,10,{'main' if n % 2 else 'east'}" for n in range(1_200)]
    catalog = read_catalog(catalogue(tmp_path, lines))

    summary = await import_catalog(clients, catalog)
    again = await import_catalog(clients, catalog)

    assert (summary.lines, summary.created, summary.units) == (1_200, 1_200, 12_000)
    assert (summary.warehouses_created, again.warehouses_created) == (2, 0)
    assert sum(movement["quantity"] for movement in shop.movements.values()) == 12_000


async def test_one_bad_line_in_the_last_chunk_keeps_everything_out(tmp_path, shop, clients):
    lines = [f"s{n},P{n},1.50,EUR,1,main" for n in range(1_100)] + ["x,X,cheap,EUR,1,main"]

    with pytest.raises(BadFile) as caught:
        await import_catalog(clients, read_catalog(catalogue(tmp_path, lines)))

    assert caught.value.mistakes[0].show("c.csv") == "c.csv:1102: price: is not an amount"
    assert shop.imported == []
    assert shop.movements == {}


async def test_a_dry_run_writes_nothing(tmp_path, shop, clients):
    catalog = read_catalog(catalogue(tmp_path, ["a,A,1,EUR,3,main"]))

    summary = await import_catalog(clients, catalog, is_dry_run=True)

    assert summary.created == 1
    assert shop.imported == []
    assert shop.movements == {}
    assert shop.warehouses == {}

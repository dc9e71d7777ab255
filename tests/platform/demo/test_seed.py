"""The demo catalogue and the words that greet a newcomer."""

import asyncio
import shutil
from importlib.resources import files
from pathlib import Path

from emporion.platform.catalog_file import read_catalog
from emporion.platform.client.address import Address
from emporion.platform.client.rest import RestClients
from emporion.platform.demo.seed import first_order, seed
from tests.platform.fakeshop import fake_shop


def test_the_demo_catalogue_has_no_mistake():
    catalog = read_catalog(Path(str(files("emporion.platform.demo") / "catalogue.csv")))

    assert sum(map(len, catalog.products)) == 24
    assert len(catalog.receipts) == 24


async def test_only_an_empty_shop_is_filled():
    async with fake_shop(prices={}) as shop:
        clients = RestClients(Address.parse(shop.url))
        await clients.sign_in("operator@emporion.test", "emporion-demo-operator")

        first = await seed(clients)
        second = await seed(clients)
        clients.close()

        assert first is not None
        assert first.units == sum(m["quantity"] for m in shop.movements.values()) > 100_000
        assert second is None
        assert "/api/promotions/welcome" in shop.offers and "/api/deliveries/post" in shop.offers


async def test_the_printed_commands_place_an_order():
    shell, curl = shutil.which("sh"), shutil.which("curl")
    assert shell and curl, "the printed commands need sh and curl"
    async with fake_shop(prices={"croissant": 250}) as shop:
        lines = first_order(shop.url).splitlines()
        script = "\n".join(line[2:] for line in lines if line.startswith("  "))
        process = await asyncio.create_subprocess_exec(
            shell, "-euc", script, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()

        assert process.returncode == 0
        (order,) = shop.orders.values()
        assert order["owner"] == "ada@example.test"
        assert order["order_id"] in out.decode()

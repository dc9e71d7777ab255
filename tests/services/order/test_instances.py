"""Two instances of the order service on one PostgreSQL database: nothing of a cart is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.testing.databases import migrations_of, postgres_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.order import Order
from emporion.contracts.order_carts import Checkout, EmptyCart
from emporion.kernel.errors import Conflict
from tests.services.order.fakes import ADA
from tests.services.order.rig import Shop
from tests.services.vaults import open_vault


@pytest.fixture
async def shops(tmp_path: Path) -> AsyncIterator[list[Shop]]:
    tables = [migrations_of("order", "postgres")]
    async with (
        postgres_database(tmp_path, tables, source="order", runtime=manual_runtime(seed=1)) as one,
        postgres_database(tmp_path, tables, source="order", runtime=manual_runtime(seed=2)) as two,
        open_vault(tmp_path, manual_runtime()) as vault,
    ):
        opened = [
            Shop(database, manual_runtime(seed=seed), vault)
            for seed, database in enumerate((one, two), start=1)
        ]
        yield opened
        assert await opened[0].books_balance()


async def test_adds_to_both_all_count(shops) -> None:
    await asyncio.gather(*(shop.add(sku) for shop in shops for sku in ("bread", "tea") * 15))
    assert await shops[0].cart() == {"bread": 30, "tea": 30}


async def test_a_key_that_both_get_counts_once(shops) -> None:
    await asyncio.gather(*(shop.add("bread", 2, key="once") for shop in shops * 5))
    assert await shops[0].cart() == {"bread": 2}


async def test_what_is_added_while_the_cart_is_ordered_is_ordered_or_still_there(shops) -> None:
    one, other = shops
    await one.add("bread")

    async def checkout(key: str) -> Order | None:
        request = Checkout(idempotency_key=key, payment_token="tok_ok")
        try:
            ordered: Order = await other.as_user(ADA, other.api.checkout(request))
        except (EmptyCart, Conflict):
            return None
        return ordered

    results = await asyncio.gather(
        *(one.add("bread") for _ in range(20)), *(checkout(f"k{n}") for n in range(10))
    )
    orders = [result for result in results if isinstance(result, Order)]
    ordered = sum(line.quantity for order in orders for line in order.lines)
    left = await one.cart()
    assert orders
    assert ordered + left.get("bread", 0) == 21


async def test_an_order_that_both_are_asked_for_is_taken_once(shops) -> None:
    orders = await asyncio.gather(*(shop.place("same") for shop in shops * 5))
    assert len({order.order_id for order in orders}) == 1
    assert shops[0].payments.charges + shops[1].payments.charges >= 1

"""Several instances of inventory on one PostgreSQL database: nothing oversold, nothing leaked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emporion.chassis.data.database import Database
from emporion.chassis.testing.databases import migrations_of, postgres_database
from emporion.contracts.inventory import (
    MoveStock,
    OutOfStock,
    PutWarehouse,
    ReservationReleased,
)
from emporion.kernel.errors import FailedPrecondition
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory import audit
from emporion.services.inventory.adapters.sql import SqlHoldStore, SqlStockStore
from emporion.services.inventory.domain import WAREHOUSES_MAX, Hold, Status

SKUS = [Sku(name) for name in ("bread", "butter", "jam", "tea")]
UNITS = 30


class Instance:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.holds, self.stock = SqlHoldStore(database), SqlStockStore(database)

    async def reserve(self, number: int, *skus: Sku) -> Hold:
        wanted = dict.fromkeys(sorted(skus), 1)
        return await self.holds.reserve(
            order_id(number), wanted, now_ms=0, expires_at_ms=1_000 + number
        )


def order_id(number: int) -> OrderId:
    return OrderId(f"ord_{number:032x}")


@pytest.fixture
async def instances(tmp_path: Path) -> AsyncIterator[list[Instance]]:
    """Two instances, and UNITS of each SKU in each of two warehouses; the books balance at last."""
    tables = [migrations_of("inventory", "postgres")]
    async with (
        postgres_database(tmp_path, tables, source="inventory") as one,
        postgres_database(tmp_path, tables, source="inventory") as other,
    ):
        opened = [Instance(one), Instance(other)]
        for name in ("east", "west"):
            warehouse = PutWarehouse(warehouse_id=WarehouseId(name), name=name, priority=1)
            await opened[0].stock.put_warehouse(warehouse)
            moves = [
                MoveStock(
                    movement_key=f"{sku} {name}",
                    sku=sku,
                    warehouse_id=WarehouseId(name),
                    quantity=UNITS,
                )
                for sku in SKUS
            ]
            await opened[0].stock.move(moves, now_ms=0)
        yield opened
        assert [found async for found in audit.violations(one)] == []


async def test_buyers_of_several_things_get_what_there_is_and_no_more(instances) -> None:
    """300 buyers of two SKUs each, of 60 units of each of four, asking two instances at once."""
    pairs = [(SKUS[n % 4], SKUS[(n + 1 + n // 4 % 3) % 4]) for n in range(300)]
    outcomes = await asyncio.gather(
        *(instances[n % 2].reserve(n, *pair) for n, pair in enumerate(pairs)),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {Hold, OutOfStock}
    sold = Counter(
        sku
        for pair, outcome in zip(pairs, outcomes, strict=True)
        if isinstance(outcome, Hold)
        for sku in pair
    )
    for sku in SKUS:
        assert await instances[0].stock.available(sku) == 2 * UNITS - sold[sku] >= 0
    assert sum(await asyncio.gather(*(instances[0].stock.available(sku) for sku in SKUS))) < 8


async def test_an_order_that_asks_both_at_once_has_one_hold(instances) -> None:
    holds = await asyncio.gather(
        *(instance.reserve(number, "jam") for number in range(20) for instance in instances)
    )

    assert all(hold.status is Status.HELD for hold in holds)
    assert await instances[0].stock.available(Sku("jam")) == 2 * UNITS - 20


async def test_a_release_that_meets_its_reservation_leaves_nothing_held(instances) -> None:
    one, other = instances
    outcomes = await asyncio.gather(
        *(
            call
            for number in range(30)
            for call in (
                one.reserve(number, "tea"),
                other.holds.release(order_id(number), now_ms=1),
            )
        ),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} <= {Hold, ReservationReleased}
    assert await one.stock.available(Sku("tea")) == 2 * UNITS
    for number in range(30):
        with pytest.raises(ReservationReleased):
            await one.reserve(number, "tea")


async def test_a_hold_that_two_release_at_once_is_given_back_once(instances) -> None:
    await asyncio.gather(*(instances[0].reserve(number, "tea") for number in range(20)))
    await asyncio.gather(
        *(
            instance.holds.release(order_id(number), now_ms=1)
            for number in range(20)
            for instance in instances
        )
    )

    assert await instances[0].stock.available(Sku("tea")) == 2 * UNITS


async def test_two_that_open_the_last_warehouse_do_not_both(instances) -> None:
    one, other = instances
    for number in range(2, WAREHOUSES_MAX - 1):
        await one.stock.put_warehouse(warehouse(number))
    outcomes = await asyncio.gather(
        *(
            instance.stock.put_warehouse(warehouse(1_000 + 10 * n + number))
            for n, instance in enumerate((one, other))
            for number in range(5)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, FailedPrecondition) for outcome in outcomes) == 9
    assert len(await one.stock.warehouses()) == WAREHOUSES_MAX


def warehouse(number: int) -> PutWarehouse:
    return PutWarehouse(warehouse_id=WarehouseId(f"w{number}"), name=f"W {number}", priority=1)

"""What documents alone do: several instances at once, a server that dies, indexes that serve."""

import asyncio
import secrets
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from emporion.chassis.data.mongo.database import MongoOptions
from emporion.chassis.data.mongo.transaction import MongoTx
from emporion.chassis.testing.mongo import dropped, migrations_of, mongo_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.inventory import MoveStock, OutOfStock, PutWarehouse
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory import audit
from emporion.services.inventory.adapters.mongo import MongoHoldStore, MongoStockStore
from emporion.services.inventory.domain import Hold
from tests.engines.mongodb import MongoServer, sockets_collected

__all__ = ["sockets_collected"]
CLIENTS = 4
BUYERS = 120
STOCK = 50
TART = Sku("tart")


async def instances(stack: AsyncExitStack, url: str, name: str, count: int = CLIENTS):
    """The databases of several instances of the service, each with connections of its own."""
    return [
        await stack.enter_async_context(
            mongo_database(
                url,
                name,
                [migrations_of("inventory")],
                source="inventory",
                runtime=manual_runtime(ManualClock(), seed=seed),
                options=MongoOptions(timeout_s=40),
            )
        )
        for seed in range(count)
    ]


async def furnish(database, quantity):
    stock = MongoStockStore(database)
    main = WarehouseId("main")
    await stock.put_warehouse(PutWarehouse(warehouse_id=main, name="Main", priority=1))
    delivery = MoveStock(movement_key="d", sku=TART, warehouse_id=main, quantity=quantity)
    await stock.move([delivery], now_ms=0)


async def reserve(holds, number):
    order_id = OrderId(f"ord_{number:032x}")
    return await holds.reserve(order_id, {TART: 1}, now_ms=1, expires_at_ms=9_000)


async def level(database):
    (only,) = await MongoStockStore(database).levels(
        sku=TART, warehouse_id=None, after=("", ""), limit=9
    )
    return only.on_hand, only.reserved


async def violations(database):
    return [found async for found in audit.violations(database)]


async def test_a_hundred_and_twenty_buyers_at_four_instances_get_exactly_the_fifty_units(
    mongodb_url,
):
    name = f"inventory_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name), AsyncExitStack() as stack:
        databases = await instances(stack, mongodb_url, name)
        await furnish(databases[0], STOCK)

        holds = [MongoHoldStore(database) for database in databases]
        outcomes = await asyncio.gather(
            *(reserve(holds[number % CLIENTS], number) for number in range(BUYERS)),
            return_exceptions=True,
        )

        assert sum(isinstance(each, Hold) for each in outcomes) == STOCK
        assert sum(isinstance(each, OutOfStock) for each in outcomes) == BUYERS - STOCK
        assert await level(databases[0]) == (STOCK, STOCK)
        assert await violations(databases[0]) == []


async def test_a_hold_costs_three_round_trips_and_a_hundred_at_once_cost_few_more(
    mongodb_url, monkeypatch
):
    trips: list[str] = []

    def count(owner, method):
        original = getattr(owner, method)

        async def counting(*args, **named):
            trips.append(method)
            return await original(*args, **named)

        monkeypatch.setattr(owner, method, counting)

    name = f"inventory_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name), AsyncExitStack() as stack:
        (database,) = await instances(stack, mongodb_url, name, 1)
        await furnish(database, BUYERS)
        for method in ("find", "aggregate", "_bulk"):
            count(MongoTx, method)
        count(AsyncClientSession, "commit_transaction")
        holds = MongoHoldStore(database)

        await reserve(holds, 0)
        assert trips == ["aggregate", "_bulk", "commit_transaction"]
        await asyncio.gather(*(reserve(holds, number) for number in range(1, 101)))
        assert trips == ["aggregate", "_bulk", "commit_transaction"] * 2
        assert await level(database) == (BUYERS, 101)


@pytest.mark.usefixtures("sockets_collected")
async def test_a_server_that_dies_under_load_loses_no_hold_that_was_confirmed(tmp_path: Path):
    server = MongoServer(tmp_path, "--sync-on-commit")
    server.start()
    name = "inventory"
    try:
        async with AsyncExitStack() as stack:
            databases = await instances(stack, server.url, name, 2)
            await furnish(databases[0], BUYERS)
            holds = [MongoHoldStore(database) for database in databases]
            kept: set[str] = set()
            is_loaded = asyncio.Event()

            async def buy_ten(buyer):
                for number in range(buyer * 10, buyer * 10 + 10):
                    with suppress(EmporionError):
                        hold = await reserve(holds[buyer % 2], number)
                        kept.add(hold.order_id)
                    if len(kept) >= 20:
                        is_loaded.set()

            buying = [asyncio.ensure_future(buy_ten(buyer)) for buyer in range(10)]
            await is_loaded.wait()
            server.kill()
            before = len(kept)
            await asyncio.to_thread(server.start)
            await asyncio.gather(*buying)

            assert 20 <= before < len(kept)
            held = {hold.order_id async for hold in audit.open_holds(databases[0])}
            assert kept <= held
            assert await level(databases[0]) == (BUYERS, len(held))
            assert await violations(databases[0]) == []
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("collection", "chosen", "sort", "index"),
    [
        ("hold", {"expires_at_ms": {"$lte": 9}}, [("expires_at_ms", 1)], "hold_due"),
        ("hold", {"status": "held", "_id": {"$lt": "z"}}, [("_id", -1)], "hold_by_status"),
        ("level", {"sku": "tart"}, [("sku", 1), ("warehouse_id", 1)], "level_of_sku"),
        ("movement", {"sku": "tart"}, [("seq", -1)], "movement_of_sku"),
        ("outbox", {"unsent": {"$gt": 0}}, [("unsent", 1)], "outbox_unsent"),
    ],
)
async def test_an_index_serves_what_is_asked_for_often(
    mongodb_url, collection, chosen, sort, index
):
    name = f"inventory_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name), AsyncExitStack() as stack:
        await instances(stack, mongodb_url, name, 1)
        client = await stack.enter_async_context(AsyncMongoClient[dict[str, Any]](mongodb_url))
        plan = await client[name][collection].find(chosen).sort(sort).explain()

        assert f"'indexName': '{index}'" in str(plan["queryPlanner"]["winningPlan"])

"""The audit of the stock: silent when the books balance, and it names what does not."""

from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.database import Database
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.inventory import (
    InventoryService,
    Line,
    MoveStock,
    PutWarehouse,
    Reserve,
)
from emporion.contracts.order import HoldNeeded, OrderOf
from emporion.kernel.errors import FailedPrecondition, Internal, InvalidArgument
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory import audit
from emporion.services.inventory.service import build, stores
from tests.services.inventory.engines import Damage, Documentdb, Mongodb, Sqlite

TART = Sku("tart")
EAST, MAIN = WarehouseId("east"), WarehouseId("main")


MOVED, HELD, POSSIBLE = audit.MOVED, audit.HELD, audit.POSSIBLE


@pytest.mark.parametrize(
    ("damages", "expected"),
    [
        ([Damage("level", "tart", {"on_hand": 11})], [(MOVED, "tart/main")]),
        ([Damage("level", "croissant", {})], [(MOVED, "croissant/main")]),
        ([Damage("level", "tart", {"reserved": 1})], [(HELD, "tart/main")]),
        ([Damage("level", "croissant", {"reserved": 1})], [(HELD, "croissant/main")]),
        ([Damage("hold", None, {})], [(HELD, "tart/main")]),
        ([Damage("hold", None, {"status": "released"})], [(HELD, "tart/main")]),
        (
            [
                Damage("level", "tart", {"reserved": 12}),
                Damage("hold", None, {"allocations": [["tart", "main", 12]]}),
            ],
            [(POSSIBLE, "tart/main")],
        ),
    ],
)
async def test_damaged_books_are_found_and_the_level_is_named(stockroom, damages, expected):
    await stockroom.stock("croissant", 10)
    await stockroom.stock("tart", 10)
    await stockroom.api.reserve(stockroom.request(("tart", 2)))
    assert await stockroom.violations() == []

    async with stockroom.engine.damaged(stockroom.database, damages):
        found = await stockroom.violations()

    assert [(each.check, each.subject) for each in found] == expected


async def test_the_audit_tells_both_figures(stockroom):
    await stockroom.stock("tart", 10)

    lost = [Damage("level", "tart", {"on_hand": 9})]
    async with stockroom.engine.damaged(stockroom.database, lost):
        found = await stockroom.violations()

    assert found == [audit.Violation(MOVED, "tart/main", "9 on hand, its movements sum to 10")]


@pytest.mark.parametrize("engine", [Sqlite], indirect=True)
async def test_a_movement_can_be_neither_changed_nor_deleted(stockroom):
    await stockroom.stock("tart", 10)
    for sql in ("UPDATE movement SET quantity = 9", "DELETE FROM movement"):

        async def tamper(tx, sql=sql):
            await tx.execute(sql)

        with pytest.raises(Internal, match="append-only"):
            await stockroom.database.transaction(tamper)


async def test_open_holds_are_told_in_order_and_ended_ones_are_not(stockroom, monkeypatch):
    monkeypatch.setattr(audit, "PAGE_SIZE", 2)
    await stockroom.stock("tart", 100)
    requests = [stockroom.request(("tart", 1)) for _ in range(5)]
    for request in requests:
        await stockroom.api.reserve(request)
    await stockroom.api.release(requests[1])
    await stockroom.hear_that_it_is_paid(requests[3])

    told = [hold async for hold in audit.open_holds(stockroom.database)]

    assert told == [
        (requests[0].order_id, "held"),
        (requests[2].order_id, "held"),
        (requests[3].order_id, "committed"),
        (requests[4].order_id, "held"),
    ]


class OddOrdersAreUndecided:
    """Clients of orders of which the odd ones still need their holds, the even ones do not."""

    def get(self, _contract: object) -> "OddOrdersAreUndecided":
        return self

    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        return HoldNeeded(is_needed=request.order_id[-1] in "13", is_paid=False)


class Shop:
    """Everything that can happen to the stock of one SKU in two warehouses."""

    def __init__(self, database: Database, runtime: Runtime) -> None:
        self.database = database
        self.runtime = runtime
        needs = Needs(
            runtime, database, cast("Clients", OddOrdersAreUndecided()), cast("Any", None)
        )
        self.assembly = build(needs)
        self.api = cast("InventoryService", self.assembly.implementation)
        self.holds, _, _ = stores(database)

    def request(self, number: int) -> Reserve:
        return Reserve(
            order_id=OrderId(f"ord_{number:032x}"),
            lines=[Line(sku=TART, quantity=number)],
            expires_in_s=10,
        )

    async def reserve(self, number: int) -> None:
        await self.api.reserve(self.request(number))

    async def release(self, number: int) -> None:
        await self.api.release(self.request(number))

    async def pay(self, number: int) -> None:
        order_id, now_ms = self.request(number).order_id, self.runtime.clock.now_ms()
        await self.database.transaction(
            lambda tx: self.holds.commit(tx, order_id, {TART: number}, now_ms=now_ms)
        )

    async def move(self, number: int) -> None:
        for id_ in (EAST, MAIN):
            key = self.runtime.ids.new("key")
            await self.api.move_stock(
                MoveStock(movement_key=key, sku=TART, warehouse_id=id_, quantity=number - 2)
            )

    async def prefer(self, number: int) -> None:
        for id_, priority in ((EAST, number), (MAIN, 2)):
            await self.api.put_warehouse(
                PutWarehouse(warehouse_id=id_, name=id_, priority=priority)
            )

    async def wait(self, number: int) -> None:
        cast("ManualClock", self.runtime.clock).advance(number * 4)
        await self.assembly.alarms[0]._run_due()


STEPS = st.lists(
    st.tuples(
        st.sampled_from([Shop.reserve, Shop.release, Shop.pay, Shop.move, Shop.prefer, Shop.wait]),
        st.integers(1, 4),
    ),
    max_size=40,
)


@pytest.mark.parametrize("engine", [Sqlite], indirect=True)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_whatever_happens_in_whatever_order_the_books_balance(engine, steps):
    await live_through(engine, steps)


@pytest.mark.parametrize("engine", [Mongodb, Documentdb], indirect=True)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_whatever_happens_on_a_slower_engine_the_books_balance_too(engine, steps):
    await live_through(engine, steps)


async def live_through(engine, steps):
    runtime = manual_runtime()
    async with engine.open(runtime) as database:
        shop = Shop(database, runtime)
        await shop.prefer(1)
        for step, number in steps:
            with suppress(FailedPrecondition, InvalidArgument):  # refusals write nothing
                await step(shop, number)
            assert [found async for found in audit.violations(database)] == []

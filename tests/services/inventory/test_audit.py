"""The audit of the stock: silent when the books balance, and it names what does not."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.databases import migrations_of, sqlite_database
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
from emporion.services.inventory.adapters.sql import SqlHoldStore
from emporion.services.inventory.service import build

TART = Sku("tart")
EAST, MAIN = WarehouseId("east"), WarehouseId("main")


async def planted(stockroom, sql):
    """What the audit says after `sql` has damaged the books; they are repaired afterwards."""
    await stockroom.stock("croissant", 10)
    await stockroom.stock("tart", 10)
    await stockroom.api.reserve(stockroom.request(("tart", 2)))
    assert await stockroom.violations() == []
    connection = stockroom.database._connections[0]
    connection.execute("PRAGMA ignore_check_constraints=ON").fetchall()
    connection.execute("SAVEPOINT damage; " + sql).fetchall()
    try:
        for check, (statement, _) in audit.CHECKS.items():
            for row in connection.execute(statement, (10,)).fetchall():
                yield check, f"{row[0]}/{row[1]}"
    finally:
        connection.execute("ROLLBACK TO damage; RELEASE damage").fetchall()


MOVED, HELD, POSSIBLE = audit.CHECKS


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE level SET on_hand = 11 WHERE sku = 'tart'", [(MOVED, "tart/main")]),
        ("DELETE FROM level WHERE sku = 'croissant'", [(MOVED, "croissant/main")]),
        ("UPDATE level SET reserved = 1 WHERE sku = 'tart'", [(HELD, "tart/main")]),
        ("UPDATE level SET reserved = 1 WHERE sku = 'croissant'", [(HELD, "croissant/main")]),
        ("DELETE FROM hold", [(HELD, "tart/main")]),
        ("UPDATE hold SET status = 'released'", [(HELD, "tart/main")]),
        (
            """UPDATE level SET reserved = 12 WHERE sku = 'tart';
            UPDATE hold SET allocations = '[["tart","main",12]]'""",
            [(POSSIBLE, "tart/main")],
        ),
    ],
)
async def test_damaged_books_are_found_and_the_level_is_named(stockroom, damage, expected):
    found = [violation async for violation in planted(stockroom, damage)]

    assert found == expected


async def test_the_audit_tells_both_figures(stockroom):
    await stockroom.stock("tart", 10)

    async def lose_a_unit(tx):
        await tx.execute("UPDATE level SET on_hand = 9")

    await stockroom.database.transaction(lose_a_unit)

    assert await stockroom.violations() == [
        audit.Violation(MOVED, "tart/main", "9 on hand, its movements sum to 10")
    ]

    async def find_it(tx):
        await tx.execute("UPDATE level SET on_hand = 10")

    await stockroom.database.transaction(find_it)


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

    def __init__(self, database: SqliteDatabase, runtime: Runtime) -> None:
        self.database = database
        self.runtime = runtime
        needs = Needs(
            runtime, database, cast("Clients", OddOrdersAreUndecided()), cast("Any", None)
        )
        self.assembly = build(needs)
        self.api = cast("InventoryService", self.assembly.implementation)
        self.holds = SqlHoldStore(database)

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


@settings(max_examples=25, deadline=None)
@given(STEPS)
async def test_whatever_happens_in_whatever_order_the_books_balance(steps):
    runtime = manual_runtime()
    with tempfile.TemporaryDirectory() as folder:
        async with sqlite_database(
            Path(folder), [migrations_of("inventory")], source="inventory", runtime=runtime
        ) as database:
            shop = Shop(database, runtime)
            await shop.prefer(1)
            for step, number in steps:
                with suppress(FailedPrecondition, InvalidArgument):  # refusals write nothing
                    await step(shop, number)
                assert [found async for found in audit.violations(database)] == []

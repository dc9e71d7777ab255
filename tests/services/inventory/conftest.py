"""A stockroom: inventory as built for production, on each of its engines, in manual time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from emporion.chassis.calls.clients import Clients
from emporion.chassis.data.database import Database
from emporion.chassis.events.subscription import Received
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.saga.port import Sagas
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.inventory import (
    InventoryService,
    Line,
    ListReservations,
    MoveStock,
    PutWarehouse,
    Reserve,
)
from emporion.contracts.inventory_levels import ListLevels
from emporion.contracts.order import HoldNeeded, OrderCreated, OrderOf, OrderService, PricedLine
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.inventory import audit
from emporion.services.inventory.service import build
from tests.engines.mongodb import mongodb_url
from tests.services.inventory.engines import ENGINES, Engine

__all__ = ["engine", "mongodb_url", "stockroom"]

NOT_NEEDED = HoldNeeded(is_needed=False, is_paid=False)
UNDECIDED = HoldNeeded(is_needed=True, is_paid=False)
PAID = HoldNeeded(is_needed=True, is_paid=True)


class KnownOrders:
    """The order service as far as inventory asks it: what it knows, and whether it answers."""

    def __init__(self) -> None:
        self.needs: dict[OrderId, HoldNeeded] = {}
        self.is_reachable = True
        self.asked: list[OrderId] = []

    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        self.asked.append(request.order_id)
        if not self.is_reachable:
            raise Unavailable("the order service is down")
        return self.needs.get(request.order_id, NOT_NEEDED)


class OnlyOrders:
    """Clients (the port) of a topology in which there are only the orders."""

    def __init__(self, orders: KnownOrders) -> None:
        self._orders = orders

    def get(self, contract: type[Any]) -> Any:
        assert contract is OrderService
        return self._orders


class Stockroom:
    """Short words for tests around the built service."""

    def __init__(
        self, engine: Engine, database: Database, clock: ManualClock, orders: KnownOrders
    ) -> None:
        self.engine = engine
        self.database = database
        self.clock = clock
        self.orders = orders
        self.runtime = manual_runtime(clock)
        self.assembly: Assembly = build(
            Needs(
                runtime=self.runtime,
                database=database,
                clients=cast("Clients", OnlyOrders(orders)),
                sagas=cast("Sagas", None),
            )
        )
        self.api = cast("InventoryService", self.assembly.implementation)
        self._keys = 0

    def order_id(self) -> OrderId:
        return OrderId(self.runtime.ids.new("ord"))

    def request(self, *lines: tuple[str, int], order_id: str = "", seconds: int = 900) -> Reserve:
        return Reserve(
            order_id=OrderId(order_id) if order_id else self.order_id(),
            lines=[Line(sku=sku, quantity=quantity) for sku, quantity in lines],  # type: ignore[arg-type]
            expires_in_s=seconds,
        )

    async def warehouse(self, warehouse_id: str, *, priority: int = 100) -> None:
        await self.api.put_warehouse(
            PutWarehouse(
                warehouse_id=warehouse_id,  # type: ignore[arg-type]
                name=warehouse_id.title(),
                priority=priority,
            )
        )

    async def stock(self, sku: str, quantity: int, *, at: str = "main") -> None:
        self._keys += 1
        await self.api.move_stock(self.movement(sku, quantity, at=at, key=f"key-{self._keys}"))

    def movement(self, sku: str, quantity: int, *, at: str = "main", key: str) -> MoveStock:
        return MoveStock(
            movement_key=key,
            sku=sku,  # type: ignore[arg-type]
            warehouse_id=at,  # type: ignore[arg-type]
            quantity=quantity,
        )

    async def levels(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(on hand, reserved) by (SKU, warehouse)."""
        page = await self.api.list_levels(ListLevels(limit=200))
        return {
            (level.sku, level.warehouse_id): (level.on_hand, level.reserved)
            for level in page.levels
        }

    async def statuses(self) -> dict[str, str]:
        page = await self.api.list_reservations(ListReservations(limit=200))
        return {held.order_id: held.status.value for held in page.reservations}

    async def released(self) -> list[str]:
        """The keys of stock.released, in the order in which they were published."""
        return await self.engine.published(self.database, "stock.released")

    async def hear_that_it_is_paid(self, request: Reserve) -> None:
        """Deliver orders.created as the bus does: the reaction in a transaction of its own."""
        (subscription,) = self.assembly.subscriptions
        event = OrderCreated(
            order_id=request.order_id,
            user_id=UserId("usr_" + "0" * 32),
            amount=Money(100, "EUR"),
            lines=[
                PricedLine(
                    sku=line.sku,
                    name=line.sku,
                    quantity=line.quantity,
                    unit_price=Money(1, "EUR"),
                    total=Money(line.quantity, "EUR"),
                )
                for line in request.lines
            ],
            created_at=to_datetime(self.clock.now_ms()),
        )
        received = Received(event, "evt_1", self.clock.now_ms(), "")
        await self.database.transaction(lambda tx: subscription.react(tx, received))

    async def run_alarm(self) -> int | None:
        """Let the overdue holds be decided about once; the instant of the next one."""
        return await self.assembly.alarms[0]._run_due()

    async def violations(self) -> list[audit.Violation]:
        return [violation async for violation in audit.violations(self.database)]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Each engine that inventory's books are kept on."""
    kind = request.param
    return cast("Engine", kind(tmp_path, request.getfixturevalue))


@pytest.fixture
async def stockroom(engine: Engine) -> AsyncIterator[Stockroom]:
    """A stockroom with one warehouse, `main`, and nothing in it; its books balance at the end."""
    clock = ManualClock()
    async with engine.open(manual_runtime(clock, seed=1)) as database:
        room = Stockroom(engine, database, clock, KnownOrders())
        await room.warehouse("main")
        yield room
        assert await room.violations() == []

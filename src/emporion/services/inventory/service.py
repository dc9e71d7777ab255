"""Puts inventory together from what the platform hands in."""

from collections.abc import Awaitable, Callable

from emporion.chassis.data.database import Database
from emporion.chassis.runtime.alarm import Alarm
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.inventory import InventoryService
from emporion.contracts.order import OrderService
from emporion.services.inventory.adapters.mongo import (
    MongoDepartureStore,
    MongoHoldStore,
    MongoStockStore,
)
from emporion.services.inventory.adapters.sql import SqlDepartureStore, SqlHoldStore, SqlStockStore
from emporion.services.inventory.api import InventoryApi
from emporion.services.inventory.commands import HoldCommands, OverdueHolds, StockCommands
from emporion.services.inventory.events import reactions
from emporion.services.inventory.ports import DepartureStore, HoldStore, StockStore
from emporion.services.inventory.queries import InventoryQueries


def build(needs: Needs) -> Assembly:
    """Inventory on the database handed in; it asks the order service before it lets a hold go."""
    clock = needs.runtime.clock
    holds, stock, departures = stores(needs.database)
    overdue = OverdueHolds(holds, needs.clients.get(OrderService), clock)
    alarm = Alarm("inventory: overdue holds", needs.runtime, overdue.run_due)
    overdue.wake = alarm.poke
    return Assembly(
        contract=InventoryService,
        implementation=InventoryApi(
            HoldCommands(holds, clock, overdue),
            StockCommands(stock, departures, clock),
            InventoryQueries(holds, stock, clock),
        ),
        subscriptions=reactions(holds, clock),
        alarms=(alarm,),
        probes={"stock": _probe(stock)},
    )


def stores(database: Database) -> tuple[HoldStore, StockStore, DepartureStore]:
    """The books, in the way of the engine that the platform chose."""
    if database.engine == "mongodb":
        return MongoHoldStore(database), MongoStockStore(database), MongoDepartureStore(database)
    return SqlHoldStore(database), SqlStockStore(database), SqlDepartureStore(database)


def _probe(stock: StockStore) -> Callable[[], Awaitable[None]]:
    async def read_a_level() -> None:
        await stock.levels(sku=None, warehouse_id=None, after=("", ""), limit=1)

    return read_a_level

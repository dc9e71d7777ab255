"""What inventory answers: the contract, each method one line to a command or a query."""

from emporion.contracts.inventory import (
    AllWarehouses,
    Depart,
    InventoryService,
    ListMovements,
    ListReservations,
    MoveManyStock,
    Movement,
    MovementPage,
    Movements,
    MoveStock,
    PutWarehouse,
    Reservation,
    ReservationOf,
    ReservationPage,
    Reserve,
    Restock,
    Warehouse,
    WarehouseList,
    WarehouseOf,
)
from emporion.contracts.inventory_levels import (
    Availability,
    AvailabilityOf,
    LevelOf,
    LevelPage,
    LevelThen,
    ListLevels,
    ReservationHistory,
    WhyUnavailable,
)
from emporion.services.inventory.commands import HoldCommands, StockCommands
from emporion.services.inventory.queries import InventoryQueries


class InventoryApi(InventoryService):
    """InventoryService over this service's commands and queries."""

    def __init__(
        self, holds: HoldCommands, stock: StockCommands, queries: InventoryQueries
    ) -> None:
        self._holds = holds
        self._stock = stock
        self._queries = queries

    async def reserve(self, request: Reserve) -> Reservation:
        return await self._holds.reserve(request)

    async def release(self, request: Reserve) -> Reservation:
        return await self._holds.release(request)

    async def hold_of(self, request: ReservationOf) -> Reservation:
        return await self._queries.reservation(request.order_id)

    async def warehouse(self, request: WarehouseOf) -> Warehouse:
        return await self._queries.warehouse(request.warehouse_id)

    async def depart(self, request: Depart) -> Movements:
        return await self._stock.depart(request)

    async def restock(self, request: Restock) -> Movements:
        return await self._stock.restock(request)

    async def list_reservations(self, request: ListReservations) -> ReservationPage:
        return await self._queries.reservations(request)

    async def get_reservation(self, request: ReservationOf) -> Reservation:
        if request.as_of is not None:
            return await self._queries.past_reservation(request.order_id, request.as_of)
        return await self._queries.reservation(request.order_id)

    async def reservation_history(self, request: ReservationOf) -> ReservationHistory:
        return await self._queries.reservation_history(request)

    async def get_level(self, request: LevelOf) -> LevelThen:
        return await self._queries.level(request)

    async def put_warehouse(self, request: PutWarehouse) -> Warehouse:
        return await self._stock.put_warehouse(request)

    async def list_warehouses(self, request: AllWarehouses) -> WarehouseList:
        return await self._queries.warehouses()

    async def move_stock(self, request: MoveStock) -> Movement:
        return await self._stock.move(request)

    async def move_many_stock(self, request: MoveManyStock) -> Movements:
        return await self._stock.move_many(request)

    async def list_movements(self, request: ListMovements) -> MovementPage:
        return await self._queries.movements(request)

    async def list_levels(self, request: ListLevels) -> LevelPage:
        return await self._queries.levels(request)

    async def why_unavailable(self, request: AvailabilityOf) -> WhyUnavailable:
        return await self._queries.why(request.sku)

    async def availability(self, request: AvailabilityOf) -> Availability:
        return await self._queries.availability(request.sku)

"""What shipping answers: the contract, each method a line or two to a command or a query."""

from emporion.chassis.calls.context import caller
from emporion.contracts.shipping import (
    Fulfilment,
    FulfilmentOf,
    FulfilmentPage,
    ListFulfilments,
    ListShipments,
    OrderShipments,
    ReleaseFulfilment,
    Ship,
    Shipment,
    ShipmentOf,
    ShipmentPage,
    ShippingService,
    StockNotSettled,
)
from emporion.services.shipping.commands.shipments import Commands
from emporion.services.shipping.queries import Queries


class ShippingApi(ShippingService):
    """ShippingService over this service's commands and queries."""

    def __init__(self, commands: Commands, queries: Queries) -> None:
        self._commands = commands
        self._queries = queries

    async def list_fulfilments(self, request: ListFulfilments) -> FulfilmentPage:
        return await self._queries.fulfilments(request)

    async def get_fulfilment(self, request: FulfilmentOf) -> Fulfilment:
        try:
            await self._commands.allocated(request.order_id)
        except StockNotSettled:  # then there is nothing to ship yet, and it says so
            return await self._queries.fulfilment(request.order_id)
        return await self._queries.fulfilment(request.order_id)

    async def release(self, request: ReleaseFulfilment) -> Fulfilment:
        await self._commands.release(request, caller())
        return await self._queries.fulfilment(request.order_id)

    async def ship(self, request: Ship) -> Shipment:
        return await self._queries.shipment(await self._commands.ship(request))

    async def list_shipments(self, request: ListShipments) -> ShipmentPage:
        return await self._queries.shipments(request)

    async def get_shipment(self, request: ShipmentOf) -> Shipment:
        return await self._queries.shipment_for(request.shipment_id, caller())

    async def deliver(self, request: ShipmentOf) -> Shipment:
        await self._commands.deliver(request.shipment_id)
        return await self._queries.shipment(request.shipment_id)

    async def shipments_of(self, request: FulfilmentOf) -> OrderShipments:
        return await self._queries.shipments_of(request.order_id, caller())

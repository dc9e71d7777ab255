"""What shipping asks of orders: may this shipment leave?"""

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.order import ClearShipment
from emporion.kernel.clock import Clock
from emporion.services.order.ports import OrderStore


class ShipmentCommands:
    """Lets shipments of orders leave, or not."""

    def __init__(self, database: Database, orders: OrderStore, clock: Clock) -> None:
        self._database = database
        self._orders = orders
        self._clock = clock

    async def clear(self, request: ClearShipment) -> None:
        """See OrderService.clear_shipment."""
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> None:
            order = (await self._orders.load(tx, request.order_id)).order
            order.clear(request.shipment_id)
            if order.pending:
                await self._orders.save(tx, order, at_ms=now_ms)

        await self._database.transaction(work)

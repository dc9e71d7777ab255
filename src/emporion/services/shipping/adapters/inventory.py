"""What inventory holds for an order, asked over its contract."""

from collections.abc import Sequence

from emporion.contracts.inventory import InventoryService, ReservationOf, ReservationStatus
from emporion.contracts.shipping import StockNotSettled
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import OrderId
from emporion.services.shipping.domain import Allocation


class InventoryAllocations:
    """Allocations (the port) over InventoryService."""

    def __init__(self, inventory: InventoryService) -> None:
        self._inventory = inventory

    async def of(self, order_id: OrderId) -> Sequence[Allocation]:
        """See Allocations.of: a hold that is not committed may still move or end."""
        try:
            hold = await self._inventory.hold_of(ReservationOf(order_id=order_id))
        except NotFound as error:
            raise StockNotSettled(f"no stock is held for {order_id}") from error
        if hold.status is not ReservationStatus.COMMITTED:
            raise StockNotSettled(f"the stock of {order_id} is {hold.status}")
        return [Allocation(each.sku, each.warehouse_id, each.quantity) for each in hold.allocations]

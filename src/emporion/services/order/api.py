"""What the order service answers."""

from emporion.chassis.calls.context import caller
from emporion.contracts.contract import Empty
from emporion.contracts.order import (
    CallOffOrder,
    CancelOrder,
    ClearShipment,
    HoldNeeded,
    ListOrders,
    Order,
    OrderHistory,
    OrderOf,
    OrderPage,
    OrderService,
    PlaceOrder,
)
from emporion.contracts.order_carts import (
    AddToCart,
    Cart,
    Checkout,
    GetCart,
    RemoveFromCart,
    SetCartLine,
)
from emporion.services.order.commands.carts import CartCommands, CheckoutCommands
from emporion.services.order.commands.orders import OrderCommands
from emporion.services.order.commands.shipments import ShipmentCommands
from emporion.services.order.queries import OrderQueries


class OrderApi(OrderService):
    """OrderService, for the person who asks."""

    def __init__(
        self,
        orders: OrderCommands,
        carts: CartCommands,
        checkouts: CheckoutCommands,
        *,
        shipments: ShipmentCommands,
        queries: OrderQueries,
    ) -> None:
        self._orders = orders
        self._carts = carts
        self._checkouts = checkouts
        self._shipments = shipments
        self._queries = queries

    async def place_order(self, request: PlaceOrder) -> Order:
        return await self._orders.place(request, caller().user_id)

    async def list_orders(self, request: ListOrders) -> OrderPage:
        return await self._queries.list(request, caller().user_id)

    async def get_order(self, request: OrderOf) -> Order:
        if request.as_of is not None:
            return await self._queries.get_past(request.order_id, request.as_of, caller())
        return await self._queries.get_for(request.order_id, caller())

    async def order_history(self, request: OrderOf) -> OrderHistory:
        return await self._queries.history(request)

    async def cancel_order(self, request: CancelOrder) -> Order:
        return await self._orders.cancel(request, caller())

    async def get_cart(self, request: GetCart) -> Cart:
        return await self._queries.cart(caller().user_id)

    async def add_to_cart(self, request: AddToCart) -> Cart:
        return await self._carts.add(request, caller().user_id)

    async def set_cart_line(self, request: SetCartLine) -> Cart:
        return await self._carts.put(request, caller().user_id)

    async def remove_from_cart(self, request: RemoveFromCart) -> Cart:
        return await self._carts.remove(request.sku, caller().user_id)

    async def checkout(self, request: Checkout) -> Order:
        return await self._checkouts.checkout(request, caller().user_id)

    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        return await self._queries.is_hold_needed(request.order_id)

    async def call_off(self, request: CallOffOrder) -> Order:
        return await self._orders.call_off(request.order_id, request.reason)

    async def clear_shipment(self, request: ClearShipment) -> Empty:
        await self._shipments.clear(request)
        return Empty()

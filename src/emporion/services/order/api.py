"""What the order service answers."""

from dataclasses import dataclass

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
    SplitTotal,
    TotalSplit,
)
from emporion.contracts.order_desk import FindOrders, FoundOrders
from emporion.contracts.order_prices import PriceOfOrder, WhyOrderPrice
from emporion.contracts.order_returns import (
    AskReturn,
    ListReturns,
    OrderReturns,
    ReceiveReturn,
    RefuseReturn,
    Return,
    ReturnOf,
    ReturnPage,
    ReturnsOf,
)
from emporion.services.order.commands.cancelling import Cancellations
from emporion.services.order.commands.carts import CartCommands, CheckoutCommands
from emporion.services.order.commands.orders import OrderCommands
from emporion.services.order.commands.returns import ReturnCommands
from emporion.services.order.commands.shipments import ShipmentCommands
from emporion.services.order.queries.orders import OrderQueries
from emporion.services.order.queries.prices import PriceQueries
from emporion.services.order.queries.returns import ReturnQueries


@dataclass(frozen=True, slots=True)
class Parts:
    """What the answers are made by."""

    orders: OrderCommands
    carts: CartCommands
    checkouts: CheckoutCommands
    cancellations: Cancellations
    shipments: ShipmentCommands
    returns: ReturnCommands
    queries: OrderQueries
    return_queries: ReturnQueries
    prices: PriceQueries


class OrderApi(OrderService):
    """OrderService, for the person who asks."""

    def __init__(self, parts: Parts) -> None:
        self._orders = parts.orders
        self._carts = parts.carts
        self._checkouts = parts.checkouts
        self._cancellations = parts.cancellations
        self._shipments = parts.shipments
        self._returns = parts.returns
        self._queries = parts.queries
        self._return_queries = parts.return_queries
        self._prices = parts.prices

    async def place_order(self, request: PlaceOrder) -> Order:
        return await self._orders.place(request, caller().user_id)

    async def list_orders(self, request: ListOrders) -> OrderPage:
        return await self._queries.list(request, caller().user_id)

    async def get_order(self, request: OrderOf) -> Order:
        if request.as_of is not None:
            return await self._queries.get_past(request.order_id, request.as_of, caller())
        return await self._queries.get_for(request.order_id, caller())

    async def find_orders(self, request: FindOrders) -> FoundOrders:
        return await self._queries.find(request)

    async def why_order_price(self, request: PriceOfOrder) -> WhyOrderPrice:
        return await self._prices.why(request.order_id, caller())

    async def order_history(self, request: OrderOf) -> OrderHistory:
        return await self._queries.history(request)

    async def cancel_order(self, request: CancelOrder) -> Order:
        return await self._cancellations.cancel(request, caller())

    async def get_cart(self, request: GetCart) -> Cart:
        return await self._queries.cart(caller().user_id)

    async def add_to_cart(self, request: AddToCart) -> Cart:
        return await self._carts.add(request, caller().user_id)

    async def set_cart_line(self, request: SetCartLine) -> Cart:
        return await self._carts.put(request, caller().user_id)

    async def remove_from_cart(self, request: RemoveFromCart) -> Cart:
        return await self._carts.remove(request.sku, caller().user_id)

    async def split_total(self, request: SplitTotal) -> TotalSplit:
        return await self._orders.split(request, caller().user_id)

    async def checkout(self, request: Checkout) -> Order:
        return await self._checkouts.checkout(request, caller().user_id)

    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        return await self._queries.is_hold_needed(request.order_id)

    async def call_off(self, request: CallOffOrder) -> Order:
        return await self._cancellations.call_off(request.order_id, request.reason)

    async def clear_shipment(self, request: ClearShipment) -> Empty:
        await self._shipments.clear(request)
        return Empty()

    async def ask_return(self, request: AskReturn) -> Return:
        return await self._return_queries.get(await self._returns.ask(request, caller()))

    async def returns_of(self, request: ReturnsOf) -> OrderReturns:
        return await self._return_queries.of_order(request.order_id, caller())

    async def get_return(self, request: ReturnOf) -> Return:
        return await self._return_queries.get_for(request.return_id, caller())

    async def list_returns(self, request: ListReturns) -> ReturnPage:
        return await self._return_queries.page(request)

    async def approve_return(self, request: ReturnOf) -> Return:
        await self._returns.approve(request.return_id)
        return await self._return_queries.get(request.return_id)

    async def refuse_return(self, request: RefuseReturn) -> Return:
        await self._returns.refuse(request)
        return await self._return_queries.get(request.return_id)

    async def receive_return(self, request: ReceiveReturn) -> Return:
        await self._returns.receive(request)
        return await self._return_queries.get(request.return_id)

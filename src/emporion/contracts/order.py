"""Order: cart, checkout, and an order's life; runs the saga that reserves, charges, confirms."""

from typing import ClassVar, Protocol

from msgspec import field

from emporion.contracts.catalog import UnknownSku
from emporion.contracts.contract import (
    Empty,
    Event,
    EventSpec,
    Message,
    Reply,
    Request,
    command,
    get,
    internal,
    owner,
    post,
    query,
    staff,
)
from emporion.contracts.giftcard_refusals import UNPAYABLE
from emporion.contracts.inventory import Lines, OutOfStock
from emporion.contracts.order_carts import (
    CartChanged,
    CartsOfCustomers,
    Checkout,
    EmptyCart,
    GiftCardPaid,
    Ordering,
)
from emporion.contracts.order_desk import FindOrders, FoundOrders, OrderStatus
from emporion.contracts.order_prices import PricesOfOrders
from emporion.contracts.order_returns import ReturnedLine, ReturnsOfOrders
from emporion.contracts.payment import PaymentDeclined
from emporion.contracts.payment_tokens import NoPaymentToken
from emporion.contracts.pricing import (
    CodeNotApplicable,
    CodeUsedUp,
    NoDelivery,
    PriceDetail,
    UnknownCode,
)
from emporion.contracts.refusals import DidNotExistYet, InTheFuture, KeyReused, UnknownCursor
from emporion.contracts.words import (
    Cursor,
    Instant,
    MethodName,
    Note,
    OrderId,
    OrderRef,
    PageSize,
    Quantity,
    ReturnId,
    ShipmentId,
    SkuRef,
    UserId,
    UserRef,
)
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.kernel.history import Change
from emporion.kernel.money import CurrencyMismatch, Money


class AlreadyShipping(FailedPrecondition):
    """A shipment of the order has left, or is leaving: it can be returned, not called off."""

    slug = "already-shipping"
    title = "The order is being shipped"


class CalledOff(FailedPrecondition):
    """The order was called off before it was paid; everything done for it was undone."""

    slug = "order-called-off"
    title = "The order was called off"


_PENDING, _CANCELLING = OrderStatus.PENDING, OrderStatus.CANCELLING


class PlaceOrder(Ordering, frozen=True, kw_only=True):
    """What to buy and how to pay. There is no price: prices come from the catalogue."""

    lines: Lines


class PricedLine(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A line with the catalogue's price at the time of the order.

    `total` is what is paid for it: `off` is taken off, and a tax that comes on top is in it.
    """

    sku: SkuRef
    name: str
    quantity: Quantity
    unit_price: Money
    total: Money
    off: Money | None = None
    tax: Money | None = None


class Refusal(Message, frozen=True, kw_only=True):
    """Why an order was rejected: the problem document's slug and detail."""

    slug: str
    detail: str


class Order(Reply, frozen=True, kw_only=True):
    """An order as its owner sees it. `details` explain a total that is not just its lines."""

    order_id: OrderId
    user_id: UserId
    status: OrderStatus
    lines: list[PricedLine]
    total: Money
    created_at: Instant
    updated_at: Instant
    refusal: Refusal | None = None
    details: list[PriceDetail] = field(default_factory=list)

    @property
    def is_pending(self) -> bool:
        """Whether stock or payment is still being settled."""
        return self.status is _PENDING or self.status is _CANCELLING


class OrderOf(Request, frozen=True, kw_only=True):
    """Which order; `as_of`: as it was at that instant, for whoever shows it."""

    order_id: OrderId
    as_of: Instant | None = None


class OrderHistory(Reply, frozen=True, kw_only=True):
    """Everything that happened to an order, the oldest first."""

    order_id: OrderId
    changes: list[Change]


class CancelOrder(Request, frozen=True, kw_only=True):
    """Which order, and why."""

    order_id: OrderId
    reason: Note = ""


class CallOffOrder(Request, frozen=True, kw_only=True):
    """Which order the shop itself calls off, and why."""

    order_id: OrderId
    reason: Note


class ClearShipment(Request, frozen=True, kw_only=True):
    """Which shipment of an order is about to leave."""

    order_id: OrderId
    shipment_id: ShipmentId


class ListOrders(Request, frozen=True, kw_only=True):
    """Which of the caller's orders, newest first."""

    status: OrderStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class OrderSummary(Message, frozen=True, kw_only=True):
    """An order in a list."""

    order_id: OrderId
    status: OrderStatus
    total: Money
    units: int
    created_at: Instant


class OrderPage(Reply, frozen=True, kw_only=True):
    """A page of orders; `next_cursor` is empty on the last one."""

    orders: list[OrderSummary]
    next_cursor: str


class HoldNeeded(Reply, frozen=True, kw_only=True):
    """Whether an order still needs its stock, and whether for good (it is paid)."""

    is_needed: bool
    is_paid: bool


class OrderCreated(Event, frozen=True, kw_only=True):
    """An order was taken: its stock is held and its money captured.

    `gift_cards`: what they paid of the amount; the rest was charged.
    """

    SPEC = EventSpec("orders.created", key="order_id")

    order_id: OrderRef
    user_id: UserRef
    amount: Money
    lines: list[PricedLine]
    created_at: Instant
    payment_method: MethodName = ""
    gift_cards: list[GiftCardPaid] = field(default_factory=list)


class OrderRejected(Event, frozen=True, kw_only=True):
    """An order could not be fulfilled; everything done for it was undone."""

    SPEC = EventSpec("orders.rejected", key="order_id")

    order_id: OrderRef
    user_id: UserRef
    amount: Money
    refusal: Refusal
    rejected_at: Instant
    payment_method: MethodName = ""


class OrderCancelled(Event, frozen=True, kw_only=True):
    """A paid order was called off."""

    SPEC = EventSpec("orders.cancelled", key="order_id")

    order_id: OrderRef
    user_id: UserRef
    amount: Money
    reason: str
    cancelled_at: Instant


class OrderRefunded(Event, frozen=True, kw_only=True):
    """The money of a return was given back: `amount`, for these units.

    `to_gift_cards`: what of it went back to gift cards; the rest to the payment.
    """

    SPEC = EventSpec("orders.refunded", key="order_id")

    order_id: OrderRef
    user_id: UserRef
    return_id: ReturnId
    amount: Money
    lines: list[ReturnedLine]
    refunded_at: Instant
    to_gift_cards: Money | None = None


_REFUSALS = (
    CalledOff,
    OutOfStock,
    PaymentDeclined,
    NoPaymentToken,
    UnknownSku,
    KeyReused,
    CurrencyMismatch,
    UnknownCode,
    CodeNotApplicable,
    CodeUsedUp,
    NoDelivery,
    *UNPAYABLE,
)


_READ, _WRITE = owner("orders:read"), owner("orders:write")


class OrderService(CartsOfCustomers, ReturnsOfOrders, PricesOfOrders, Protocol):
    """Cart, checkout, order management."""

    NAME: ClassVar[str] = "order"
    MODULES: ClassVar[tuple[str, ...]] = (
        "emporion.contracts.order_carts",
        "emporion.contracts.order_desk",
        "emporion.contracts.order_prices",
        "emporion.contracts.order_returns",
    )
    SUMMARY: ClassVar[str] = "Cart, checkout, and an order's life."

    @command(
        access=_WRITE,
        key="idempotency_key",
        rest=post("/api/orders", status=201),
        timeout_s=10.0,
        raises=_REFUSALS,
    )
    async def place_order(self, request: PlaceOrder) -> Order:
        """Buy: reserve the stock, charge the payment, confirm the order.

        The answer is the order, `paid`; or, while the payment's outcome is unknown, `pending`
        (HTTP 202): follow it by its id or repeat the request. Raises OutOfStock,
        PaymentDeclined, UnknownSku, CurrencyMismatch, UnknownCode, CodeNotApplicable, CodeUsedUp,
        NoDelivery, CalledOff, UnknownGiftCard, GiftCardExpired, GiftCardVoid, GiftCardNotEnough,
        TooManyCodes, NoGiftCardKey or NoPaymentToken, and then everything done is undone. The same
        key with the same request replays the outcome, also concurrently; with another one it
        raises KeyReused.
        """

    @query(access=_READ, rest=get("/api/orders"), raises=(UnknownCursor,))
    async def list_orders(self, request: ListOrders) -> OrderPage:
        """The caller's orders, newest first. Raises UnknownCursor."""

    @query(
        access=_READ,
        rest=get("/api/orders/{order_id}"),
        raises=(NotFound, DidNotExistYet, InTheFuture),
    )
    async def get_order(self, request: OrderOf) -> Order:
        """One order, now or as it was at an instant.

        Raises NotFound, also for another customer's order; DidNotExistYet or InTheFuture for an
        instant before it began, or one that has not come yet.
        """

    @query(
        access=staff("operations:read"),
        rest=get("/api/operations/orders"),
        raises=(UnknownCursor,),
    )
    async def find_orders(self, request: FindOrders) -> FoundOrders:
        """Everybody's orders that meet every condition, newest first. Raises UnknownCursor."""

    @query(
        access=staff("operations:read"),
        rest=get("/api/orders/{order_id}/history"),
        raises=(NotFound,),
    )
    async def order_history(self, request: OrderOf) -> OrderHistory:
        """What changed an order until then: when, who, by which command. Raises NotFound."""

    @command(
        access=_WRITE,
        key="order_id",
        rest=post("/api/orders/{order_id}/cancel"),
        timeout_s=10.0,
        raises=(NotFound, AlreadyShipping, FailedPrecondition),
    )
    async def cancel_order(self, request: CancelOrder) -> Order:
        """Call off an order: release its stock and refund its money. Safe to repeat.

        One that is pending answers `cancelling` (HTTP 202) and ends `rejected`, with the refusal
        `order-called-off`, as soon as it is known what is to be undone; nothing is charged then.

        Raises NotFound; AlreadyShipping once a shipment of it leaves; FailedPrecondition when
        it was rejected for another reason.
        """

    @command(
        access=_WRITE,
        key="idempotency_key",
        rest=post("/api/cart/checkout", status=201),
        timeout_s=10.0,
        raises=(*_REFUSALS, EmptyCart, CartChanged),
    )
    async def checkout(self, request: Checkout) -> Order:
        """Order what is in the cart, like `place_order`.

        Raises EmptyCart; CartChanged when others keep changing it meanwhile: look and try again.
        """

    @query(access=internal())
    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        """Whether the order still needs its stock: asked before an expired hold is released."""

    @command(
        access=internal(),
        key="order_id",
        timeout_s=10.0,
        raises=(NotFound, AlreadyShipping, FailedPrecondition),
    )
    async def call_off(self, request: CallOffOrder) -> Order:
        """Call off an order for the shop: what `cancel_order` does for its owner.

        Safe to repeat, and beside a cancellation by the owner: an order is called off once, for
        the reason that came first. The stock is released and the money refunded by a saga that
        goes on until both are done, whether or not the caller waits for the answer. Raises
        NotFound; AlreadyShipping; FailedPrecondition in any state that cannot be cancelled.
        """

    @command(access=internal(), key="shipment_id", raises=(NotFound, FailedPrecondition))
    async def clear_shipment(self, request: ClearShipment) -> Empty:
        """Let a shipment leave: from here on the order cannot be called off. Safe to repeat.

        Raises NotFound; FailedPrecondition when the order is not paid, called off, or all shipped.
        """

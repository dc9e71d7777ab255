"""Shipping: what leaves for whom, from which warehouse, by which carrier, and when it arrives."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta, field

from emporion.contracts.contract import (
    Event,
    EventSpec,
    Message,
    Reply,
    Request,
    Service,
    command,
    get,
    owner,
    post,
    query,
    staff,
)
from emporion.contracts.inventory import Line
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.contracts.words import (
    Cursor,
    IdempotencyKey,
    Instant,
    Name,
    Note,
    OrderId,
    OrderRef,
    PageSize,
    Quantity,
    ShipmentId,
    Sku,
    UserId,
    UserRef,
    WarehouseId,
)
from emporion.kernel.errors import FailedPrecondition, NotFound

Carrier = Annotated[Name, Meta(description="Who carries it.", examples=["DHL"])]
TrackingNumber = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9 ._/-]{0,64}$(?!\n)",
        description="The carrier's number: at most 64 letters, digits, blanks, `.`, `_`, `/`, `-`.",
        examples=["00340434161094042557"],
    ),
]


class NotCleared(FailedPrecondition):
    """The fulfilment waits for its screening, or is held: staff can release it with a reason."""

    slug = "not-cleared"
    title = "The order has not been cleared for shipping"


class FulfilmentOver(FailedPrecondition):
    """There is nothing to be shipped or released any more: all was shipped, or it is cancelled."""

    slug = "fulfilment-over"
    title = "There is nothing to ship any more"


class NotThere(FailedPrecondition):
    """Fewer units than that are still to be shipped from that warehouse."""

    slug = "not-there-to-ship"
    title = "So many units are not to be shipped from there"


class StockNotSettled(FailedPrecondition):
    """Inventory has not set the order's stock aside for good yet: try again in a moment."""

    slug = "stock-not-settled"
    title = "The stock is not set aside yet"


class TooManyShipments(FailedPrecondition):
    """An order is sent in at most 100 shipments."""

    slug = "too-many-shipments"
    title = "The order has too many shipments"


class NotShipped(FailedPrecondition):
    """The shipment has not left (yet), so that it cannot have arrived."""

    slug = "not-shipped"
    title = "The shipment has not left"


class FulfilmentStatus(StrEnum):
    """How far an order is on its way to the customer."""

    SCREENING = "screening"
    """Waits to be screened for fraud; staff can release it."""
    HELD = "held"
    """Screening found it doubtful; a reviewer, or staff with a reason, can release it."""
    READY = "ready"
    """May be shipped."""
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class ShipmentStatus(StrEnum):
    """Where a shipment is."""

    LEAVING = "leaving"
    """Being settled with the order and the stock; it leaves within moments."""
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    STOPPED = "stopped"
    """It never left: the order had been called off."""


class Shipment(Reply, frozen=True, kw_only=True):
    """Units that leave one warehouse together."""

    shipment_id: ShipmentId
    order_id: OrderId
    user_id: UserId
    warehouse_id: WarehouseId
    status: ShipmentStatus
    lines: list[Line]
    carrier: str
    tracking_number: str
    created_at: Instant
    shipped_at: Instant | None = None
    delivered_at: Instant | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it is still being settled."""
        return self.status == ShipmentStatus.LEAVING


class ToShip(Message, frozen=True, kw_only=True):
    """Units that are still to leave a warehouse."""

    warehouse_id: WarehouseId
    sku: Sku
    quantity: Quantity


class FulfilmentSummary(Message, frozen=True, kw_only=True):
    """A fulfilment in a list."""

    order_id: OrderId
    user_id: UserId
    status: FulfilmentStatus
    created_at: Instant
    updated_at: Instant


class Fulfilment(Reply, frozen=True, kw_only=True):
    """An order as the warehouse sees it.

    `to_ship` is empty until inventory has set the stock aside. `released_by` and `release_reason`
    are those of the member of staff who released it without, or against, its screening.
    """

    order_id: OrderId
    user_id: UserId
    status: FulfilmentStatus
    to_ship: list[ToShip]
    shipments: list[Shipment]
    released_by: str
    release_reason: str
    created_at: Instant
    updated_at: Instant


class FulfilmentOf(Request, frozen=True, kw_only=True):
    """The fulfilment of which order."""

    order_id: OrderId


class ListFulfilments(Request, frozen=True, kw_only=True):
    """Which fulfilments, the oldest orders first: they have waited longest."""

    status: FulfilmentStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class FulfilmentPage(Reply, frozen=True, kw_only=True):
    """A page of fulfilments; `next_cursor` is empty on the last one."""

    fulfilments: list[FulfilmentSummary]
    next_cursor: str


class ReleaseFulfilment(Request, frozen=True, kw_only=True):
    """Which order to ship without, or against, its screening, and why. The reason is recorded."""

    order_id: OrderId
    reason: Annotated[Note, Meta(min_length=1)]


class Ship(Request, frozen=True, kw_only=True):
    """What leaves which warehouse, and how. Without lines: all that is still to leave it."""

    idempotency_key: IdempotencyKey
    order_id: OrderId
    warehouse_id: WarehouseId
    lines: Annotated[list[Line], Meta(max_length=200)] = field(default_factory=list)
    carrier: Carrier
    tracking_number: TrackingNumber = ""


class ShipmentOf(Request, frozen=True, kw_only=True):
    """Which shipment."""

    shipment_id: ShipmentId


class ListShipments(Request, frozen=True, kw_only=True):
    """Which shipments, newest first."""

    status: ShipmentStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class ShipmentPage(Reply, frozen=True, kw_only=True):
    """A page of shipments; `next_cursor` is empty on the last one."""

    shipments: list[Shipment]
    next_cursor: str


class OrderShipments(Reply, frozen=True, kw_only=True):
    """All shipments of an order, the oldest first; there are at most 100."""

    order_id: OrderId
    status: FulfilmentStatus
    shipments: list[Shipment]


class ShipmentShipped(Event, frozen=True, kw_only=True):
    """Units of an order left a warehouse."""

    SPEC = EventSpec("shipments.shipped", key="order_id")

    shipment_id: ShipmentId
    order_id: OrderRef
    user_id: UserRef
    warehouse_id: WarehouseId
    lines: list[Line]
    carrier: str
    tracking_number: str
    shipped_at: Instant


class ShipmentDelivered(Event, frozen=True, kw_only=True):
    """A shipment arrived."""

    SPEC = EventSpec("shipments.delivered", key="order_id")

    shipment_id: ShipmentId
    order_id: OrderRef
    user_id: UserRef
    lines: list[Line]
    carrier: str
    tracking_number: str
    delivered_at: Instant


class ShippingService(Service, Protocol):
    """Fulfilments, shipments, tracking."""

    NAME: ClassVar[str] = "shipping"
    SUMMARY: ClassVar[str] = "Fulfilments, shipments from the warehouses, and their tracking."

    @query(
        access=staff("shipping:read"),
        rest=get("/api/shipping/fulfilments"),
        raises=(UnknownCursor,),
    )
    async def list_fulfilments(self, request: ListFulfilments) -> FulfilmentPage:
        """Fulfilments, the oldest orders first. Raises UnknownCursor."""

    @query(
        access=staff("shipping:read"),
        rest=get("/api/shipping/fulfilments/{order_id}"),
        timeout_s=5.0,
        raises=(NotFound,),
    )
    async def get_fulfilment(self, request: FulfilmentOf) -> Fulfilment:
        """What is still to leave which warehouse for an order, and what has left. Raises NotFound.

        A moment after an order it may not be here yet.
        """

    @command(
        access=staff("shipping:write"),
        key="order_id",
        rest=post("/api/shipping/fulfilments/{order_id}/release"),
        raises=(NotFound, FulfilmentOver),
    )
    async def release(self, request: ReleaseFulfilment) -> Fulfilment:
        """Let an order be shipped that waits for its screening or is held; who and why is kept.

        Safe to repeat: the first release counts. Raises NotFound; FulfilmentOver when it is
        cancelled.
        """

    @command(
        access=staff("shipping:write"),
        key="idempotency_key",
        rest=post("/api/shipping/fulfilments/{order_id}/shipments", status=201),
        timeout_s=10.0,
        raises=(
            NotFound,
            NotCleared,
            FulfilmentOver,
            NotThere,
            StockNotSettled,
            TooManyShipments,
            FailedPrecondition,
            KeyReused,
        ),
    )
    async def ship(self, request: Ship) -> Shipment:
        """Send units of an order from one warehouse: all of them, or some now and others later.

        The answer is the shipment, `shipped`; or `leaving` (HTTP 202) while the order or the stock
        cannot be reached: it then leaves by itself. Raises NotFound, NotCleared, FulfilmentOver,
        NotThere, StockNotSettled or TooManyShipments; FailedPrecondition when the order has been
        called off. The same key with the same request replays the outcome; with another one it
        raises KeyReused.
        """

    @query(
        access=staff("shipping:read"),
        rest=get("/api/shipping/shipments"),
        raises=(UnknownCursor,),
    )
    async def list_shipments(self, request: ListShipments) -> ShipmentPage:
        """Shipments, newest first. Raises UnknownCursor."""

    @query(
        access=owner("orders:read"),
        rest=get("/api/shipping/shipments/{shipment_id}"),
        raises=(NotFound,),
    )
    async def get_shipment(self, request: ShipmentOf) -> Shipment:
        """One shipment. Raises NotFound, also for another customer's."""

    @command(
        access=staff("shipping:write"),
        key="shipment_id",
        rest=post("/api/shipping/shipments/{shipment_id}/deliver"),
        raises=(NotFound, NotShipped),
    )
    async def deliver(self, request: ShipmentOf) -> Shipment:
        """Note that a shipment arrived. Safe to repeat. Raises NotFound or NotShipped."""

    @query(
        access=owner("orders:read"),
        rest=get("/api/shipping/orders/{order_id}"),
        raises=(NotFound,),
    )
    async def shipments_of(self, request: FulfilmentOf) -> OrderShipments:
        """The shipments of an order. Raises NotFound, also for another customer's order.

        A moment after an order it may not be here yet.
        """

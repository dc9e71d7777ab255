"""Inventory: warehouses, stock levels, movements, and holds on stock for orders."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    BULK_BYTES_MAX,
    Event,
    EventSpec,
    Message,
    Part,
    Reply,
    Request,
    Service,
    anyone,
    command,
    get,
    internal,
    post,
    put,
    query,
    staff,
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
from emporion.contracts.refusals import (
    DidNotExistYet,
    InTheFuture,
    KeyReused,
    NotRecorded,
    UnknownCursor,
)
from emporion.contracts.words import (
    Cursor,
    IdempotencyKey,
    Instant,
    Name,
    OrderId,
    OrderRef,
    PageSize,
    Quantity,
    ReadableNote,
    ReturnId,
    ShipmentId,
    Sku,
    SkuRef,
    WarehouseId,
)
from emporion.kernel.errors import FailedPrecondition, NotFound


class OutOfStock(FailedPrecondition):
    """Not enough stock for every line; nothing was held. `shortages`: sku, wanted, available."""

    slug = "out-of-stock"
    title = "Not enough stock"


class ReservationReleased(FailedPrecondition):
    """The hold was released before: it can never be taken again for the same order."""

    slug = "reservation-released"
    title = "The reservation was released"


class UnitsNotHeld(FailedPrecondition):
    """Fewer units than that are held for the order in that warehouse; nothing left it."""

    slug = "units-not-held"
    title = "So many units are not held there for the order"


class Line(Part, frozen=True, kw_only=True):
    """So many units of a SKU."""

    sku: SkuRef
    quantity: Quantity


Lines = Annotated[list[Line], Meta(min_length=1, max_length=200)]


class Reserve(Request, frozen=True, kw_only=True):
    """Hold stock for every line of an order, all or nothing, for `expires_in_s` seconds."""

    order_id: OrderRef
    lines: Lines  # quantities of one SKU are summed before they are checked
    expires_in_s: Annotated[int, Meta(ge=1, le=86_400)] = 900


class ReservationStatus(StrEnum):
    """Where a hold stands."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


class Allocation(Message, frozen=True, kw_only=True):
    """Units of a SKU held in one warehouse: of all lines of the order that name it.

    `departed` of them have left it in shipments.
    """

    sku: Sku
    warehouse_id: WarehouseId
    quantity: Annotated[int, Meta(ge=1)]
    departed: Annotated[int, Meta(ge=0)] = 0


class Reservation(Reply, frozen=True, kw_only=True):
    """A hold on stock. `expires_at` is None once it is committed."""

    order_id: OrderId
    status: ReservationStatus
    allocations: list[Allocation]
    created_at: Instant
    expires_at: Instant | None


class ListReservations(Request, frozen=True, kw_only=True):
    """Which holds: those of a status, newest first."""

    status: ReservationStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class ReservationPage(Reply, frozen=True, kw_only=True):
    """A page of holds."""

    reservations: list[Reservation]
    next_cursor: str


class PutWarehouse(Request, frozen=True, kw_only=True):
    """A warehouse. Stock is taken from the lowest `priority` first."""

    warehouse_id: WarehouseId
    name: Name
    priority: Annotated[int, Meta(ge=0, le=1_000)] = 100


class Warehouse(Reply, frozen=True, kw_only=True):
    """A place where stock lies."""

    warehouse_id: WarehouseId
    name: Name
    priority: int


class AllWarehouses(Request, frozen=True, kw_only=True):
    """No parameters: there are at most 200."""


class WarehouseList(Reply, frozen=True, kw_only=True):
    """Every warehouse, in the order in which stock is taken from them."""

    warehouses: list[Warehouse]


class MovementReason(StrEnum):
    """Why the physical stock changed."""

    RECEIVED = "received"
    ADJUSTED = "adjusted"
    SHIPPED = "shipped"
    RETURNED = "returned"


class MoveStock(Request, frozen=True, kw_only=True):
    """Add (or, negative, take away) units in a warehouse; `movement_key` makes it repeatable."""

    movement_key: IdempotencyKey
    sku: Sku
    warehouse_id: WarehouseId
    quantity: Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]
    reason: MovementReason = MovementReason.RECEIVED
    note: ReadableNote = ""


class MoveManyStock(Request, frozen=True, kw_only=True):
    """1..1000 movements, all or nothing, each with its own key."""

    movements: Annotated[list[MoveStock], Meta(min_length=1, max_length=1_000)]


class Movement(Reply, frozen=True, kw_only=True):
    """One change of physical stock, and through whom; empty where that was not recorded yet."""

    movement_key: str
    sku: Sku
    warehouse_id: WarehouseId
    quantity: int
    reason: MovementReason
    note: str
    moved_at: Instant
    actor: str = ""
    command: str = ""
    trace_id: str = ""


class Movements(Reply, frozen=True, kw_only=True):
    """The movements, as stored; a repeated key gives the stored one."""

    movements: list[Movement]


class ListMovements(Request, frozen=True, kw_only=True):
    """Which movements, newest first."""

    sku: Sku | None = None
    warehouse_id: WarehouseId | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class MovementPage(Reply, frozen=True, kw_only=True):
    """A page of movements."""

    movements: list[Movement]
    next_cursor: str


class ReservationOf(Request, frozen=True, kw_only=True):
    """The hold of which order; `as_of`: as it was at that instant."""

    order_id: OrderId
    as_of: Instant | None = None


class WarehouseOf(Request, frozen=True, kw_only=True):
    """Which warehouse."""

    warehouse_id: WarehouseId


class Depart(Request, frozen=True, kw_only=True):
    """Units held for an order that leave a warehouse as one shipment."""

    shipment_id: ShipmentId
    order_id: OrderId
    warehouse_id: WarehouseId
    lines: Lines


class Restock(Request, frozen=True, kw_only=True):
    """Units of an order that came back, and lie in a warehouse to be sold again."""

    return_id: ReturnId
    order_id: OrderId
    warehouse_id: WarehouseId
    lines: Lines


class StockReleased(Event, frozen=True, kw_only=True):
    """A hold ended without a sale: released by its order, or expired."""

    SPEC = EventSpec("stock.released", key="order_id")

    order_id: OrderId
    status: ReservationStatus
    released_at: Instant


_READ, _WRITE = staff("inventory:read"), staff("inventory:write")
_SHOPPERS = anyone("shoppers see what can be bought")
_WAREHOUSE = "/api/inventory/warehouses/{warehouse_id}"
_HOLD, _NOT_THEN = "/api/inventory/reservations/{order_id}", (NotFound, DidNotExistYet, InTheFuture)


class InventoryService(Service, Protocol):
    """Stock levels, warehouses, reservations with expiry, movements."""

    NAME: ClassVar[str] = "inventory"
    MODULES: ClassVar[tuple[str, ...]] = ("emporion.contracts.inventory_levels",)
    SUMMARY: ClassVar[str] = "Warehouses, stock levels, movements, and holds on stock for orders."

    @command(access=internal(), key="order_id", raises=(OutOfStock, ReservationReleased))
    async def reserve(self, request: Reserve) -> Reservation:
        """Hold stock for an order, spread over warehouses where needed.

        Safe to repeat: one order, one reservation. Raises OutOfStock (which SKUs, how many left),
        or ReservationReleased when the order's hold was released before, even before it was made.
        """

    @command(access=internal(), key="order_id")
    async def release(self, request: Reserve) -> Reservation:
        """Undo `reserve`, given its request. Safe to repeat, and to call before `reserve`."""

    @query(access=internal(), raises=(NotFound,))
    async def hold_of(self, request: ReservationOf) -> Reservation:
        """The hold of an order, for who ships it. Raises NotFound."""

    @query(access=internal(), raises=(NotFound,))
    async def warehouse(self, request: WarehouseOf) -> Warehouse:
        """One warehouse. Raises NotFound."""

    @command(access=internal(), key="shipment_id", raises=(UnitsNotHeld, KeyReused))
    async def depart(self, request: Depart) -> Movements:
        """Let units leave: no longer reserved, no longer on hand; a shipment leaves once.

        Raises UnitsNotHeld unless the order's hold is committed and that many of its units still
        lie in that warehouse; KeyReused when the shipment left with other units before.
        """

    @command(access=internal(), key="return_id", raises=(NotFound, FailedPrecondition, KeyReused))
    async def restock(self, request: Restock) -> Movements:
        """Put what came back onto the shelf; a return is restocked once.

        Raises NotFound for an unknown warehouse, FailedPrecondition when it cannot hold so many,
        KeyReused when the return was restocked with other units before.
        """

    @query(access=_READ, rest=get("/api/inventory/reservations"), raises=(UnknownCursor,))
    async def list_reservations(self, request: ListReservations) -> ReservationPage:
        """Holds on stock, newest first. Raises UnknownCursor."""

    @query(access=_READ, rest=get(_HOLD), raises=(*_NOT_THEN, NotRecorded))
    async def get_reservation(self, request: ReservationOf) -> Reservation:
        """The hold of an order, now or as it was at an instant. Raises NotFound.

        Raises DidNotExistYet or InTheFuture for an instant before it began, or one that has not
        come yet; NotRecorded when it ended before the shop wrote down when holds end.
        """

    @query(access=_READ, rest=get(f"{_HOLD}/history"), raises=(NotFound,))
    async def reservation_history(self, request: ReservationOf) -> ReservationHistory:
        """What became of a hold until then: when, who, by which command. Raises NotFound."""

    @query(access=_READ, rest=get("/api/inventory/levels/{sku}/{warehouse_id}"), raises=_NOT_THEN)
    async def get_level(self, request: LevelOf) -> LevelThen:
        """The units on hand of a SKU in a warehouse, now or at an instant, from its movements.

        Raises NotFound when nothing was ever moved there, DidNotExistYet before its first
        movement, InTheFuture for an instant that has not come yet.
        """

    @command(access=_WRITE, key="warehouse_id", rest=put(_WAREHOUSE))
    async def put_warehouse(self, request: PutWarehouse) -> Warehouse:
        """Create or change a warehouse."""

    @query(access=_READ, rest=get("/api/inventory/warehouses"))
    async def list_warehouses(self, request: AllWarehouses) -> WarehouseList:
        """Every warehouse."""

    @command(
        access=_WRITE,
        key="movement_key",
        rest=post("/api/inventory/movements", status=201),
        raises=(NotFound, FailedPrecondition, KeyReused),
    )
    async def move_stock(self, request: MoveStock) -> Movement:
        """Change physical stock. Raises NotFound for an unknown warehouse.

        Raises FailedPrecondition when it would leave less on hand than is reserved; KeyReused
        when the key was used for another movement.
        """

    @command(
        access=_WRITE,
        rest=post("/api/inventory/movements/batch", status=201, body_bytes_max=BULK_BYTES_MAX),
        timeout_s=30.0,
        raises=(NotFound, FailedPrecondition, KeyReused),
    )
    async def move_many_stock(self, request: MoveManyStock) -> Movements:
        """Several movements, all or nothing; each is repeatable by its own key.

        Raises NotFound, FailedPrecondition or KeyReused, like `move_stock`, for the first that
        is refused.
        """

    @query(access=_READ, rest=get("/api/inventory/movements"), raises=(UnknownCursor,))
    async def list_movements(self, request: ListMovements) -> MovementPage:
        """Movements, newest first. Raises UnknownCursor."""

    @query(access=_READ, rest=get("/api/inventory/levels"), raises=(UnknownCursor,))
    async def list_levels(self, request: ListLevels) -> LevelPage:
        """Stock levels by SKU and warehouse. Raises UnknownCursor."""

    @query(access=_READ, rest=get("/api/inventory/why/{sku}"))
    async def why_unavailable(self, request: AvailabilityOf) -> WhyUnavailable:
        """Where the units of a SKU lie, and which orders hold them until when."""

    @query(access=_SHOPPERS, rest=get("/api/inventory/availability/{sku}"))
    async def availability(self, request: AvailabilityOf) -> Availability:
        """How many units could be ordered now; 0 for an unknown SKU."""

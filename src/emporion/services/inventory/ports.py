"""What inventory needs from its storage: whole operations, each atomic on its own.

No method speaks of statements or rows, so that an engine without transactions over several
documents can do each by conditional updates.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from emporion.chassis.data.database import Tx
from emporion.contracts.inventory import (
    Movement,
    MovementReason,
    MoveStock,
    PutWarehouse,
    Warehouse,
)
from emporion.contracts.inventory_levels import Level
from emporion.kernel.ids import OrderId, ShipmentId, Sku, WarehouseId
from emporion.services.inventory.domain import (
    DEPARTURE,
    Hold,
    HoldChange,
    Status,
    Verdict,
    movement_key,
)


class HoldStore(Protocol):
    """Holds on stock, one for each order, and the reserved units of the levels.

    At every instant the reserved units of a level are those of the open holds on it, and never
    more than lie there, however many callers there are. All methods raise Unavailable when the
    engine cannot answer; then nothing, or all of the operation, was done.
    """

    async def reserve(
        self, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int, expires_at_ms: int
    ) -> Hold:
        """Hold the wanted units (sorted by SKU, all >= 1) for the order, all or nothing.

        Repeated, it returns the stored hold; an expired one is taken again. Raises OutOfStock
        naming every short SKU, ReservationReleased after a release (also one that came first),
        Conflict when the order holds other units than the wanted ones.
        """
        ...

    async def release(self, order_id: OrderId, *, now_ms: int) -> Hold:
        """Give back what the order holds and let it never hold again; repeatable.

        StockReleased is published if, and only if, units were given back. An order without a
        hold gets a released one without allocations.
        """
        ...

    async def commit_held(self, tx: Tx, order_ids: Sequence[OrderId], *, now_ms: int) -> bool:
        """Keep the units of those orders whose hold is held; whether all were. See `commit`."""
        ...

    async def commit(
        self, tx: Tx, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int
    ) -> None:
        """Keep the order's units for good: it is paid. Repeatable, and nothing after a release.

        Runs inside the subscriber's transaction `tx` where the engine has one. An expired or
        missing hold is taken anew. Raises OutOfStock when that is impossible.
        """
        ...

    async def due(self, *, now_ms: int, limit: int) -> list[OrderId]:
        """Orders whose hold's time is over, the longest overdue first."""
        ...

    async def settle(self, verdicts: Sequence[Verdict], *, now_ms: int) -> None:
        """Commit, extend or expire holds whose time is still over; others stay untouched.

        Publishes StockReleased for each that expires.
        """
        ...

    async def next_expiry_ms(self) -> int | None:
        """The instant at which the next hold is due, or None."""
        ...

    async def find(self, order_id: OrderId) -> Hold | None:
        """The hold of an order, or None."""
        ...

    async def history(self, order_id: OrderId) -> tuple[Hold, list[HoldChange]] | None:
        """The hold of an order and what became of it, the oldest first; or None."""
        ...

    async def holding(self, sku: Sku, *, before: str, limit: int) -> list[Hold]:
        """Open holds that name a SKU, by falling order id, below `before` unless that is empty."""
        ...

    async def page(self, *, status: Status | None, before: str, limit: int) -> list[Hold]:
        """Holds by falling order id, below `before` unless that is empty."""
        ...


class Departure(NamedTuple):
    """Units held for an order that leave a warehouse together, by SKU in rising order."""

    shipment_id: ShipmentId
    order_id: OrderId
    warehouse_id: WarehouseId
    units: Mapping[Sku, int]

    def moves(self) -> list[MoveStock]:
        """The movements that it is, one a SKU, each with a key of its own."""
        return [
            MoveStock(
                movement_key=movement_key(DEPARTURE, self.shipment_id, sku),
                sku=sku,
                warehouse_id=self.warehouse_id,
                quantity=-quantity,
                reason=MovementReason.SHIPPED,
                note=self.order_id,
            )
            for sku, quantity in self.units.items()
        ]


class DepartureStore(Protocol):
    """Held units that leave for good: hold, level and movement change together."""

    async def depart(self, leaving: Departure, *, now_ms: int) -> list[Movement]:
        """Let the units leave; repeated, it returns the stored movements.

        Raises UnitsNotHeld, KeyReused when the shipment left with other units, and Unavailable
        when the engine cannot answer: then nothing, or all of it, was done.
        """
        ...


class StockStore(Protocol):
    """Warehouses, physical levels, and the movements that explain them.

    At every instant a level's units on hand are the sum of its movements. Every method also raises
    what the database raises.
    """

    async def put_warehouse(self, warehouse: PutWarehouse) -> Warehouse:
        """Create or change a warehouse. Raises FailedPrecondition when there are 200 others."""
        ...

    async def warehouses(self) -> list[Warehouse]:
        """Every warehouse by priority, then by id; at most 200."""
        ...

    async def move(self, moves: Sequence[MoveStock], *, now_ms: int) -> list[Movement]:
        """Change levels, all or nothing, and return the movements in that order.

        A key that was used returns its stored movement. Raises NotFound for an unknown warehouse,
        FailedPrecondition when less than is reserved, or more than fits, would lie there, KeyReused
        when a key was used for a different movement.
        """
        ...

    async def movements(
        self, *, sku: Sku | None, warehouse_id: WarehouseId | None, before: int, limit: int
    ) -> list[tuple[int, Movement]]:
        """Movements with their sequence numbers, newest first, below `before` unless it is 0."""
        ...

    async def on_hand_at(
        self, sku: Sku, warehouse_id: WarehouseId, instant_ms: int
    ) -> tuple[int, int, int | None]:
        """The sum and the number of a level's movements up to and including an instant.

        And the instant of its first movement; None: it has none.
        """
        ...

    async def levels(
        self,
        *,
        sku: Sku | None,
        warehouse_id: WarehouseId | None,
        after: tuple[str, str],
        limit: int,
    ) -> list[Level]:
        """Levels by SKU and warehouse, above `after`."""
        ...

    async def available(self, sku: Sku) -> int:
        """Units of a SKU that are free, over all warehouses; 0 when it is unknown."""
        ...


class Imbalance(NamedTuple):
    """A level of which the books tell two figures that contradict each other."""

    sku: Sku
    warehouse_id: WarehouseId
    figure: int
    other: int


class OpenHold(NamedTuple):
    """An order for which units are reserved now; its status is HELD or COMMITTED."""

    order_id: OrderId
    status: Status


class Moved(NamedTuple):
    """Units that left with a shipment (negative) or came back with a return, by their key."""

    key: str
    order_id: str
    units: int


class Books(Protocol):
    """Everything that is written about stock, as an auditor reads it.

    Each question sees one instant of a running shop; a limit bounds the answer. Every method
    raises what a read of the database raises: ResourceExhausted when its limit is too low.
    """

    async def unexplained(self, limit: int) -> list[Imbalance]:
        """Levels with other units on hand than the sum of their movements."""
        ...

    async def unheld(self, limit: int) -> list[Imbalance]:
        """Levels with other units reserved than the sum of the open holds on them."""
        ...

    async def impossible(self, limit: int) -> list[Imbalance]:
        """Levels, as (on hand, reserved), where not 0 <= reserved <= on hand."""
        ...

    async def open_holds(self, *, after: str, limit: int) -> list[OpenHold]:
        """Open holds by rising order id, above `after`."""
        ...

    async def moved(self, *, after: str, below: str, limit: int) -> list[Moved]:
        """Movements by rising key, above `after` and below `below`."""
        ...

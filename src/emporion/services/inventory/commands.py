"""What can be done with stock: hold it, give it back, move it, and let go of overdue holds."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from emporion.contracts.inventory import (
    Depart,
    MoveManyStock,
    Movement,
    MovementReason,
    Movements,
    MoveStock,
    PutWarehouse,
    Reservation,
    Reserve,
    Restock,
    Warehouse,
)
from emporion.contracts.order import OrderOf, OrderService
from emporion.kernel.clock import Clock
from emporion.kernel.errors import EmporionError, InvalidArgument
from emporion.kernel.ids import OrderId
from emporion.services.inventory.domain import (
    COMEBACK,
    Action,
    Verdict,
    is_own_key,
    movement_key,
    units_per_sku,
    verdict,
)
from emporion.services.inventory.ports import Departure, DepartureStore, HoldStore, StockStore
from emporion.services.inventory.queries import reservation_of

_log = logging.getLogger(__name__)
EXTENSION_MS = 15 * 60_000
"""How much longer a hold is kept whose order is still being decided."""
ASK_AGAIN_MS = 60_000
"""How much longer a hold is kept when its order cannot be asked about."""
DUE_MAX = 100
ASKED_AT_ONCE_MAX = 10


class HoldCommands:
    """Holds on stock for orders."""

    def __init__(self, holds: HoldStore, clock: Clock, overdue: "OverdueHolds") -> None:
        self._holds = holds
        self._clock = clock
        self._overdue = overdue

    async def reserve(self, request: Reserve) -> Reservation:
        """See InventoryService.reserve."""
        now_ms = self._clock.now_ms()
        hold = await self._holds.reserve(
            request.order_id,
            units_per_sku([(line.sku, line.quantity) for line in request.lines]),
            now_ms=now_ms,
            expires_at_ms=now_ms + request.expires_in_s * 1000,
        )
        if hold.expires_at_ms is not None:
            self._overdue.expect(hold.expires_at_ms)
        return reservation_of(hold)

    async def release(self, request: Reserve) -> Reservation:
        """See InventoryService.release."""
        hold = await self._holds.release(request.order_id, now_ms=self._clock.now_ms())
        return reservation_of(hold)


class StockCommands:
    """Warehouses and physical stock, also what leaves and what comes back."""

    def __init__(self, stock: StockStore, departures: DepartureStore, clock: Clock) -> None:
        self._stock = stock
        self._departures = departures
        self._clock = clock

    async def put_warehouse(self, request: PutWarehouse) -> Warehouse:
        """Create or change a warehouse. Raises FailedPrecondition when there are too many."""
        return await self._stock.put_warehouse(request)

    async def move(self, request: MoveStock) -> Movement:
        """See InventoryService.move_stock. Raises InvalidArgument for a movement of nothing.

        And for a key that belongs to a shipment or a return.
        """
        return (await self._move([request]))[0]

    async def move_many(self, request: MoveManyStock) -> Movements:
        """See InventoryService.move_many_stock. Raises InvalidArgument like `move`."""
        return Movements(movements=await self._move(request.movements))

    async def depart(self, request: Depart) -> Movements:
        """See InventoryService.depart."""
        units = units_per_sku([(line.sku, line.quantity) for line in request.lines])
        leaving = Departure(request.shipment_id, request.order_id, request.warehouse_id, units)
        now_ms = self._clock.now_ms()
        return Movements(movements=await self._departures.depart(leaving, now_ms=now_ms))

    async def restock(self, request: Restock) -> Movements:
        """See InventoryService.restock."""
        units = units_per_sku([(line.sku, line.quantity) for line in request.lines])
        moves = [
            MoveStock(
                movement_key=movement_key(COMEBACK, request.return_id, sku),
                sku=sku,
                warehouse_id=request.warehouse_id,
                quantity=quantity,
                reason=MovementReason.RETURNED,
                note=request.order_id,
            )
            for sku, quantity in units.items()
        ]
        return Movements(movements=await self._stock.move(moves, now_ms=self._clock.now_ms()))

    async def _move(self, moves: Sequence[MoveStock]) -> list[Movement]:
        for move in moves:
            if is_own_key(move.movement_key):
                raise InvalidArgument(
                    f"the key {move.movement_key!r} is one of a shipment or a return",
                    field="movement_key",
                )
            if move.quantity == 0:
                raise InvalidArgument(
                    f"a movement of 0 units of {move.sku} moves nothing", field="quantity"
                )
        return await self._stock.move(moves, now_ms=self._clock.now_ms())


class OverdueHolds:
    """Lets go of holds whose time is over, but never without asking the order.

    A paid order keeps its stock for good, an undecided one for a while longer. As long as nobody
    can be asked, the hold stays: a late release costs less than a unit sold twice.
    """

    def __init__(self, holds: HoldStore, orders: OrderService, clock: Clock) -> None:
        self.wake: Callable[[], None] = _nobody
        """Set once the alarm that runs `run_due` exists."""
        self._holds = holds
        self._orders = orders
        self._clock = clock
        self._scheduled_ms: int | None = None

    def expect(self, expires_at_ms: int) -> None:
        """A hold was taken: wake the alarm only if it would sleep past it."""
        if self._scheduled_ms is None or expires_at_ms < self._scheduled_ms:
            self._scheduled_ms = expires_at_ms
            self.wake()

    async def run_due(self) -> int | None:
        """Decide about at most 100 overdue holds; returns the instant of the next one, or None."""
        self._scheduled_ms = None
        now_ms = self._clock.now_ms()
        due = await self._holds.due(now_ms=now_ms, limit=DUE_MAX)
        for start in range(0, len(due), ASKED_AT_ONCE_MAX):
            some = due[start : start + ASKED_AT_ONCE_MAX]
            verdicts = await asyncio.gather(*(self._judge(order_id, now_ms) for order_id in some))
            await self._holds.settle(verdicts, now_ms=now_ms)
        self._scheduled_ms = await self._holds.next_expiry_ms()
        return self._scheduled_ms

    async def _judge(self, order_id: OrderId, now_ms: int) -> Verdict:
        try:
            answer = await self._orders.is_hold_needed(OrderOf(order_id=order_id))
        except EmporionError as error:
            _log.warning("the hold of %s is kept: its order cannot be asked: %s", order_id, error)
            return Verdict(order_id, Action.EXTEND, now_ms + ASK_AGAIN_MS)
        return verdict(
            order_id,
            is_needed=answer.is_needed,
            is_paid=answer.is_paid,
            extended_to_ms=now_ms + EXTENSION_MS,
        )


def _nobody() -> None:
    """No alarm is set yet."""

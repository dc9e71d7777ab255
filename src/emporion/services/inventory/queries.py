"""What can be asked about stock; every list comes in bounded pages."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from emporion.chassis.eventstore.past import change, past_ms, require_begun
from emporion.contracts.inventory import (
    Allocation,
    ListMovements,
    ListReservations,
    MovementPage,
    Reservation,
    ReservationOf,
    ReservationPage,
    ReservationStatus,
    Warehouse,
    WarehouseList,
)
from emporion.contracts.inventory_levels import (
    Availability,
    HeldUnits,
    Level,
    LevelOf,
    LevelPage,
    LevelThen,
    ListLevels,
    ReservationHistory,
    WhyUnavailable,
)
from emporion.contracts.refusals import NotRecorded, UnknownCursor
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import NotFound
from emporion.kernel.ids import ORDER, OrderId, Sku, WarehouseId, has_prefix
from emporion.services.inventory.domain import (
    WAREHOUSES_MAX,
    Hold,
    HoldChange,
    Status,
    allocated_after,
    why_so_many,
)
from emporion.services.inventory.domain import Allocation as Allocated
from emporion.services.inventory.ports import HoldStore, StockStore

_SEQ_DIGITS_MAX = 18
HOLDS_MAX = 200
_encode = msgspec.json.Encoder().encode
_STATUSES: dict[str, ReservationStatus] = {status.value: status for status in ReservationStatus}


class InventoryQueries:
    """Reads of committed state."""

    def __init__(self, holds: HoldStore, stock: StockStore, clock: Clock) -> None:
        self._holds = holds
        self._stock = stock
        self._clock = clock

    async def reservation(self, order_id: OrderId) -> Reservation:
        """The hold of an order. Raises NotFound."""
        hold = await self._holds.find(order_id)
        if hold is None:
            raise _no_reservation(order_id)
        return reservation_of(hold)

    async def past_reservation(self, order_id: OrderId, as_of: datetime) -> Reservation:
        """The hold of an order as it was at an instant.

        Raises NotFound, InTheFuture, DidNotExistYet, NotRecorded.
        """
        instant_ms = past_ms(as_of, self._clock)
        hold, changes = await self._history(order_id)
        what = f"the reservation of {order_id}"
        require_begun(changes[0].at_ms, instant_ms, what=what)
        if changes[-1].status is not hold.status:
            raise NotRecorded(f"when {what} became {hold.status} was not recorded")
        now = len([change for change in changes if change.at_ms <= instant_ms]) - 1
        status = changes[now].status
        return reservation_of(
            replace(
                hold,
                status=status,
                allocations=allocated_after(hold, changes)[now],
                expires_at_ms=hold.expires_at_ms if status is Status.HELD else None,
            )
        )

    async def reservation_history(self, request: ReservationOf) -> ReservationHistory:
        """What became of the hold of an order until then. Raises NotFound."""
        order_id = request.order_id
        hold, changes = await self._history(order_id)
        allocated = allocated_after(hold, changes)
        return ReservationHistory(
            order_id=order_id,
            changes=[
                change(each.at_ms, f"reservation.{each.status}", _units(units), who=each.who)
                for each, units in zip(changes, allocated, strict=True)
                if request.as_of is None or to_datetime(each.at_ms) <= request.as_of
            ],
        )

    async def _history(self, order_id: OrderId) -> tuple[Hold, Sequence[HoldChange]]:
        found = await self._holds.history(order_id)
        if found is None:
            raise _no_reservation(order_id)
        return found

    async def level(self, request: LevelOf) -> LevelThen:
        """A level now or at an instant. Raises NotFound, InTheFuture, DidNotExistYet."""
        sku, place = request.sku, request.warehouse_id
        now_ms = self._clock.now_ms()
        instant_ms = past_ms(request.as_of, self._clock) if request.as_of else now_ms
        on_hand, count, first_ms = await self._stock.on_hand_at(sku, place, instant_ms)
        if first_ms is None:
            raise NotFound(f"nothing of {sku} was ever moved in {place}")
        require_begun(first_ms, instant_ms, what=f"the level of {sku} in {place}")
        return LevelThen(
            sku=sku,
            warehouse_id=place,
            on_hand=on_hand,
            movements=count,
            as_of=to_datetime(instant_ms),
        )

    async def reservations(self, request: ListReservations) -> ReservationPage:
        """Holds, newest first. Raises UnknownCursor."""
        if request.cursor and not has_prefix(request.cursor, ORDER):
            raise UnknownCursor
        found = await self._holds.page(
            status=Status(request.status.value) if request.status else None,
            before=request.cursor,
            limit=request.limit + 1,
        )
        page = found[: request.limit]
        return ReservationPage(
            reservations=[reservation_of(hold) for hold in page],
            next_cursor=page[-1].order_id if len(found) > request.limit else "",
        )

    async def warehouses(self) -> WarehouseList:
        """Every warehouse, in the order in which stock is taken from them."""
        return WarehouseList(warehouses=await self._stock.warehouses())

    async def warehouse(self, warehouse_id: WarehouseId) -> Warehouse:
        """One of them. Raises NotFound."""
        for warehouse in await self._stock.warehouses():
            if warehouse.warehouse_id == warehouse_id:
                return warehouse
        raise NotFound(f"there is no warehouse {warehouse_id!r}")

    async def movements(self, request: ListMovements) -> MovementPage:
        """Movements, newest first. Raises UnknownCursor."""
        cursor = request.cursor or "0"
        if len(cursor) > _SEQ_DIGITS_MAX or not (cursor.isascii() and cursor.isdecimal()):
            raise UnknownCursor
        found = await self._stock.movements(
            sku=request.sku,
            warehouse_id=request.warehouse_id,
            before=int(cursor),
            limit=request.limit + 1,
        )
        page = found[: request.limit]
        return MovementPage(
            movements=[movement for _, movement in page],
            next_cursor=str(page[-1][0]) if len(found) > request.limit else "",
        )

    async def levels(self, request: ListLevels) -> LevelPage:
        """Levels by SKU and warehouse. Raises UnknownCursor."""
        sku, slash, warehouse_id = request.cursor.partition("/")
        if request.cursor and not slash:
            raise UnknownCursor
        found = await self._stock.levels(
            sku=request.sku,
            warehouse_id=request.warehouse_id,
            after=(sku, warehouse_id),
            limit=request.limit + 1,
        )
        page = found[: request.limit]
        return LevelPage(levels=page, next_cursor=_cursor(page) if len(found) > len(page) else "")

    async def why(self, sku: Sku) -> WhyUnavailable:
        """Where the units of a SKU lie, and who holds them."""
        none = ("", "")
        levels = await self._stock.levels(
            sku=sku, warehouse_id=None, after=none, limit=WAREHOUSES_MAX
        )
        reserved = sum(level.reserved for level in levels)
        holds: list[HeldUnits] = []
        before = ""
        while sum(each.units for each in holds) < reserved and len(holds) < HOLDS_MAX:
            page = await self._holds.holding(sku, before=before, limit=HOLDS_MAX)
            holds += [held for hold in page for held in _held_of(hold, sku)]
            if len(page) < HOLDS_MAX:
                break
            before = page[-1].order_id
        is_complete = sum(each.units for each in holds) == reserved and len(holds) <= HOLDS_MAX
        return WhyUnavailable(
            sku=sku,
            says=why_so_many(sku, [(it.warehouse_id, it.on_hand, it.reserved) for it in levels]),
            available=sum(level.available for level in levels),
            levels=levels,
            holds=holds[:HOLDS_MAX],
            is_complete=is_complete,
        )

    async def availability(self, sku: Sku) -> Availability:
        """Units that could be ordered now; 0 for an unknown SKU."""
        return Availability(sku=sku, available=await self._stock.available(sku))


def _units(allocations: Sequence[Allocated]) -> str:
    return _encode([each._asdict() for each in allocations]).decode()


def reservation_of(hold: Hold) -> Reservation:
    """A hold in the words of the contract."""
    expires_at_ms = hold.expires_at_ms
    return Reservation(
        order_id=hold.order_id,
        status=_STATUSES[hold.status],
        allocations=[
            Allocation(sku=sku, warehouse_id=warehouse_id, quantity=quantity, departed=departed)
            for sku, warehouse_id, quantity, departed in hold.allocations
        ],
        created_at=to_datetime(hold.created_at_ms),
        expires_at=None if expires_at_ms is None else to_datetime(expires_at_ms),
    )


def _held_of(hold: Hold, sku: Sku) -> list[HeldUnits]:
    until_ms = hold.expires_at_ms
    return [
        HeldUnits(
            order_id=hold.order_id,
            warehouse_id=each.warehouse_id,
            units=each.reserved,
            since=to_datetime(hold.created_at_ms),
            until=None if until_ms is None else to_datetime(until_ms),
        )
        for each in hold.allocations
        if each.sku == sku and each.reserved
    ]


def _no_reservation(order_id: OrderId) -> NotFound:
    return NotFound(f"there is no reservation for {order_id}")


def _cursor(page: Sequence[Level]) -> str:
    return f"{page[-1].sku}/{page[-1].warehouse_id}"

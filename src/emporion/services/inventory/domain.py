"""The rules of stock: what a hold may become, and from which shelves its units are taken."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.kernel.value import Value

ON_HAND_MAX = 10**12
"""Units of one SKU in one warehouse: sums over 200 warehouses stay exact in JSON and JavaScript."""
WAREHOUSES_MAX = 200
DEPARTURE = "shipment"
COMEBACK = "return"


class Status(StrEnum):
    """Where a hold stands. ABSENT is never stored: there is none."""

    ABSENT = "absent"
    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


class Action(StrEnum):
    """What can happen to a hold."""

    RESERVE = "reserve"
    COMMIT = "commit"
    RELEASE = "release"
    EXTEND = "extend"
    EXPIRE = "expire"
    DEPART = "depart"


class Effect(StrEnum):
    """What a change of status does to the stock."""

    TAKE = "take"
    GIVE_BACK = "give back"
    NOTHING = "nothing"


LIFECYCLE: Mapping[tuple[Status, Action], Status] = {
    # before                            what happens     after
    (Status.ABSENT, Action.RESERVE): Status.HELD,
    (Status.ABSENT, Action.COMMIT): Status.COMMITTED,  # sold, and we never heard of it
    (Status.ABSENT, Action.RELEASE): Status.RELEASED,  # a tombstone: undo came before do
    (Status.HELD, Action.RESERVE): Status.HELD,
    (Status.HELD, Action.COMMIT): Status.COMMITTED,
    (Status.HELD, Action.RELEASE): Status.RELEASED,
    (Status.HELD, Action.EXTEND): Status.HELD,
    (Status.HELD, Action.EXPIRE): Status.EXPIRED,
    (Status.EXPIRED, Action.RESERVE): Status.HELD,
    (Status.EXPIRED, Action.COMMIT): Status.COMMITTED,
    (Status.EXPIRED, Action.RELEASE): Status.RELEASED,
    (Status.COMMITTED, Action.RESERVE): Status.COMMITTED,
    (Status.COMMITTED, Action.COMMIT): Status.COMMITTED,
    (Status.COMMITTED, Action.RELEASE): Status.RELEASED,  # a paid order was cancelled
    (Status.COMMITTED, Action.DEPART): Status.COMMITTED,  # some or all of its units left
    (Status.RELEASED, Action.RELEASE): Status.RELEASED,
    (Status.RELEASED, Action.COMMIT): Status.RELEASED,  # cancelled before the news of it came
    # RELEASED and RESERVE is missing: what was undone is never done again
}
OPEN = (Status.HELD, Status.COMMITTED)
"""The statuses in which units are reserved."""


class Allocation(NamedTuple):
    """Units of a SKU held in one warehouse, of which `departed` have left it."""

    sku: Sku
    warehouse_id: WarehouseId
    quantity: int
    departed: int = 0

    @property
    def reserved(self) -> int:
        """Units that still lie there for the order."""
        return self.quantity - self.departed


class Hold(Value, frozen=True, gc=False):
    """A hold on stock for an order.

    `allocations` stay as a record of what was held after it ended; those of a tombstone are
    empty. `expires_at_ms` is None unless it is HELD.
    """

    order_id: OrderId
    status: Status
    allocations: Sequence[Allocation]
    created_at_ms: int
    expires_at_ms: int | None


class HoldChange(NamedTuple):
    """A hold became `status`; `who`: the stored actor, cause and trace id, empty if unknown.

    `before`: what it was allocated until then; None: this change left it as it was.
    """

    status: Status
    at_ms: int
    who: tuple[str, str, str]
    before: Sequence[Allocation] | None = None


class Shelf(NamedTuple):
    """Units of a SKU that are free in one warehouse; the lowest priority is emptied first."""

    warehouse_id: WarehouseId
    priority: int
    available: int


class Shortage(NamedTuple):
    """A SKU of which less is free, over all warehouses, than is wanted."""

    sku: Sku
    wanted: int
    available: int


class Verdict(NamedTuple):
    """What is to become of a hold whose time is over; `expires_at_ms` when it is extended."""

    order_id: OrderId
    action: Action
    expires_at_ms: int | None = None


def after(status: Status, action: Action) -> Status | None:
    """The status after `action`, or None when the lifecycle refuses it."""
    return LIFECYCLE.get((status, action))


def effect(before: Status, status: Status) -> Effect:
    """What the step from one status to another does to the stock."""
    if (before in OPEN) == (status in OPEN):
        return Effect.NOTHING
    return Effect.TAKE if status in OPEN else Effect.GIVE_BACK


def units_per_sku(lines: Iterable[tuple[Sku, int]]) -> dict[Sku, int]:
    """The units wanted of each SKU, in the order of the SKUs.

    Lines of one SKU are summed, so that together they cannot take what each alone could; the
    order is the one in which rows are locked, the same for everybody, so that no two wait for
    each other.
    """
    totals: dict[Sku, int] = {}
    for sku, quantity in lines:
        totals[sku] = totals.get(sku, 0) + quantity
    return {sku: totals[sku] for sku in sorted(totals)} if len(totals) > 1 else totals


def allocate(
    wanted: Mapping[Sku, int], shelves: Mapping[Sku, Sequence[Shelf]]
) -> tuple[list[Allocation], list[Shortage]]:
    """Spread the wanted units over the warehouses: by priority, then by name.

    All or nothing: with any shortage there are no allocations, and every short SKU is named.
    """
    allocations: list[Allocation] = []
    shortages: list[Shortage] = []
    for sku, quantity in wanted.items():
        ranked = sorted(
            shelves.get(sku, ()), key=lambda shelf: (shelf.priority, shelf.warehouse_id)
        )
        available = sum(shelf.available for shelf in ranked)
        if available < quantity:
            shortages.append(Shortage(sku, quantity, available))
        else:
            allocations += _spread(sku, quantity, ranked)
    return ([], shortages) if shortages else (allocations, [])


def _spread(sku: Sku, quantity: int, ranked: Iterable[Shelf]) -> Iterable[Allocation]:
    missing = quantity
    for shelf in ranked:
        taken = min(missing, shelf.available)
        if taken > 0:
            yield Allocation(sku, shelf.warehouse_id, taken)
            missing -= taken
        if not missing:
            return


def is_same_request(hold: Hold, wanted: Mapping[Sku, int]) -> bool:
    """Whether the hold was made for exactly these units."""
    return units_per_sku((held.sku, held.quantity) for held in hold.allocations) == wanted


def allocated_after(hold: Hold, changes: Sequence[HoldChange]) -> list[Sequence[Allocation]]:
    """What the hold was allocated after each of its changes, told back from what it is now."""
    told: list[Sequence[Allocation]] = []
    allocated = hold.allocations
    for change in reversed(changes):
        told.append(allocated)
        allocated = allocated if change.before is None else change.before
    return told[::-1]


def after_departure(
    hold: Hold, warehouse_id: WarehouseId, leaving: Mapping[Sku, int]
) -> list[Allocation] | None:
    """The allocations once those units left the warehouse; None when fewer are held there."""
    if after(hold.status, Action.DEPART) is None:
        return None
    missing = dict(leaving)
    allocations = []
    for each in hold.allocations:
        is_there = each.warehouse_id == warehouse_id
        gone = min(missing.get(each.sku, 0), each.reserved) if is_there else 0
        if gone:
            missing[each.sku] -= gone
        allocations.append(each._replace(departed=each.departed + gone))
    return None if any(missing.values()) else allocations


def movement_key(kind: str, id_: str, sku: Sku) -> str:
    """The key of a movement that follows from a shipment or a return: staff cannot use it."""
    return f"{kind}/{id_}/{sku}"


def is_own_key(key: str) -> bool:
    """Whether only inventory itself may use the key."""
    return key.startswith((f"{DEPARTURE}/", f"{COMEBACK}/"))


def verdict(order_id: OrderId, *, is_needed: bool, is_paid: bool, extended_to_ms: int) -> Verdict:
    """What becomes of a hold whose time is over, given what its order says."""
    if is_paid:
        return Verdict(order_id, Action.COMMIT)
    if is_needed:
        return Verdict(order_id, Action.EXTEND, extended_to_ms)
    return Verdict(order_id, Action.EXPIRE)


def why_so_many(sku: Sku, levels: Sequence[tuple[WarehouseId, int, int]]) -> str:
    """Why so many units can be ordered and no more; levels are (place, on hand, reserved)."""
    if not levels:
        return f"nothing of {sku} was ever received in any warehouse"
    on_hand = sum(level[1] for level in levels)
    reserved = sum(level[2] for level in levels)
    places = ", ".join(f"{count} in {place}" for place, count, _ in levels if count)
    if not on_hand:
        return f"all of {sku} is gone: nothing lies in any of {len(levels)} warehouses"
    free = on_hand - reserved
    verb = "is" if free == 1 else "are"
    return f"{on_hand} on hand ({places}), {reserved} of them held for orders: {free} {verb} free"

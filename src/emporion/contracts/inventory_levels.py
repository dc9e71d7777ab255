"""Levels of stock, and the past: messages of `contracts.inventory` that are asked for."""

from emporion.contracts.contract import Message, Reply, Request
from emporion.contracts.words import Cursor, Instant, OrderId, PageSize, Sku, WarehouseId
from emporion.kernel.history import Change


class Level(Message, frozen=True, kw_only=True):
    """Stock of a SKU in one warehouse: `available` = `on_hand` - `reserved`, never negative."""

    sku: Sku
    warehouse_id: WarehouseId
    on_hand: int
    reserved: int
    available: int


class ListLevels(Request, frozen=True, kw_only=True):
    """Which levels, by SKU and warehouse."""

    sku: Sku | None = None
    warehouse_id: WarehouseId | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class LevelPage(Reply, frozen=True, kw_only=True):
    """A page of levels."""

    levels: list[Level]
    next_cursor: str


class AvailabilityOf(Request, frozen=True, kw_only=True):
    """Which SKU."""

    sku: Sku


class Availability(Reply, frozen=True, kw_only=True):
    """How many units could be ordered now, over all warehouses."""

    sku: Sku
    available: int


class ReservationHistory(Reply, frozen=True, kw_only=True):
    """Everything that became of a hold, the oldest first."""

    order_id: OrderId
    changes: list[Change]


class LevelOf(Request, frozen=True, kw_only=True):
    """Which level; `as_of`: as it was at that instant."""

    sku: Sku
    warehouse_id: WarehouseId
    as_of: Instant | None = None


class LevelThen(Reply, frozen=True, kw_only=True):
    """The units that lay in a warehouse at an instant: the sum of its `movements` until then."""

    sku: Sku
    warehouse_id: WarehouseId
    on_hand: int
    movements: int
    as_of: Instant


class HeldUnits(Message, frozen=True, kw_only=True):
    """Units that an order holds in a warehouse: `until` it is decided, or for good (none)."""

    order_id: OrderId
    warehouse_id: WarehouseId
    units: int
    since: Instant
    until: Instant | None


class WhyUnavailable(Reply, frozen=True, kw_only=True):
    """Why so many units of a SKU can be ordered and no more.

    Args:
        says: the answer in a sentence.
        holds: who holds the reserved units, the newest orders first; at most 200.
        is_complete: whether these are all of them.
    """

    sku: Sku
    says: str
    available: int
    levels: list[Level]
    holds: list[HeldUnits]
    is_complete: bool

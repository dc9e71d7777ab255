"""How a hold is written down as a document, and read back."""

from collections.abc import Iterable

from emporion.chassis.data.documents import Change, Document, DocumentTx, Find, Insert, Update
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory.domain import Allocation, Hold, Status

HOLD = "hold"


def put(stored: Hold | None, hold: Hold, line: str) -> Change:
    """Make the hold, or change it if it still is what was read; `line` is for its trail."""
    if stored is None:
        return Insert(HOLD, {"_id": hold.order_id, **_columns_of(hold), "trail": [line]})
    columns = _columns_of(hold)
    change: dict[str, object] = {"$set": columns, "$push": {"trail": line}}
    if hold.expires_at_ms is None:
        change["$unset"] = {"expires_at_ms": ""}
    guard = {"_id": stored.order_id, "status": stored.status.value}
    if stored.expires_at_ms is not None:
        guard["expires_at_ms"] = stored.expires_at_ms  # type: ignore[assignment]
    if stored.status is Status.COMMITTED:  # its units may be leaving just now
        guard["departed"] = _departed(stored) or {"$exists": False}  # type: ignore[assignment]
    return Update(HOLD, guard, change)


def _departed(hold: Hold) -> int:
    return sum(each.departed for each in hold.allocations)


def _columns_of(hold: Hold) -> dict[str, object]:
    columns: dict[str, object] = {
        "status": hold.status.value,
        "allocations": [each._asdict() for each in hold.allocations],
        "created_at_ms": hold.created_at_ms,
    }
    departed = _departed(hold)
    if departed:
        columns["departed"] = departed
    if hold.expires_at_ms is not None:
        columns["expires_at_ms"] = hold.expires_at_ms  # absent where it never ends: few are due
    return columns


async def find_hold(tx: DocumentTx, order_id: OrderId) -> Hold | None:
    """The hold of an order, or None."""
    found = await tx.find(Find(HOLD, {"_id": order_id}, limit=1))
    return hold_from(found[0]) if found else None


def hold_from(found: Document) -> Hold:
    """The hold that a document tells."""
    return Hold(
        OrderId(found["_id"]),
        Status(found["status"]),
        [
            Allocation(
                Sku(each["sku"]),
                WarehouseId(each["warehouse_id"]),
                each["quantity"],
                each.get("departed", 0),
            )
            for each in found["allocations"]
        ],
        found["created_at_ms"],
        found.get("expires_at_ms"),
    )


def keys_of(holds: Iterable[Hold]) -> set[str]:
    """What the change of a hold writes: itself, and the levels of its SKUs."""
    keys: set[str] = set()
    for hold in holds:
        keys.add(hold.order_id)
        keys.update(each.sku for each in hold.allocations)
    return keys

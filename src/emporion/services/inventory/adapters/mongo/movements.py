"""Movements as documents, numbered by a counter that rises in the same transaction."""

from emporion.chassis.data.documents import Change, Document, Update
from emporion.contracts.inventory import Movement, MovementReason, MoveStock
from emporion.kernel.clock import to_datetime
from emporion.services.inventory.adapters.trail import who

MOVEMENT = "movement"
COUNTER = "counter"


def count(name: str, counted: Document, more: int = 1) -> Change:
    """Raise a counter that still stands where it was read."""
    return Update(COUNTER, {"_id": name, "value": counted["value"]}, {"$inc": {"value": more}})


def movement_record(move: MoveStock, *, seq: int, now_ms: int) -> dict[str, object]:
    """The document of a movement."""
    return {
        "_id": move.movement_key,
        "seq": seq,
        "sku": move.sku,
        "warehouse_id": move.warehouse_id,
        "quantity": move.quantity,
        "reason": move.reason.value,
        "note": move.note,
        "moved_at_ms": now_ms,
        "who": list(who()),
    }


def movement_from(found: Document) -> Movement:
    """The movement that a document tells."""
    actor, cause, trace_id = found.get("who", ("", "", ""))
    return Movement(
        movement_key=found["_id"],
        sku=found["sku"],
        warehouse_id=found["warehouse_id"],
        quantity=found["quantity"],
        reason=MovementReason(found["reason"]),
        note=found["note"],
        moved_at=to_datetime(found["moved_at_ms"]),
        actor=actor,
        command=cause.partition(":")[2],
        trace_id=trace_id,
    )

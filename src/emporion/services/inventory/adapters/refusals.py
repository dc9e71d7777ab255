"""The refusals of the books, in the same words whatever the engine."""

from collections.abc import Sequence

from emporion.contracts.inventory import Movement, MoveStock, OutOfStock, UnitsNotHeld
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import FailedPrecondition
from emporion.services.inventory.domain import WAREHOUSES_MAX, Shortage


def out_of_stock(shortages: Sequence[Shortage]) -> OutOfStock:
    """The refusal that names every short SKU, what was wanted and what is there."""
    told = ", ".join(f"{short.sku} ({short.available} left)" for short in shortages[:5])
    more = f" and {len(shortages) - 5} more" if len(shortages) > 5 else ""  # noqa: PLR2004 - as above
    return OutOfStock(
        f"Not enough of {told}{more}", shortages=[short._asdict() for short in shortages]
    )


def units_not_held(order_id: str, warehouse_id: str) -> UnitsNotHeld:
    """The refusal of units that cannot leave."""
    return UnitsNotHeld(
        f"{warehouse_id} does not hold so many units for {order_id}, or no longer",
        order_id=order_id,
        warehouse_id=warehouse_id,
    )


def too_many_warehouses() -> FailedPrecondition:
    """The refusal of one warehouse more than there may be."""
    return FailedPrecondition(f"there are {WAREHOUSES_MAX} warehouses already")


def impossible_movement(move: MoveStock, *, on_hand: int, reserved: int) -> FailedPrecondition:
    """The refusal of a movement after which less than is reserved, or too much, would lie there."""
    return FailedPrecondition(
        f"a movement of {move.quantity} is not possible: of {move.sku} in {move.warehouse_id} "
        f"there are {on_hand} on hand, {reserved} of them reserved",
        sku=move.sku,
        warehouse_id=move.warehouse_id,
        on_hand=on_hand,
        reserved=reserved,
    )


def same_movement(stored: Movement, move: MoveStock) -> Movement:
    """The stored movement of a key that is used again. Raises KeyReused for another movement."""
    is_same = all(
        getattr(stored, field) == getattr(move, field) for field in MoveStock.__struct_fields__
    )
    if not is_same:
        raise KeyReused(f"the key {move.movement_key!r} was used for another movement")
    return stored

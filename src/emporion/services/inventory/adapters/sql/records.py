"""How a hold is written down as a row, and read back."""

import msgspec

from emporion.chassis.data.database import Row
from emporion.services.inventory.domain import Allocation, Hold, Status

_decode = msgspec.json.Decoder(list[Allocation]).decode
_encode = msgspec.json.Encoder().encode


def hold_from(row: Row) -> Hold:
    """The hold that a row tells."""
    order_id, status, allocations, created_at_ms, expires_at_ms = row
    return Hold(order_id, Status(status), _decode(allocations), created_at_ms, expires_at_ms)


def row_of(hold: Hold, line: str) -> tuple[str, str, str, int, int | None, str]:
    """A new hold's row; `line` begins its trail."""
    stored = _encode(hold.allocations).decode()
    return hold.order_id, hold.status, stored, hold.created_at_ms, hold.expires_at_ms, line

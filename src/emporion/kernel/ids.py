"""Ids: a prefix that says what it names, and a time-sortable UUIDv7 in hex (`ord_0192...`)."""

import re
from typing import NewType, Protocol

UserId = NewType("UserId", str)
ProductId = NewType("ProductId", str)
Sku = NewType("Sku", str)
WarehouseId = NewType("WarehouseId", str)
OrderId = NewType("OrderId", str)
PaymentId = NewType("PaymentId", str)
MailId = NewType("MailId", str)
HookId = NewType("HookId", str)
DeliveryId = NewType("DeliveryId", str)
ShipmentId = NewType("ShipmentId", str)
ReturnId = NewType("ReturnId", str)
GiftCardId = NewType("GiftCardId", str)

USER = "usr"
PRODUCT = "prd"
ORDER = "ord"
PAYMENT = "pay"
MAIL = "mail"
HOOK = "whk"
DELIVERY = "dlv"
SHIPMENT = "shp"
RETURN = "ret"
GIFT_CARD = "gft"
EVENT = "evt"

_ID = re.compile(r"[a-z]{2,8}_[0-9a-f]{32}")


class Ids(Protocol):
    """Where new ids come from."""

    def new(self, prefix: str) -> str:
        """A new id `<prefix>_<32 hex digits>`; ids of one process sort in the order of creation."""
        ...


class Randomness(Protocol):
    """Where randomness comes from: jitter and sampling. Not for secrets."""

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high)."""
        ...

    def token(self, size_bytes: int) -> str:
        """An unguessable URL-safe secret of `size_bytes` bytes of entropy."""
        ...


def has_prefix(candidate: str, prefix: str) -> bool:
    """Whether `candidate` is a well-formed id of that kind."""
    return candidate.startswith(prefix + "_") and _ID.fullmatch(candidate) is not None


def first_id_at(prefix: str, instant_ms: int) -> str:
    """What every id of that kind made from that instant on is greater than."""
    return f"{prefix}_{max(instant_ms, 0):012x}"

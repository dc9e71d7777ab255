"""Constrained field types that several contracts share."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from emporion.kernel import ids

_END = r"$(?!\n)"
"""The very end: in Python, a bare `$` would also match before a final line feed."""
_ID = "_[0-9a-f]{32}" + _END
_ZEROS = "0" * 32

UserId = Annotated[ids.UserId, Meta(pattern=f"^{ids.USER}{_ID}", examples=["usr_" + _ZEROS])]
ProductId = Annotated[
    ids.ProductId, Meta(pattern=f"^{ids.PRODUCT}{_ID}", examples=["prd_" + _ZEROS])
]
OrderId = Annotated[ids.OrderId, Meta(pattern=f"^{ids.ORDER}{_ID}", examples=["ord_" + _ZEROS])]
PaymentId = Annotated[
    ids.PaymentId, Meta(pattern=f"^{ids.PAYMENT}{_ID}", examples=["pay_" + _ZEROS])
]
MailId = Annotated[ids.MailId, Meta(pattern=f"^{ids.MAIL}{_ID}", examples=["mail_" + _ZEROS])]
ShipmentId = Annotated[
    ids.ShipmentId, Meta(pattern=f"^{ids.SHIPMENT}{_ID}", examples=["shp_" + _ZEROS])
]
ReturnId = Annotated[ids.ReturnId, Meta(pattern=f"^{ids.RETURN}{_ID}", examples=["ret_" + _ZEROS])]
HookId = Annotated[ids.HookId, Meta(pattern=f"^{ids.HOOK}{_ID}", examples=["whk_" + _ZEROS])]
DeliveryId = Annotated[
    ids.DeliveryId, Meta(pattern=f"^{ids.DELIVERY}{_ID}", examples=["dlv_" + _ZEROS])
]
GiftCardId = Annotated[
    ids.GiftCardId, Meta(pattern=f"^{ids.GIFT_CARD}{_ID}", examples=["gft_" + _ZEROS])
]
WarehouseId = Annotated[
    ids.WarehouseId,
    Meta(
        pattern="^[a-z0-9][a-z0-9-]{0,39}" + _END,
        description="Chosen by you, e.g. `main`.",
        examples=["main"],
    ),
]
Sku = Annotated[
    ids.Sku,
    Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}" + _END,
        description="Stock keeping unit: 1..64 letters, digits, `.`, `_`, `-`.",
        examples=["croissant"],
    ),
]


# References: names that somebody else made and checked, and that mean nothing if they are wrong.
# Only their length is looked at: patterns on those of an order cost as much as two of its
# transactions (docs/performance.md).
def _reference(prefix: str) -> Meta:
    example = f"{prefix}_{_ZEROS}"
    length = len(example)
    return Meta(
        min_length=length,
        max_length=length,
        examples=[example],
        extra_json_schema={"pattern": f"^{prefix}{_ID}"},
    )


UserRef = Annotated[ids.UserId, _reference(ids.USER)]
OrderRef = Annotated[ids.OrderId, _reference(ids.ORDER)]
PaymentRef = Annotated[ids.PaymentId, _reference(ids.PAYMENT)]
SkuRef = Annotated[
    ids.Sku,
    Meta(
        min_length=1,
        max_length=64,
        description="Stock keeping unit, as the catalogue has it.",
        examples=["croissant"],
    ),
]
MethodName = Annotated[
    str,
    Meta(
        max_length=64,
        description="A keyed hash of the payment token: the same for the same token, and no way "
        "back to it. Empty in a shop without a key for it.",
    ),
]
Quantity = Annotated[int, Meta(ge=1, le=10_000, description="Units, 1..10000.")]
Instant = Annotated[datetime, Meta(tz=True, examples=["2026-01-01T12:00:00Z"])]
IdempotencyKey = Annotated[
    str,
    Meta(
        pattern="^[!-~]{1,255}" + _END,
        description="Chosen by the client, 1..255 printable characters without spaces. The same "
        "key gives the same outcome; a retry must use it.",
        examples=["3f1c2b6e-basket-7"],
    ),
]
OptionalKey = Annotated[
    str,
    Meta(
        pattern="^[!-~]{0,255}" + _END,
        description="Like an idempotency key; without one (empty), every repetition counts.",
        examples=["3f1c2b6e-item-2"],
    ),
]
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, separators of lines, and what turns the direction of the text around it."""
_BLANK = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=f"^[^{_UNPRINTABLE}]*[^{_UNPRINTABLE}{_BLANK}][^{_UNPRINTABLE}]*{_END}",
        description="1..200 printable characters, not all of them blanks.",
        examples=["Ada Lovelace"],
    ),
]
Note = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=f"^[^{_UNPRINTABLE}]*{_END}",
        description="A line of at most 200 printable characters.",
        examples=["second delivery"],
    ),
]
ReadableNote = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=rf"^(?:(?!\S@\S)[^{_UNPRINTABLE}])*{_END}",
        description="A line of at most 200 printable characters, without e-mail addresses. It is "
        "kept readable: name people by their ids, if at all.",
        examples=["second delivery"],
    ),
]
Text = Annotated[str, Meta(max_length=4_000)]
PageSize = Annotated[int, Meta(ge=1, le=200, description="Entries per page, 1..200.")]
Cursor = Annotated[
    str,
    Meta(max_length=200, description="`next_cursor` of the page before; empty: from the start."),
]

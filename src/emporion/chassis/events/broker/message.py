"""Events on the wire: CloudEvents in the structured mode, with the publisher's number beside."""

from datetime import datetime
from typing import Any, Final

import msgspec

from emporion.chassis.events.reactions import Item
from emporion.kernel.clock import to_datetime, to_instant_ms

CONTENT_TYPE: Final = "application/cloudevents+json"
SEQUENCE: Final = "emporion-sequence"
"""The header with the position in the publisher's outbox: events of a key rise in it."""


class _Head(msgspec.Struct, frozen=True, gc=False):
    """What is needed of an envelope on its way."""

    id: str
    type: str
    subject: str
    time: datetime


_open = msgspec.json.Decoder(_Head).decode


class Carried(Item):
    """An event that came from a broker. `position` counts there; `handle` acknowledges it."""

    __slots__ = ("handle", "number")

    def __init__(self, position: int, head: _Head, *, sequence: int, body: bytes) -> None:
        super().__init__(position, head.id, head.type, head.subject, to_instant_ms(head.time), body)
        self.number = sequence
        self.handle: Any = None

    @property
    def sequence(self) -> int:
        """See Item.sequence: the position in the publisher's outbox, not at the broker."""
        return self.number


def carried(  # noqa: PLR0913 - what adapters find in their messages, by keyword
    position: int, body: bytes, *, sequence: str, name: str, now_ms: int, unreadable_id: str
) -> Carried:
    """The event in a message, which the broker knows as `unreadable_id`.

    One that cannot be read becomes an event of the name it was sent under, whose reaction will
    fail: it is set aside and becomes a dead letter, and holds up nothing else.
    """
    try:
        return Carried(position, _open(body), sequence=int(sequence), body=body)
    except (msgspec.MsgspecError, ValueError):
        head = _Head(unreadable_id, name, unreadable_id, to_datetime(now_ms))
        return Carried(position, head, sequence=0, body=body)

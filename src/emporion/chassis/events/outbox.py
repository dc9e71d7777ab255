"""What is published: an event as a CloudEvents 1.0 envelope, in a row of the publisher's outbox.

The row is written in the transaction that made the event true, so it exists if, and only if, that
committed. Envelope: https://github.com/cloudevents/spec (1.0.2, JSON format) with the distributed
tracing extension; `subject` is the key by which deliveries are ordered.
"""

from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from emporion.contracts.contract import Event
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import EVENT, Ids

INSERT = (
    "INSERT INTO outbox (event_id, name, topic, key, occurred_at_ms, payload) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)

OutboxRow = tuple[str, str, str, str, int, bytes]


class Envelope(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A CloudEvents 1.0 event in the JSON format. `dataversion` is EventSpec.version."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    data: Any
    traceparent: str = ""
    dataversion: int = 1


@cache
def owner_of(event: type[Event]) -> str:
    """The service that publishes an event: the name of the contract module that declares it."""
    return event.__module__.rpartition(".")[2]


@cache
def _travel(event: type[Event]) -> tuple[str, str, str, int]:
    spec = event.SPEC
    if spec.key not in event.__struct_fields__:
        raise TypeError(f"{event.__name__} has no field {spec.key!r} to order its deliveries by")
    return spec.name, spec.topic, spec.key, spec.version


_encoder = msgspec.json.Encoder()


def row(event: Event, *, source: str, ids: Ids, now_ms: int, traceparent: str) -> OutboxRow:
    """The arguments of `INSERT` for an event, with a new event id.

    Args:
        event: what happened.
        source: the service that publishes it.
        ids: where the event's id comes from.
        now_ms: when, in milliseconds since the epoch.
        traceparent: the W3C header of the call that made it happen; empty: none.

    Raises TypeError when the event's declaration names a key that it does not have.
    """
    name, topic, key_field, version = _travel(type(event))
    event_id = ids.new(EVENT)
    key = str(getattr(event, key_field))
    envelope = Envelope(
        "1.0",
        event_id,
        f"/emporion/{source}",
        name,
        key,
        to_datetime(now_ms),
        "application/json",
        event,
        traceparent,
        version,
    )
    return event_id, name, topic, key, now_ms, _encoder.encode(envelope)

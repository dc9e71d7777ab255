"""Streams of domain events in a service's own database, each event chained to the one before.

An append names the version it expects; the primary key (stream, version) turns a race into a
Conflict. `hash` = SHA-256(previous hash + stream, version, type, time, actor, trace id, cause,
data), so that an edited, inserted or removed event breaks the chain from there on. A removed *last*
event is found by comparing with the row that the aggregate's service keeps, and with the seals of
`emporion audit --trail`.

`cause` is the kind of the actor and the command, in one column: `person:order.checkout`.
Events from before there was one have an empty one, and a hash without it and the trace id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec

from emporion.chassis.auth.identity import Kind
from emporion.chassis.calls.context import Call, current_call
from emporion.chassis.data.database import Tx, UniqueViolation
from emporion.kernel.errors import Conflict, Internal

E = TypeVar("E")
HASH_BYTES = 32
NO_HASH = b"\0" * HASH_BYTES
EVENTS_PER_STREAM_MAX = 10_000
FIRST_HASHES_MAX = 4_096

_INSERT = (
    "INSERT INTO event (stream, version, type, data, at_ms, actor, trace_id, hash, cause)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LOAD = (
    "SELECT version, type, data, at_ms, actor, trace_id, hash, cause FROM event"
    " WHERE stream = ? AND version > ? AND at_ms <= ? ORDER BY version LIMIT ?"
)
_RANGE = (
    "SELECT stream, version, type, data, at_ms, actor, trace_id, hash, cause FROM event"
    " WHERE stream > ? AND stream <= ? ORDER BY stream, version"
)
_LAST_HASH = "SELECT hash FROM event WHERE stream = ? AND version = ?"
_ALL_TIME_MS = 2**53
_PERSON, _SERVICE = Kind.PERSON, Kind.SERVICE
"""The members once: looking one up on its class costs more than what is done with it."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[E]):
    """An event with the circumstances of its recording."""

    version: int
    event: E
    at_ms: int
    actor: str
    trace_id: str
    hash: bytes
    name: str = ""
    cause: str = ""


@dataclass(slots=True)
class Proved(Generic[E]):
    """A stream as far as it is as it was written; `broken_at` is the version that is not, or 0."""

    events: list[Stored[E]]
    broken_at: int = 0


class EventStore(Generic[E]):
    """The streams of one kind of aggregate.

    Args:
        kinds: event classes by their stored names. A name is for ever; a class may be renamed.
        upcasters: for a stored name that is no longer current, a function from its decoded
            fields to an event of today.
        is_guarded: every append is followed, in its transaction, by a compare-and-set of a row
            that holds the stream's version, and no other process appends. Then the hash of a
            stream begun lately need not be read again to append to it.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Any]],
        upcasters: Mapping[str, Any] | None = None,
        *,
        is_guarded: bool = False,
    ) -> None:
        self._names = {kind: name for name, kind in kinds.items()}
        self._decoders = {name: msgspec.json.Decoder(kind) for name, kind in kinds.items()}
        self._upcasters = dict(upcasters or {})
        self._encode = msgspec.json.Encoder().encode
        self._is_guarded = is_guarded
        self._first_hashes: dict[str, bytes] = {}

    async def append(
        self, tx: Tx, stream: str, events: Sequence[E], *, expected_version: int, at_ms: int
    ) -> None:
        """Store events after `expected_version` (0: the stream is new).

        Raises Conflict when the stream is at another version: load again and decide again.
        """
        call = current_call()
        actor, trace_id, cause = call.identity.subject, call.trace.trace_id, cause_of(call)
        who = f"{actor}\n{trace_id}\n{cause}"
        before, version = NO_HASH, expected_version
        if version:
            kept = self._first_hashes.pop(stream, None) if version == 1 else None
            before = kept or await self.hash_at(tx, stream, version)
        try:
            for event in events:
                version += 1
                name, data = self._names[type(event)], self._encode(event)
                before = chain(before, stream, version, name, at_ms, who, data)
                await tx.execute(
                    _INSERT, stream, version, name, data, at_ms, actor, trace_id, before, cause
                )
        except UniqueViolation as error:
            raise Conflict(f"{stream} is past version {expected_version}") from error
        if version == 1 and self._is_guarded:
            self._first_hashes[stream] = before
            if len(self._first_hashes) > FIRST_HASHES_MAX:
                del self._first_hashes[next(iter(self._first_hashes))]

    async def load(
        self,
        tx: Tx,
        stream: str,
        *,
        after: int = 0,
        until_ms: int = _ALL_TIME_MS,
        limit: int | None = None,
    ) -> list[Stored[E]]:
        """The events of a stream in order, past version `after`, up to and including an instant.

        Empty: no such stream. Raises Internal when there are more than EVENTS_PER_STREAM_MAX,
        unless no more than the first `limit` are wanted.
        """
        rows = await tx.fetch(_LOAD, stream, after, until_ms, limit or EVENTS_PER_STREAM_MAX + 1)
        if len(rows) > EVENTS_PER_STREAM_MAX:
            raise Internal(f"{stream} has more than {EVENTS_PER_STREAM_MAX} events")
        return [
            Stored(version, self._decode(name, data), at_ms, actor, trace_id, hash_, name, cause)
            for version, name, data, at_ms, actor, trace_id, hash_, cause in rows
        ]

    async def prove(self, tx: Tx, *, after: str, until: str) -> dict[str, Proved[E]]:
        """Every stream past `after` up to and including `until`, its chain followed.

        One statement for all of them, for audits: choose a range that holds a bounded number.
        Raises Internal for an event whose name or data cannot be read.
        """
        streams: dict[str, Proved[E]] = {}
        before, proved = NO_HASH, Proved[E]([])
        for stream, *row in await tx.fetch(_RANGE, after, until):
            if stream not in streams:
                before, proved = NO_HASH, Proved[E]([])
                streams[stream] = proved
            if proved.broken_at:
                continue
            version, name, data, at_ms, actor, trace_id, hash_, cause = row
            who = who_of(actor, trace_id, cause)
            before = chain(before, stream, version, name, at_ms, who, data)
            expected = len(proved.events) + 1
            if version != expected or before != hash_:
                proved.broken_at = expected
                continue
            event = self._decode(name, data)
            stored = Stored(version, event, at_ms, actor, trace_id, hash_, name, cause)
            proved.events.append(stored)
        return streams

    def _decode(self, name: str, data: bytes) -> E:
        upcast = self._upcasters.get(name)
        if upcast is not None:
            event: E = upcast(msgspec.json.decode(data))
            return event
        decoder = self._decoders.get(name)
        if decoder is None:
            raise Internal(f"no event class is known under the stored name {name!r}")
        decoded: E = decoder.decode(data)
        return decoded

    async def hash_at(self, tx: Tx, stream: str, version: int) -> bytes:
        """The hash of an event, into which all before it went. Raises Conflict: there is none."""
        row = await tx.fetch_one(_LAST_HASH, stream, version)
        if row is None:
            raise Conflict(f"{stream} has not reached version {version}")
        last: bytes = row[0]
        return last


def chain(  # noqa: PLR0913, PLR0917 - the hashed fields, in the order in which they are hashed
    before: bytes, stream: str, version: int, name: str, at_ms: int, who: str, data: bytes
) -> bytes:
    """The hash of an event, given the hash before it (32 bytes) and `who_of` its circumstances."""
    head = f"{stream}\n{version}\n{name}\n{at_ms}\n{who}\n".encode()
    return sha256(before + head + data).digest()


def who_of(actor: str, trace_id: str, cause: str) -> str:
    """The hashed form of who did it. Data begins with a bracket, so that none can pass for it."""
    return f"{actor}\n{trace_id}\n{cause}" if cause else actor


def cause_of(call: Call) -> str:
    """The kind of who calls, and the command: `service:payment.charge`."""
    kind = call.identity.kind
    if kind is _SERVICE:
        return f"service:{call.command}"
    return f"person:{call.command}" if kind is _PERSON else f"anonymous:{call.command}"

"""Snapshots: what a long stream adds up to, so that loading it reads its newest part only.

A snapshot is a copy to load from and never the truth. It is written in the transaction of the
events that it follows, carries the hash of the last of them, and counts only while that event
stands in the stream with that hash, and while the code has the shape in which it was written.
Whatever does not count is passed by, and the events are folded from the first, as without it.
"""

import logging
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.eventstore.store import EventStore, Proved
from emporion.kernel.aggregate import Aggregate

A = TypeVar("A", bound=Aggregate[Any])

_log = logging.getLogger(__name__)
_FIND = (
    "SELECT s.version, s.state FROM snapshot s"
    " JOIN event e ON e.stream = s.stream AND e.version = s.version AND e.hash = s.hash"
    " WHERE s.stream = ? AND s.shape = ?"
)
_KEEP = (
    "INSERT INTO snapshot (stream, version, shape, hash, state) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (stream) DO UPDATE SET version = excluded.version, shape = excluded.shape,"
    " hash = excluded.hash, state = excluded.state"
)
_RANGE = (
    "SELECT stream, version, state FROM snapshot WHERE stream > ? AND stream <= ? AND shape = ?"
)


class Snapshots(Generic[A]):
    """Loads the aggregates of one kind, and keeps a snapshot of each whose stream grows long.

    A stream with fewer than `every` events costs what it cost without: neither reading nor
    writing it looks for a snapshot.

    Args:
        events: the streams.
        kind: the aggregate.
        fields: its state: attribute names with their types; `version` goes without saying.
        shape: to be raised whenever `fields` or the meaning of a fold changes. Snapshots of
            another shape are passed by, and replaced when the stream has grown enough.
        every: so many events lie between two snapshots.
    """

    def __init__(
        self,
        events: EventStore[Any],
        kind: type[A],
        fields: Mapping[str, Any],
        *,
        shape: int,
        every: int,
    ) -> None:
        self._events = events
        self._kind = kind
        self._shape = shape
        self._every = every
        self._names = tuple(fields)
        state = msgspec.defstruct(f"{kind.__name__}State", list(fields.items()), frozen=True)
        self._state: type[Any] = state
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(state).decode

    async def load(self, tx: Tx, stream: str) -> A:
        """The aggregate as its events left it; one without any is new.

        Raises what EventStore.load raises; the limit on a stream's length counts from the
        snapshot on.
        """
        history = await self._events.load(tx, stream, limit=self._every)
        aggregate = self._kind.from_history(stream, (stored.event for stored in history))
        if len(history) < self._every:
            return aggregate
        kept = await self._kept(tx, stream)
        if kept is not None and kept.version > aggregate.version:
            aggregate = kept
        for stored in await self._events.load(tx, stream, after=aggregate.version):
            aggregate.fold(stored.event)
        return aggregate

    async def keep(self, tx: Tx, aggregate: A) -> None:
        """Keep a snapshot when one is due; call it after its pending events were appended."""
        if aggregate.version // self._every == aggregate.stored_version // self._every:
            return
        state = self._state(*(getattr(aggregate, name) for name in self._names))
        stream, version = aggregate.id, aggregate.version
        last = await self._events.hash_at(tx, stream, version)
        await tx.execute(_KEEP, stream, version, self._shape, last, self._encode(state))

    async def unlike(
        self, tx: Tx, histories: Mapping[str, Proved[Any]], *, after: str, until: str
    ) -> list[str]:
        """For audits: the streams past `after` up to `until` whose snapshot is not their history.

        Compared is every attribute of the aggregate, also those that `fields` forgot.
        """
        rows = await tx.fetch(_RANGE, after, until, self._shape)
        return [row[0] for row in rows if not self._is_like(row, histories.get(row[0]))]

    def _is_like(self, row: Row, history: Proved[Any] | None) -> bool:
        stream, version, state = row
        if history is None or history.broken_at:
            return True  # then the history is what is wrong, and that is told elsewhere
        folded = (stored.event for stored in history.events[:version])
        kept = self._thawed(stream, version, state)
        return kept is not None and vars(kept) == vars(self._kind.from_history(stream, folded))

    async def _kept(self, tx: Tx, stream: str) -> A | None:
        row = await tx.fetch_one(_FIND, stream, self._shape)
        return self._thawed(stream, *row) if row else None

    def _thawed(self, stream: str, version: int, state: bytes) -> A | None:
        try:
            kept = self._decode(state)
        except msgspec.MsgspecError:
            _log.exception("the snapshot of %s cannot be read; its events are", stream)
            return None
        aggregate = self._kind(stream)
        for name in self._names:
            setattr(aggregate, name, getattr(kept, name))
        aggregate.version = version
        return aggregate

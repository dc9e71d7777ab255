"""What the audit asks of one service's database about sagas and events, whatever its engine."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class Published(NamedTuple):
    """An event in its publisher's outbox. `sent_at_ms` None: no broker has acknowledged it."""

    position: int
    event_id: str
    name: str
    key: str
    sent_at_ms: int | None


class Cursor(NamedTuple):
    """How far a subscriber has read a publisher, how many events it set aside, how many died.

    `position` counts in `log`: empty is the publisher's outbox, any other a broker's. Each replay
    is a new generation, which has handled nothing yet.
    """

    source: str
    subscriber: str
    position: int
    generation: int
    log: str
    parked: int
    dead: int


class StoredSaga(NamedTuple):
    """A saga as it is stored; `input` is JSON."""

    saga_id: str
    name: str
    state: str
    step: int
    attempts: int
    input: bytes
    last_error: str
    started_at_ms: int


class DeadLetter(NamedTuple):
    """An event that failed at a subscriber until it was given up."""

    subscriber: str
    event_id: str
    name: str
    attempts: int
    last_error: str


class Numbering(NamedTuple):
    """How many events an outbox holds, and how many of its numbers are missing.

    `missing` None: the engine gives numbers that need not follow each other, and tells nothing.
    """

    events: int
    missing: int | None


class Traffic(Protocol):
    """One service's sagas and events. Each method is a read of its own, as of one instant.

    They raise what Database.read raises.
    """

    async def count(self, table: str) -> int:
        """How many rows a table has, or documents a collection."""
        ...

    async def sagas(self) -> int:
        """How many sagas were ever started here."""
        ...

    async def open_sagas(self, after: str, limit: int) -> Sequence[StoredSaga]:
        """Those that are running or compensating, by rising id."""
        ...

    async def numbering(self) -> Numbering:
        """Whether the numbers of what was published are without gaps."""
        ...

    async def published(
        self, after: int, names: Collection[str], limit: int
    ) -> Sequence[Published]:
        """Events of these names above a position, by position."""
        ...

    async def waiting(self, after: int, names: Collection[str]) -> int:
        """How many events of these names there are above a position."""
        ...

    async def unsent(self) -> int:
        """How many events no broker has acknowledged."""
        ...

    async def cursors(self) -> Sequence[Cursor]:
        """Whom this service hears, and how far it has."""
        ...

    async def handled(self, label: str, event_ids: Sequence[str]) -> set[str]:
        """Which of these events are in the inbox under this label."""
        ...

    async def first_handled(self, label: str) -> str:
        """The smallest event id in the inbox under this label; empty when there is none."""
        ...

    async def set_aside(self, subscriber: str, event_ids: Sequence[str]) -> set[str]:
        """Which of these events are parked or dead."""
        ...

    async def keys_set_aside(self, cursor: Cursor, name: str, limit: int) -> Sequence[str]:
        """The keys of the events of that name that are parked or dead."""
        ...

    async def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """The events that were given up."""
        ...

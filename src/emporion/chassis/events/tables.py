"""The ports to what a service's database keeps of events, whatever its engine.

A database that keeps rows is served by `SqlEventTables` (sql_tables.py). Another kind has a
method `event_tables`, by which it offers its own.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from emporion.chassis.data.database import Tx
from emporion.chassis.events.bus import ParkedPage, ParkedStatus
from emporion.chassis.events.inbox import Failure, State
from emporion.chassis.events.reactions import Item


class EventInbox(Protocol):
    """A subscriber's side of one publisher's events; each method runs in the given transaction.

    Every method raises what Tx raises. Inbox (inbox.py) says what each of them does.
    """

    async def join(self, tx: Tx, *, now_ms: int, log: str = "") -> None:
        """A new subscriber stands at the beginning; one that is known, where it stood."""
        ...

    async def state(self, tx: Tx) -> State | None:
        """Where it stands; None: it never joined."""
        ...

    async def pause(self, tx: Tx, *, is_paused: bool, now_ms: int) -> None:
        """Note whether the subscriber is paused, so that a restart knows."""
        ...

    async def rewind(self, tx: Tx, *, position: int, sequence: int, now_ms: int) -> None:
        """Go to a position as a new generation; what is set aside above `sequence` leaves."""
        ...

    async def claim(
        self, tx: Tx, items: Sequence[Item], *, generation: int, now_ms: int
    ) -> set[str]:
        """Write the inbox rows of a batch; the ids that were not there yet."""
        ...

    async def blocked(self, tx: Tx, items: Sequence[Item]) -> set[str]:
        """The keys of a batch that have an event waiting."""
        ...

    async def advance(
        self, tx: Tx, *, generation: int, before: int, after: int, now_ms: int
    ) -> None:
        """Move the cursor on. Raises CursorMoved when it was moved or paused elsewhere."""
        ...

    async def move(self, tx: Tx, state: State, *, position: int, log: str, now_ms: int) -> None:
        """Put the cursor elsewhere, perhaps in another log. Raises CursorMoved."""
        ...

    async def park(
        self, tx: Tx, items: Iterable[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """Set events aside to queue behind others of their key, and the one that failed."""
        ...

    async def due(self, tx: Tx, *, now_ms: int, limit: int) -> list[Item]:
        """The events due again, each followed by those that queue behind it, key by key."""
        ...

    async def settle(
        self, tx: Tx, done: Sequence[Item], failure: Failure | None, *, now_ms: int
    ) -> None:
        """Close the books on retried events: `done` leave, the failed one waits or dies."""
        ...

    async def next_due(self, tx: Tx) -> int | None:
        """When the next parked event is due; None: nothing is parked."""
        ...


class ParkedDesk(Protocol):
    """The operator's side of a subscriber's parked events. Desk (desk.py) says more."""

    async def page(self, *, status: ParkedStatus, limit: int, cursor: str) -> ParkedPage:
        """A page of its parked events, oldest first."""
        ...

    async def count(self, source: str) -> tuple[int, int]:
        """How many events of a publisher wait, and how many are dead."""
        ...

    async def redrive(
        self, *, now_ms: int, event_ids: Sequence[str] | None, name: str | None
    ) -> int:
        """Make dead letters wait again and all of them due now; how many."""
        ...


class Row(NamedTuple):
    """A published event in its outbox. `position` grows along each key."""

    position: int
    event_id: str
    name: str
    key: str
    occurred_at_ms: int
    payload: bytes


class Unsent(NamedTuple):
    """Rows to send, in order; `is_more_soon` when others will be readable in a moment."""

    rows: Sequence[Row]
    is_more_soon: bool


class OutboxQueue(Protocol):
    """A publisher's outbox as the queue of what a broker has not acknowledged.

    Each method is one transaction or read of its own and raises what the database raises.
    """

    async def unsent(self, *, limit: int, held: Sequence[str]) -> Unsent:
        """The oldest rows not sent yet, without those of the keys in `held`, by position.

        A row is not given before every row that could come to stand before it is known.
        """
        ...

    async def mark_sent(self, positions: Sequence[int], *, now_ms: int) -> None:
        """The broker has them; they are kept until `prune`."""
        ...

    async def begin(self, log: str) -> None:
        """What was sent was sent to `log`; if it was another until now, nothing counts as sent."""
        ...

    async def resend(self, *, since_ms: int) -> int:
        """Count what was published since an instant as not sent; how many rows."""
        ...

    async def sent_since(self, since_ms: int, *, after: int, limit: int) -> Sequence[Row]:
        """What was sent before, published since an instant, above a position, by position."""
        ...

    async def waiting(self) -> tuple[int, int | None]:
        """How many rows are not sent, at most WAITING_MAX, and when the oldest was published."""
        ...

    async def prune(self, *, before_ms: int, sent_before_ms: int) -> int:
        """Delete what was published and sent before these instants, but never the newest row."""
        ...


class ServiceLease(Protocol):
    """Which of several instances of a service carries its events. One database transaction each.

    Instants are of the instances' own clocks: these may differ by much less than a lease lasts.
    An instance that believes in a lease it lost can at worst deliver twice, which the inbox sees.
    """

    async def take(self, owner: str, *, now_ms: int, until_ms: int) -> bool:
        """Take or renew the lease; whether it is the owner's now."""
        ...

    async def give_up(self, owner: str) -> None:
        """Let others have it at once."""
        ...


class EventTables(Protocol):
    """What the database of one service keeps of events."""

    def inbox(self, source: str, subscriber: str) -> EventInbox:
        """What a subscriber handled of a publisher's events."""
        ...

    def desk(self, subscriber: str) -> ParkedDesk:
        """A subscriber's parked events."""
        ...

    def outbox(self) -> OutboxQueue:
        """What the service published."""
        ...

    def lease(self) -> ServiceLease:
        """Who carries the service's events."""
        ...

    async def prune_inbox(self, *, before_ms: int) -> int:
        """Forget that events published before an instant were handled; how many."""
        ...


@runtime_checkable
class HasEventTables(Protocol):
    """A database that keeps its events in a way of its own."""

    def event_tables(self) -> EventTables:
        """Its ports."""
        ...

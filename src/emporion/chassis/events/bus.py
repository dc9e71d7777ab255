"""The port of the bus: delivers published events to subscribers, at least once, in order per key.

Every adapter keeps four promises, and `testing/conformance_bus.py` holds it to them:

- an event whose publishing transaction committed reaches every subscriber at least once, also
  after crashes; the effects in the subscriber's database happen once, because the inbox row of
  the event is written in the same transaction as they are;
- events of one publisher and key are reacted to in the order of publication. When one fails,
  later ones of its key wait behind it; other keys, and other subscribers, go on;
- a failing event is retried with backoff for days, then becomes a dead letter, which unblocks
  its key and waits for an operator: nothing is dropped and no failure counts as handled;
- a new subscriber gets the history that is retained, from its beginning.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from emporion.chassis.data.database import Database
from emporion.chassis.events.subscription import Received, Subscription
from emporion.chassis.resilience.faults import Fault


@dataclass(frozen=True, slots=True)
class Features:
    """What an adapter can do beyond the promises; the conformance suite skips by name.

    Args:
        has_replay: the history can be delivered again.
        has_pause: a subscriber can be paused and resumed.
        has_history: a new subscriber gets what was published before it came. Without it, a
            replay brings that.
        is_outbox_log: positions count in the publisher's outbox, which is what a replay delivers.
    """

    has_replay: bool
    has_pause: bool
    has_history: bool = True
    is_outbox_log: bool = False


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a subscriber is behind a publisher.

    Args:
        waiting: events in the publisher's log that it reacts to and has not come to yet.
        is_more: counting them ended before the log did: there are at least so many.
        oldest_ms: how long ago the oldest of them was published; 0 when there is none.
        parked: events set aside to be retried, and those that queue behind them.
        dead: dead letters.
        handled: reactions committed by this process.
        failures: reactions that raised in this process.
        duplicates: deliveries that the inbox recognised in this process.
    """

    source: str
    subscriber: str
    is_paused: bool
    waiting: int
    oldest_ms: int
    parked: int
    dead: int
    handled: int
    failures: int
    duplicates: int
    is_more: bool = False


class Counters:
    """What a pump did since the process started."""

    __slots__ = ("duplicates", "handled")

    def __init__(self) -> None:
        self.handled = 0
        self.duplicates = 0


class ParkedStatus(StrEnum):
    """Why an event is set aside."""

    WAITING = "waiting"
    """It failed and is retried, or queues behind such a one of its key."""
    DEAD = "dead"
    """It failed for too long: an operator decides."""


@dataclass(frozen=True, slots=True)
class Parked:
    """An event set aside. `next_at_ms` is None when no retry is due (dead, or queueing)."""

    subscriber: str
    source: str
    event_id: str
    name: str
    key: str
    occurred_at_ms: int
    status: ParkedStatus
    attempts: int
    first_failed_at_ms: int | None
    next_at_ms: int | None
    last_error: str


@dataclass(frozen=True, slots=True)
class ParkedPage:
    """A page of events set aside; `next_cursor` is empty on the last one."""

    events: tuple[Parked, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A committed batch, for telemetry: the reactions of one transaction and how long it took.

    With an `error` it is a single event whose reaction failed; it is set aside and tried again.
    """

    source: str
    subscriber: str
    received: Sequence[Received[Any]]
    elapsed_s: float
    error: Exception | None = None


Observer = Callable[[Delivery], None]


class Bus(Protocol):
    """Carries events from the services of this process to their subscribers."""

    @property
    def features(self) -> Features:
        """What this adapter can do."""
        ...

    def join(
        self, name: str, database: Database, subscriptions: Sequence[Subscription[Any]]
    ) -> None:
        """Add a service before `start`: what it publishes is carried, its reactions are run.

        Raises ValueError when the name is taken or the service reacts twice to one event.
        """
        ...

    async def start(self) -> None:
        """Begin to deliver. Raises LookupError when nobody publishes what is subscribed to."""
        ...

    async def stop(self) -> None:
        """Finish the batches in flight and deliver no more."""
        ...

    async def pause(self, subscriber: str) -> None:
        """Deliver nothing to it until `resume`, also after a restart. Its events are kept.

        Returns when no reaction of it runs any more. Raises UnknownSubscriber.
        """
        ...

    async def resume(self, subscriber: str) -> None:
        """Deliver again, from where it was paused. Raises UnknownSubscriber."""
        ...

    def suffer(self, subscriber: str, fault: Fault | None) -> None:
        """Let its reactions meet a fault, here, until it is None. Nobody reacts: does nothing."""
        ...

    async def lag(self) -> list[Lag]:
        """How far each subscriber is behind each of its publishers."""
        ...

    async def parked(
        self,
        subscriber: str,
        *,
        status: ParkedStatus = ParkedStatus.DEAD,
        limit: int = 50,
        cursor: str = "",
    ) -> ParkedPage:
        """Its events set aside, oldest first. Raises UnknownSubscriber."""
        ...

    async def redrive(
        self, subscriber: str, *, event_ids: Sequence[str] | None = None, name: str | None = None
    ) -> int:
        """Try dead letters again, and waiting ones now; returns how many.

        `event_ids` and `name` narrow it; with neither, all. A dead letter comes after the later
        events of its key that went on without it. Raises UnknownSubscriber.
        """
        ...

    async def replay(
        self,
        subscriber: str,
        source: str,
        *,
        after_position: int = 0,
        since_ms: int | None = None,
    ) -> int:
        """React again to everything from a position or instant on; returns the position.

        The reactions' effects happen a second time: empty what they fill first. Raises
        UnknownSubscriber, or HistoryPruned when the log no longer reaches back that far.
        """
        ...

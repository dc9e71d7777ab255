"""Operations: what whoever runs a shop sees and does while it runs."""

from typing import Annotated, ClassVar, Protocol

from msgspec import Meta, field

from emporion.contracts.contract import (
    Empty,
    Message,
    Reply,
    Request,
    command,
    get,
    post,
    query,
    staff,
)
from emporion.contracts.operations_desk import (
    SPEAKER,
    CallOffSaga,
    DeedPage,
    EventId,
    EventName,
    ListDeeds,
    SagaDetails,
    SagaId,
    SagaOf,
    ServiceName,
)
from emporion.contracts.operations_faults import FaultsOfShop
from emporion.contracts.operations_telemetry import TelemetryOfShop
from emporion.contracts.refusals import HistoryPruned, UnknownCursor, UnknownSubscriber
from emporion.contracts.words import Cursor, Instant, PageSize, ReadableNote
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.kernel.money import Money

EVENTS_AT_ONCE_MAX = 500


class SagaIsOver(FailedPrecondition):
    """The saga has ended: there is nothing left to try again."""

    slug = "saga-is-over"
    title = "The saga is over"


class ListSubscribers(Request, frozen=True, kw_only=True):
    """Every pair of publisher and subscriber."""


class SubscriberLag(Message, frozen=True, kw_only=True):
    """How far a subscriber is behind a publisher.

    Args:
        waiting: events of the publisher that it reacts to and has not come to yet.
        is_more_waiting: there are at least so many: beyond 10,000 they are not counted.
        oldest_age_s: how long ago the oldest of them was published, in seconds.
        parked: events set aside: they failed and are retried, or queue behind such a one.
        dead: dead letters: an operator decides.
    """

    publisher: str
    subscriber: str
    is_paused: bool
    waiting: int
    oldest_age_s: float
    parked: int
    dead: int
    is_more_waiting: bool = False


class Subscribers(Reply, frozen=True, kw_only=True):
    """All subscribers of the shop."""

    subscribers: list[SubscriberLag]


class ListDeadLetters(Request, frozen=True, kw_only=True):
    """Whose dead letters, oldest first; without a subscriber: everybody's, one after the other."""

    subscriber: ServiceName | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class DeadLetter(Message, frozen=True, kw_only=True):
    """An event whose reaction failed until it was given up. Its payload is not shown.

    Args:
        key: what the event is about; events of one key are delivered in order.
        last_error: why the last attempt failed.
    """

    subscriber: str
    publisher: str
    event_id: str
    name: str
    key: str
    occurred_at: Instant
    attempts: int
    first_failed_at: Instant | None
    last_error: str


class DeadLetterPage(Reply, frozen=True, kw_only=True):
    """A page of dead letters."""

    dead_letters: list[DeadLetter]
    next_cursor: str


class Redrive(Request, frozen=True, kw_only=True):
    """Which events to try again: those with these ids or of this name; with neither, all."""

    subscriber: ServiceName
    event_ids: Annotated[list[EventId], Meta(max_length=EVENTS_AT_ONCE_MAX)] = field(
        default_factory=list
    )
    name: EventName | None = None
    is_dry_run: bool = False  # tell what would be delivered, and change nothing
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class Redriven(Reply, frozen=True, kw_only=True):
    """How many events will be (or would be) tried again, and up to 100 of their keys."""

    events: int
    keys: list[str] = field(default_factory=list)
    is_dry_run: bool = False


class OneSubscriber(Request, frozen=True, kw_only=True):
    """Which subscriber, and why: the reason is kept with the deed."""

    subscriber: ServiceName
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class Replay(Request, frozen=True, kw_only=True):
    """React again to what a publisher announced from an instant on."""

    subscriber: ServiceName
    publisher: ServiceName
    since: Instant
    is_dry_run: bool = False  # tell what would be delivered, and change nothing
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class Replayed(Reply, frozen=True, kw_only=True):
    """The position in the publisher's log after which everything is delivered again.

    A dry run tells how many `events` that would be, and up to 100 of their keys. `is_more`: it
    looked at 200,000 only, so that there are at least so many.
    """

    position: int
    events: int = 0
    keys: list[str] = field(default_factory=list)
    is_dry_run: bool = False
    is_more: bool = False


class ListSagas(Request, frozen=True, kw_only=True):
    """Which sagas: those not over, the next due first; or all, the newest first.

    An open saga may be moved by an attempt while you turn the pages, and show up twice.
    """

    is_open: bool = True
    service: ServiceName | None = None
    name: Annotated[str, Meta(max_length=80, examples=["create-order"])] = ""
    state: Annotated[str, Meta(max_length=20, examples=["compensating"])] = ""
    is_stuck: bool = False  # only those of which an attempt failed
    limit: PageSize = 50
    cursor: Cursor = ""


class SagaSummary(Message, frozen=True, kw_only=True):
    """A transaction over several services, and how it stands.

    Args:
        state: running, compensating, completed or refused.
        step: the step it is at (or at which it ended), by name.
        attempts: how often that step's outcome stayed unknown.
        age_s: how long ago it started, in seconds.
        next_attempt_at: when it is tried again; none when it is over.
        order_id, money_held, units_held: the order it is about, and what we hold for it now:
            captured and not given back, reserved and not left. Only of those that are open, and
            as of up to five seconds ago.
        is_money_known, is_units_known: false when payment or inventory did not tell in time.
    """

    saga_id: str
    service: str
    name: str
    state: str
    step: str
    attempts: int
    age_s: float
    last_error: str
    next_attempt_at: Instant | None
    order_id: str = ""
    money_held: Money | None = None
    units_held: int = 0
    is_money_known: bool = True
    is_units_known: bool = True


class SagaPage(Reply, frozen=True, kw_only=True):
    """A page of sagas."""

    sagas: list[SagaSummary]
    next_cursor: str


class RetrySaga(Request, frozen=True, kw_only=True):
    """Which saga, and why: the reason is kept with the deed."""

    saga_id: SagaId
    reason: ReadableNote = ""
    speaks_for: SPEAKER = ""


class OperationsService(TelemetryOfShop, FaultsOfShop, Protocol):
    """What is under way between services, and how to set it going again."""

    NAME: ClassVar[str] = "operations"
    MODULES: ClassVar[tuple[str, ...]] = (
        "emporion.contracts.operations_desk",
        "emporion.contracts.operations_faults",
        "emporion.contracts.operations_processes",
        "emporion.contracts.operations_telemetry",
    )
    SUMMARY: ClassVar[str] = "What is under way between services, and how to set it going again."

    @query(access=staff("operations:read"), rest=get("/api/operations/subscribers"))
    async def list_subscribers(self, request: ListSubscribers) -> Subscribers:
        """How far each subscriber is behind each of its publishers."""

    @query(
        access=staff("operations:read"),
        rest=get("/api/operations/dead-letters"),
        raises=(UnknownSubscriber, UnknownCursor),
    )
    async def list_dead_letters(self, request: ListDeadLetters) -> DeadLetterPage:
        """Events given up, oldest first. Raises UnknownSubscriber or UnknownCursor."""

    @command(
        access=staff("operations:write"),
        key="subscriber",
        rest=post("/api/operations/subscribers/{subscriber}/redrive"),
        timeout_s=30.0,
        raises=(UnknownSubscriber,),
    )
    async def redrive(self, request: Redrive) -> Redriven:
        """Deliver dead letters again, and retry now what waits for its next attempt.

        Safe to repeat: what is due already is not counted again. Raises UnknownSubscriber.
        """

    @command(
        access=staff("operations:write"),
        key="subscriber",
        rest=post("/api/operations/subscribers/{subscriber}/pause"),
        timeout_s=15.0,
        raises=(UnknownSubscriber,),
    )
    async def pause(self, request: OneSubscriber) -> Empty:
        """Deliver nothing to a subscriber until it is resumed, also after a restart.

        Its events are kept. Safe to repeat. Raises UnknownSubscriber.
        """

    @command(
        access=staff("operations:write"),
        key="subscriber",
        rest=post("/api/operations/subscribers/{subscriber}/resume"),
        timeout_s=15.0,
        raises=(UnknownSubscriber,),
    )
    async def resume(self, request: OneSubscriber) -> Empty:
        """Deliver again from where it was paused. Safe to repeat. Raises UnknownSubscriber."""

    @command(
        access=staff("operations:write"),
        rest=post("/api/operations/subscribers/{subscriber}/replay"),
        timeout_s=15.0,
        raises=(UnknownSubscriber, HistoryPruned),
    )
    async def replay(self, request: Replay) -> Replayed:
        """React again to a publisher's events from an instant on, as if they were new.

        Has no key: each repetition goes back again. Raises UnknownSubscriber, or HistoryPruned
        when the log no longer reaches back that far.
        """

    @query(
        access=staff("operations:read"),
        rest=get("/api/operations/sagas"),
        raises=(UnknownCursor,),
    )
    async def list_sagas(self, request: ListSagas) -> SagaPage:
        """Transactions over several services, by default those not over. Raises UnknownCursor."""

    @command(
        access=staff("operations:write"),
        key="saga_id",
        rest=post("/api/operations/sagas/{saga_id}/retry"),
        raises=(NotFound, SagaIsOver),
    )
    async def retry_saga(self, request: RetrySaga) -> SagaSummary:
        """Make the next attempt of an open saga now. Safe to repeat.

        Raises NotFound, or SagaIsOver.
        """

    @query(
        access=staff("operations:read"),
        rest=get("/api/operations/sagas/{saga_id}"),
        raises=(NotFound,),
    )
    async def get_saga(self, request: SagaOf) -> SagaDetails:
        """One saga: its steps, why it was turned, what is held for it. Raises NotFound."""

    @command(
        access=staff("operations:write"),
        key="saga_id",
        rest=post("/api/operations/sagas/{saga_id}/compensate"),
        raises=(NotFound, SagaIsOver, FailedPrecondition),
    )
    async def compensate_saga(self, request: CallOffSaga) -> SagaDetails:
        """Call a running saga off: all it may have done is undone, in reverse. Safe to repeat.

        A step whose outcome is unknown is undone too: its undo leaves a tombstone, so that it
        cannot happen later. Raises NotFound, SagaIsOver, or FailedPrecondition when one of its
        steps cannot be undone.
        """

    @query(
        access=staff("operations:read"),
        rest=get("/api/operations/deeds"),
        raises=(UnknownCursor,),
    )
    async def list_deeds(self, request: ListDeeds) -> DeedPage:
        """What operators did to sagas and deliveries: who, when, why. Raises UnknownCursor."""

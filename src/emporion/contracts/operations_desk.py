"""The desk of operations: messages of `contracts.operations` about single sagas, and deeds."""

from typing import Annotated

from msgspec import Meta

from emporion.contracts.contract import Message, Reply, Request
from emporion.contracts.words import Cursor, Instant, PageSize, ReadableNote
from emporion.kernel.money import Money

_END = r"$(?!\n)"
ServiceName = Annotated[
    str,
    Meta(
        pattern="^[a-z][a-z0-9_]{0,39}" + _END,
        description="A service of the shop.",
        examples=["email"],
    ),
]
EventId = Annotated[str, Meta(pattern="^evt_[0-9a-f]{32}" + _END, examples=["evt_" + "0" * 32])]
EventName = Annotated[
    str,
    Meta(pattern="^[a-z0-9_]{1,80}[.][a-z0-9_]{1,80}" + _END, examples=["orders.created"]),
]
SagaId = Annotated[
    str,
    Meta(
        pattern="^[a-z]{2,8}_[0-9a-f]{32}" + _END,
        description="The id of what the saga is about: that of the order.",
        examples=["ord_" + "0" * 32],
    ),
]
SPEAKER = Annotated[
    str,
    Meta(
        max_length=64,
        description="For our own services: the person on whose behalf they ask. Of anybody else it "
        "is not read.",
    ),
]
GivenReason = Annotated[ReadableNote, Meta(min_length=1, description="Why; kept with the deed.")]


class SagaOf(Request, frozen=True, kw_only=True):
    """Which saga."""

    saga_id: SagaId


class CallOffSaga(Request, frozen=True, kw_only=True):
    """Which saga to call off, and why."""

    saga_id: SagaId
    reason: GivenReason
    speaks_for: SPEAKER = ""


class SagaStep(Message, frozen=True, kw_only=True):
    """A step of a saga, and whether it can be undone."""

    name: str
    is_undoable: bool


class SagaDetails(Reply, frozen=True, kw_only=True):
    """A saga with everything that is known of it.

    Args:
        refusal: the problem that turned it to compensation, as JSON; empty: none.
        trace_id: the trace of the request that began it.
        money_held, units_held: what we hold for its order now.
        is_money_known, is_units_known: false when payment or inventory did not tell in time.
    """

    saga_id: str
    service: str
    name: str
    version: int
    state: str
    step: str
    steps: list[SagaStep]
    attempts: int
    started_at: Instant
    age_s: float
    last_error: str
    next_attempt_at: Instant | None
    refusal: str
    trace_id: str
    order_id: str
    money_held: Money | None
    units_held: int
    is_money_known: bool = True
    is_units_known: bool = True


class ListDeeds(Request, frozen=True, kw_only=True):
    """What operators did, the newest first, of all services or one; to one thing, if any is named.

    `subject`: a saga's id, or the name of a service.
    """

    subject: Annotated[str, Meta(max_length=80, examples=["email"])] = ""
    service: ServiceName | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class DeedSummary(Message, frozen=True, kw_only=True):
    """Who did what to what (`subject`: a saga or a subscriber), when and why."""

    deed_id: str
    service: str
    at: Instant
    actor: str
    action: str
    subject: str
    reason: str
    detail: str
    trace_id: str


class DeedPage(Reply, frozen=True, kw_only=True):
    """A page of deeds."""

    deeds: list[DeedSummary]
    next_cursor: str

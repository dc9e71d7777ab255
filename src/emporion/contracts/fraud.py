"""Fraud: a score for every order, a hold for suspicious ones, and the queue where people decide."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Event,
    EventSpec,
    Message,
    Part,
    Reply,
    Request,
    Service,
    command,
    get,
    post,
    put,
    query,
    staff,
)
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.words import (
    Cursor,
    Instant,
    Note,
    OrderId,
    OrderRef,
    PageSize,
    ReadableNote,
    UserId,
)
from emporion.kernel.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from emporion.kernel.money import Money

RuleName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)",
        description="Chosen by you: 1..40 lower-case letters, digits, `-`.",
        examples=["many-orders-of-one-person"],
    ),
]


class AlreadyDecided(FailedPrecondition):
    """The review is over, with another outcome (field `status`)."""

    slug = "review-already-decided"
    title = "The review was decided otherwise"


class BadRules(InvalidArgument):
    """The rules cannot be used; the detail and the field `rule` say which, and why."""

    slug = "bad-rules"
    title = "These rules cannot be used"


class RulesChanged(Conflict):
    """Somebody stored other rules meanwhile (field `version`): look at them, then decide again."""

    slug = "rules-changed"
    title = "The rules were changed meanwhile"


class Verdict(StrEnum):
    """What a screening came to."""

    CLEAR = "clear"
    """Nothing to wait for."""
    HOLD = "hold"
    """Somebody is to look at it before the goods leave."""


class Decision(StrEnum):
    """What a person made of an order on hold."""

    RELEASE = "release"
    REJECT = "reject"


class ReviewStatus(StrEnum):
    """Where a review stands."""

    OPEN = "open"
    RELEASED = "released"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """The order was called off before anybody decided."""


class RuleKind(StrEnum):
    """What a rule looks at; docs/guides/fraud.md says which parameters each takes."""

    AMOUNT = "amount"
    """The order costs at least `amount_minor` of `currency`."""
    USER_VELOCITY = "user_velocity"
    """The person placed more than `more_than` orders within `window_s`, this one included."""
    METHOD_VELOCITY = "method_velocity"
    """More than `more_than` orders came by this payment method within `window_s`."""
    METHOD_USERS = "method_users"
    """More than `more_than` people used this payment method within `window_s`."""
    DECLINES = "declines"
    """More than `more_than` payments of the person were declined within `window_s` before."""
    AMOUNT_OVER_HISTORY = "amount_over_history"
    """More than `percent` of the person's mean amount, after at least `orders_min` orders."""
    NEW_ACCOUNT = "new_account"
    """The account is younger than `age_s`."""
    NEW_CURRENCY = "new_currency"
    """None of the person's at least `orders_min` orders was in this currency."""


class ScreeningOf(Request, frozen=True, kw_only=True):
    """The screening of which order."""

    order_id: OrderId


class ListScreenings(Request, frozen=True, kw_only=True):
    """Which screenings, newest order first."""

    verdict: Verdict | None = None
    user_id: UserId | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class FiredRule(Message, frozen=True, kw_only=True):
    """A rule that counted: what it saw, and what it added to the score.

    `observed` is the number it compares: orders, people, declines, seconds, percent or minor
    units; `limit` is what that number was compared with.
    """

    name: RuleName
    kind: RuleKind
    weight: int
    observed: int
    limit: int
    says: str


class Screening(Reply, frozen=True, kw_only=True):
    """How an order was judged, and why: by which version of the rules, and what each found."""

    order_id: OrderId
    user_id: UserId
    amount: Money
    verdict: Verdict
    score: int
    threshold: int
    rules_version: int
    fired: list[FiredRule]
    screened_at: Instant


class ScreeningPage(Reply, frozen=True, kw_only=True):
    """A page of screenings; `next_cursor` is empty on the last one, as on all pages."""

    screenings: list[Screening]
    next_cursor: str


class ListReviews(Request, frozen=True, kw_only=True):
    """Which reviews, the longest waiting first."""

    status: ReviewStatus = ReviewStatus.OPEN
    user_id: UserId | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class ReviewSummary(Message, frozen=True, kw_only=True):
    """A review in a list."""

    order_id: OrderId
    user_id: UserId
    amount: Money
    score: int
    status: ReviewStatus
    opened_at: Instant


class ReviewPage(Reply, frozen=True, kw_only=True):
    """A page of reviews; `next_cursor` is empty on the last one."""

    reviews: list[ReviewSummary]
    next_cursor: str


class Decide(Request, frozen=True, kw_only=True):
    """Which order, and why: the reason is kept with your name."""

    order_id: OrderId
    reason: Annotated[Note, Meta(min_length=1)]


class Review(Reply, frozen=True, kw_only=True):
    """An order on hold: why it is, and what became of it, by whom, for which reason."""

    screening: Screening
    status: ReviewStatus
    opened_at: Instant
    decided_at: Instant | None
    decided_by: str
    reason: str


class RuleParameters(Part, frozen=True, kw_only=True):
    """What a rule compares with; each kind takes its own and no others."""

    window_s: int | None = None
    more_than: int | None = None
    percent: int | None = None
    orders_min: int | None = None
    age_s: int | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Rule(Part, frozen=True, kw_only=True):
    """One rule; `weight` (1..1000) is added to the score of an order that it is about."""

    name: RuleName
    kind: RuleKind
    weight: int
    parameters: RuleParameters
    is_enabled: bool = True


Version = Annotated[int, Meta(ge=0)]
Rules = Annotated[list[Rule], Meta(max_length=50)]


class RulesOf(Request, frozen=True, kw_only=True):
    """Which version of the rules; without one, those in force."""

    version: Version | None = None


class PutRules(Request, frozen=True, kw_only=True):
    """Rules to judge all orders by from now on, in place of those of version `based_on`."""

    based_on: Version
    threshold: int
    rules: Rules
    note: ReadableNote = ""


class RuleSet(Reply, frozen=True, kw_only=True):
    """A version of the rules (0: as shipped): an order whose score reaches `threshold` is held."""

    version: int
    threshold: int
    rules: list[Rule]
    stored_at: Instant | None
    stored_by: str
    note: str


class Backtest(Request, frozen=True, kw_only=True):
    """Rules to try on past orders, the oldest first; without any, those in force."""

    threshold: int | None = None
    rules: Rules = []  # noqa: RUF012 - a struct copies it
    limit: Annotated[int, Meta(ge=1, le=2_000)] = 1_000
    cursor: Cursor = ""


class BacktestPage(Reply, frozen=True, kw_only=True):
    """What these rules would have made of a page of past orders. Nothing is changed by asking.

    `held` would be on hold; `were_held` were. Of those that would be held, people `released`,
    `rejected` or have still `open`; `newly_held` nobody has looked at, and `orders` names some.
    """

    screened: int
    held: int
    were_held: int
    released: int
    rejected: int
    open: int
    newly_held: int
    no_longer_held: int
    orders: list[OrderId]
    next_cursor: str


class ScreeningCompleted(Event, frozen=True, kw_only=True):
    """A paid order was judged: `clear`, or `hold` until its review is decided."""

    SPEC = EventSpec("screenings.completed", key="order_id")

    order_id: OrderRef
    verdict: Verdict
    score: int
    screened_at: Instant


class ReviewDecided(Event, frozen=True, kw_only=True):
    """Somebody decided about an order on hold. A rejected order is then called off."""

    SPEC = EventSpec("reviews.decided", key="order_id")

    order_id: OrderRef
    decision: Decision
    decided_at: Instant


_READ = staff("fraud:read")
_WRITE = staff("fraud:write")


class FraudService(Service, Protocol):
    """Scores orders, holds suspicious ones, keeps the queue of those to look at."""

    NAME: ClassVar[str] = "fraud"
    SUMMARY: ClassVar[str] = "A score for every order, holds, and the queue where people decide."

    @query(access=_READ, rest=get("/api/fraud/screenings"), raises=(UnknownCursor,))
    async def list_screenings(self, request: ListScreenings) -> ScreeningPage:
        """Screenings, newest order first. Raises UnknownCursor."""

    @query(
        access=_READ,
        rest=get("/api/fraud/screenings/{order_id}"),
        raises=(NotFound,),
    )
    async def get_screening(self, request: ScreeningOf) -> Screening:
        """Why an order was held, or not. Raises NotFound while it was not screened."""

    @query(access=_READ, rest=get("/api/fraud/reviews"), raises=(UnknownCursor,))
    async def list_reviews(self, request: ListReviews) -> ReviewPage:
        """The orders on hold, the longest waiting first. Raises UnknownCursor."""

    @query(
        access=_READ,
        rest=get("/api/fraud/reviews/{order_id}"),
        raises=(NotFound,),
    )
    async def get_review(self, request: ScreeningOf) -> Review:
        """An order on hold, or that was. Raises NotFound."""

    @command(
        access=_WRITE,
        key="order_id",
        rest=post("/api/fraud/reviews/{order_id}/release"),
        raises=(NotFound, AlreadyDecided),
    )
    async def release(self, request: Decide) -> Review:
        """Let an order on hold go. Safe to repeat: the first reason stands.

        Raises NotFound, or AlreadyDecided when it was rejected or called off before.
        """

    @command(
        access=_WRITE,
        key="order_id",
        rest=post("/api/fraud/reviews/{order_id}/reject"),
        timeout_s=10.0,
        raises=(NotFound, AlreadyDecided, FailedPrecondition),
    )
    async def reject(self, request: Decide) -> Review:
        """Call an order on hold off: its stock and its money go back. Safe to repeat.

        A saga does it, and goes on until it is done, whether or not you wait for the answer.
        Raises NotFound; AlreadyDecided when it was released or called off before; or
        FailedPrecondition when the order can no longer be called off: its review is open again.
        """

    @query(access=_READ, rest=get("/api/fraud/rules"), raises=(NotFound,))
    async def get_rules(self, request: RulesOf) -> RuleSet:
        """The rules in force, or a version of them. Raises NotFound for no such version."""

    @command(
        access=_WRITE,
        rest=put("/api/fraud/rules"),
        raises=(BadRules, RulesChanged),
    )
    async def put_rules(self, request: PutRules) -> RuleSet:
        """Judge orders by these rules from now on; what was judged stays as it is.

        Storing again what is in force changes nothing. Raises BadRules saying what is wrong, or
        RulesChanged when `based_on` is not the version in force.
        """

    @query(
        access=_READ,
        rest=post("/api/fraud/backtests"),
        raises=(BadRules, UnknownCursor),
    )
    async def backtest(self, request: Backtest) -> BacktestPage:
        """What rules would have made of past orders, by what was known of each when it was placed.

        Raises BadRules or UnknownCursor.
        """

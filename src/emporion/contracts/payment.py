"""Payment: charges and refunds through a provider, and the double-entry ledger behind them."""

from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from msgspec import Meta, field

from emporion.contracts.contract import (
    Empty,
    Event,
    EventSpec,
    Message,
    Reply,
    Request,
    Service,
    command,
    get,
    internal,
    owner,
    post,
    post_raw,
    query,
    signed,
    staff,
)
from emporion.contracts.payment_books import (
    DetectIrregularities,
    Healed,
    Healing,
    HealIrregularity,
    Irregularities,
    ListMovements,
    MovementPage,
    NothingToHeal,
)
from emporion.contracts.refusals import DidNotExistYet, InTheFuture, UnknownCursor
from emporion.contracts.words import (
    Cursor,
    Instant,
    Note,
    OrderId,
    OrderRef,
    PageSize,
    PaymentId,
    PaymentRef,
    UserId,
    UserRef,
)
from emporion.kernel.errors import FailedPrecondition, InvalidArgument, NotFound
from emporion.kernel.history import Change
from emporion.kernel.money import Money

RefundId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.-]{1,80}$(?!\n)",
        description="Chosen by whoever asks for the refund; a retry must use it.",
        examples=["rfd_1"],
    ),
]


class PaymentDeclined(FailedPrecondition):
    """The provider said no (field `reason`); no money moved."""

    slug = "payment-declined"
    title = "The payment was declined"


class PaymentVoided(FailedPrecondition):
    """The order's payment was undone before: it can never be charged again."""

    slug = "payment-voided"
    title = "The payment was undone"


class NotAuthorised(FailedPrecondition):
    """Nothing is held for the order that could be captured."""

    slug = "not-authorised"
    title = "Nothing is held for this order"


class WebhookRefused(InvalidArgument):
    """It is not signed by the payment provider, too old, or not one of its webhooks."""

    slug = "webhook-refused"
    title = "The webhook is not accepted"


class RefundExceedsCapture(FailedPrecondition):
    """More was to go back than is left of what was captured (fields `left_minor`, `currency`)."""

    slug = "refund-exceeds-capture"
    title = "This is more than is left of the payment"


class RefundRefused(FailedPrecondition):
    """The provider will never give that refund back (field `reason`); no money moved."""

    slug = "refund-refused"
    title = "The provider refused the refund"


class Charge(Request, frozen=True, kw_only=True):
    """Take `amount` (> 0) for an order, once, by the payment method behind the token.

    Without a token it can only be undone.
    """

    order_id: OrderRef
    user_id: UserRef
    amount: Money
    payment_token: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class CaptureHeld(Request, frozen=True, kw_only=True):
    """The order whose authorised payment is to be taken, all of it."""

    order_id: OrderRef


class RefundPart(Request, frozen=True, kw_only=True):
    """Give back `amount` (> 0) of what an order's payment captured, under an id of its own.

    The order stands; `refund` undoes it.
    """

    order_id: OrderRef
    refund_id: RefundId
    amount: Money
    reason: Note = ""


class TakeWebhook(Request, frozen=True, kw_only=True):
    """What a payment provider tells on its own: the body as it signed it."""

    provider: Annotated[str, Meta(pattern=r"^[a-z]{1,40}$(?!\n)", examples=["stripe"])]
    signature: Annotated[str, Meta(min_length=1, max_length=1_000)]
    body: bytes


class PaymentStatus(StrEnum):
    """Where a payment stands.

    Authorised: held, not taken. Captured: some of it may have gone back. Refunded: all of it did.
    Owed: taken after it was declined, and on its way back.
    """

    PENDING = "pending"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    REFUNDED = "refunded"
    VOIDED = "voided"
    OWED = "owed"


class Payment(Reply, frozen=True, kw_only=True):
    """The one payment of an order. `refunded` never exceeds `amount`."""

    payment_id: PaymentId
    order_id: OrderId
    user_id: UserId
    status: PaymentStatus
    amount: Money
    refunded: Money
    provider_reference: str
    created_at: Instant
    updated_at: Instant


class PaymentOf(Request, frozen=True, kw_only=True):
    """The payment of which order; `as_of`: as it was at that instant."""

    order_id: OrderId
    as_of: Instant | None = None


class PaymentHistory(Reply, frozen=True, kw_only=True):
    """Everything that happened to a payment, and what was healed by hand; the oldest first."""

    order_id: OrderId
    changes: list[Change]
    healings: list[Healing] = field(default_factory=list)


class ListPayments(Request, frozen=True, kw_only=True):
    """Which payments, newest first."""

    status: PaymentStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class PaymentPage(Reply, frozen=True, kw_only=True):
    """A page of payments."""

    payments: list[Payment]
    next_cursor: str


class Balances(Request, frozen=True, kw_only=True):
    """No parameters: every account."""


class AccountBalance(Message, frozen=True, kw_only=True):
    """The sums of one ledger account in one currency, minor units; balance = debit - credit."""

    account: str
    currency: str
    debit_minor: int
    credit_minor: int
    balance_minor: int


class LedgerBalances(Reply, frozen=True, kw_only=True):
    """All accounts; per currency the balances sum to zero."""

    accounts: list[AccountBalance]


class PaymentCaptured(Event, frozen=True, kw_only=True):
    """Money was taken for an order."""

    SPEC = EventSpec("payments.captured", key="order_id")

    payment_id: PaymentRef
    order_id: OrderRef
    amount: Money
    captured_at: Instant


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """Money went back: `amount` by the refund of that id, or, without an id, by undoing it all."""

    SPEC = EventSpec("payments.refunded", key="order_id")

    payment_id: PaymentRef
    order_id: OrderRef
    amount: Money
    refunded_at: Instant
    refund_id: str = ""


class PaymentService(Service, Protocol):
    """Transactions, refunds, ledger."""

    NAME: ClassVar[str] = "payment"
    MODULES: ClassVar[tuple[str, ...]] = ("emporion.contracts.payment_books",)
    SUMMARY: ClassVar[str] = (
        "Charges and refunds through a provider, and the double-entry ledger behind them."
    )

    @command(
        access=internal(),
        key="order_id",
        timeout_s=5.0,
        raises=(PaymentDeclined, PaymentVoided),
    )
    async def charge(self, request: Charge) -> Payment:
        """Charge an order once, however often it is asked.

        Raises PaymentDeclined (no money moved; the same answer for ever), PaymentVoided when the
        charge was undone before, and Unavailable or DeadlineExceeded while the provider's answer
        is unknown: repeat it with the same order until it is known.
        """

    @command(
        access=internal(),
        key="order_id",
        timeout_s=5.0,
        raises=(PaymentDeclined, PaymentVoided),
    )
    async def authorise(self, request: Charge) -> Payment:
        """Let the provider hold the money for an order, to be captured later.

        Safe to repeat; `charge` takes what is held, `refund` lets go of it. Raises PaymentDeclined,
        PaymentVoided when it was undone before, and Unavailable while the answer is unknown.
        """

    @command(
        access=internal(),
        key="order_id",
        timeout_s=10.0,
        raises=(NotAuthorised, PaymentDeclined, PaymentVoided),
    )
    async def capture(self, request: CaptureHeld) -> Payment:
        """Take what is held for an order, once, however often it is asked.

        Raises NotAuthorised when nothing was ever held, PaymentDeclined when the provider does not
        hold it any more, PaymentVoided when it was undone, and Unavailable while the provider's
        answer is unknown.
        """

    @command(access=internal(), key="order_id", timeout_s=10.0)
    async def refund(self, request: Charge) -> Payment:
        """Undo `charge` or `authorise`, given its request.

        What is held is let go of; of what was taken, all goes back that has not gone back in parts.

        Safe to repeat, and to call before `charge`. Raises Unavailable while the provider's
        answer is unknown.
        """

    @command(
        access=internal(),
        key="refund_id",
        timeout_s=10.0,
        raises=(RefundExceedsCapture, RefundRefused),
    )
    async def refund_part(self, request: RefundPart) -> Payment:
        """Give back a part of what was captured, once, however often it is asked.

        All refunds of a payment never exceed its capture, also when they come at once. Raises
        RefundExceedsCapture, which says how much is left (nothing, when nothing was captured),
        RefundRefused when the provider said no (the same answer for ever), and Unavailable while
        its answer is unknown: repeat it with the same id until it is known.
        """

    @command(
        access=signed("the payment provider signs its webhooks"),
        rest=post_raw(
            "/api/payments/webhooks/{provider}",
            raw="body",
            headers=(("signature", "Stripe-Signature"),),
        ),
        raises=(NotFound, WebhookRefused),
    )
    async def take_webhook(self, request: TakeWebhook) -> Empty:
        """Take what the payment provider tells on its own; done once it is stored.

        The same event again changes nothing. Raises NotFound for a provider that this shop does
        not use, and WebhookRefused when the signature does not fit or is older than five minutes.
        """

    @query(
        access=owner("orders:read"),
        rest=get("/api/payments/{order_id}"),
        raises=(NotFound, DidNotExistYet, InTheFuture),
    )
    async def get_payment(self, request: PaymentOf) -> Payment:
        """The payment of an order, now or as it was at an instant.

        Raises NotFound, also for another customer's order; DidNotExistYet or InTheFuture for an
        instant before it began, or one that has not come yet.
        """

    @query(access=internal(), raises=(NotFound,))
    async def payment_of(self, request: PaymentOf) -> Payment:
        """The payment of an order, for who asks what is held. Raises NotFound."""

    @query(
        access=staff("payments:read"),
        rest=get("/api/payments/{order_id}/history"),
        raises=(NotFound,),
    )
    async def payment_history(self, request: PaymentOf) -> PaymentHistory:
        """What changed a payment until then: when, who, by which command. Raises NotFound."""

    @query(
        access=staff("payments:read"),
        rest=get("/api/payments"),
        raises=(UnknownCursor,),
    )
    async def list_payments(self, request: ListPayments) -> PaymentPage:
        """Payments, newest first. Raises UnknownCursor."""

    @query(
        access=staff("payments:read"),
        rest=get("/api/payments/books/irregularities"),
        timeout_s=60.0,
    )
    async def detect(self, request: DetectIrregularities) -> Irregularities:
        """What does not fit between orders, payments and the provider."""

    @command(
        access=staff("payments:write"),
        rest=post("/api/payments/{order_id}/healing"),
        timeout_s=30.0,
        raises=(NothingToHeal,),
    )
    async def heal(self, request: HealIrregularity) -> Healed:
        """Put one irregularity right: by a refund, or by asking the provider again.

        Safe to repeat. Raises NothingToHeal when it is not there any more, and Unavailable while
        the provider does not answer.
        """

    @query(
        access=staff("payments:read"),
        rest=get("/api/payments/books/movements"),
        raises=(UnknownCursor,),
    )
    async def list_movements(self, request: ListMovements) -> MovementPage:
        """The money that moved at the provider, as our books have it. Raises UnknownCursor."""

    @query(access=staff("payments:read"), rest=get("/api/payments/ledger/balances"))
    async def ledger(self, request: Balances) -> LedgerBalances:
        """The balance of every ledger account."""

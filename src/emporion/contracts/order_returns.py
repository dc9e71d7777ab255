"""Returns of what arrived, and their refunds: messages of `contracts.order`."""

from enum import StrEnum
from typing import Annotated, Protocol

from msgspec import Meta

from emporion.contracts.contract import (
    Message,
    Part,
    Reply,
    Request,
    Service,
    command,
    get,
    owner,
    post,
    query,
    staff,
)
from emporion.contracts.inventory import Line, Lines
from emporion.contracts.payment import RefundExceedsCapture, RefundRefused
from emporion.contracts.refusals import KeyReused, UnknownCursor
from emporion.contracts.words import (
    Cursor,
    IdempotencyKey,
    Instant,
    Note,
    OrderId,
    PageSize,
    Quantity,
    ReturnId,
    SkuRef,
    UserId,
    WarehouseId,
)
from emporion.kernel.errors import FailedPrecondition, NotFound
from emporion.kernel.money import Money


class NotReturnable(FailedPrecondition):
    """More units than arrived, or than no other return is about."""

    slug = "not-returnable"
    title = "So many units cannot be returned"


class NotExpected(FailedPrecondition):
    """More units were counted than the return is about; nothing was refunded."""

    slug = "not-expected"
    title = "So many units were not expected"


class TooManyReturns(FailedPrecondition):
    """An order has at most 100 returns, refused ones included."""

    slug = "too-many-returns"
    title = "The order has too many returns"


class ReturnStatus(StrEnum):
    """Where a return stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    """The units may be sent back."""
    REFUSED = "refused"
    """They are not taken back, or never came; `note` says why."""
    RECEIVED = "received"
    """They came and were counted: their money is being given back."""
    REFUNDED = "refunded"


class ReturnedLine(Message, frozen=True, kw_only=True):
    """Units that came back: restocked, or written off, and what was given back for them."""

    sku: SkuRef
    quantity: Quantity
    is_restocked: bool
    refund: Money


class Return(Reply, frozen=True, kw_only=True):
    """Units of an order on their way back. `lines` were asked for, `counted` came.

    `to_gift_cards`: what of the refund goes to gift cards that paid for the order.
    """

    return_id: ReturnId
    order_id: OrderId
    user_id: UserId
    status: ReturnStatus
    lines: list[Line]
    reason: str
    counted: list[ReturnedLine]
    refund: Money
    warehouse_id: WarehouseId | None
    note: str
    requested_at: Instant
    updated_at: Instant
    to_gift_cards: Money | None = None

    @property
    def is_pending(self) -> bool:
        """Whether its refund is under way."""
        return self.status == ReturnStatus.RECEIVED


class AskReturn(Request, frozen=True, kw_only=True):
    """Which units of an order are to go back, and why."""

    idempotency_key: IdempotencyKey
    order_id: OrderId
    lines: Lines
    reason: Annotated[Note, Meta(min_length=1)]


class ReturnOf(Request, frozen=True, kw_only=True):
    """Which return."""

    return_id: ReturnId


class RefuseReturn(Request, frozen=True, kw_only=True):
    """Which return is not taken back, and why: its owner reads it."""

    return_id: ReturnId
    reason: Annotated[Note, Meta(min_length=1)]


class CountedLine(Part, frozen=True, kw_only=True):
    """Units that came, and whether they go back onto the shelf or are written off."""

    sku: SkuRef
    quantity: Quantity
    is_restocked: bool


class ReceiveReturn(Request, frozen=True, kw_only=True):
    """What came of a return, into which warehouse. Units that did not come are not named."""

    idempotency_key: IdempotencyKey
    return_id: ReturnId
    warehouse_id: WarehouseId
    lines: Annotated[list[CountedLine], Meta(min_length=1, max_length=200)]


class ListReturns(Request, frozen=True, kw_only=True):
    """Which returns, newest first."""

    status: ReturnStatus | None = None
    limit: PageSize = 50
    cursor: Cursor = ""


class ReturnPage(Reply, frozen=True, kw_only=True):
    """A page of returns; `next_cursor` is empty on the last one."""

    returns: list[Return]
    next_cursor: str


class ReturnsOf(Request, frozen=True, kw_only=True):
    """The returns of which order."""

    order_id: OrderId


class OrderReturns(Reply, frozen=True, kw_only=True):
    """All returns of an order, the oldest first; there are at most 100."""

    returns: list[Return]


_READ, _WRITE = owner("orders:read"), owner("orders:write")
_STAFF_READ, _STAFF_WRITE = staff("returns:read"), staff("returns:write")


class ReturnsOfOrders(Service, Protocol):
    """The part of `OrderService` that is about returns."""

    @command(
        access=_WRITE,
        key="idempotency_key",
        rest=post("/api/orders/{order_id}/returns", status=201),
        raises=(NotFound, NotReturnable, TooManyReturns, KeyReused),
    )
    async def ask_return(self, request: AskReturn) -> Return:
        """Ask to send back units that arrived. The same key gives the same return.

        Raises NotFound, NotReturnable or TooManyReturns; KeyReused when the key was used for
        another return of the order.
        """

    @query(access=_READ, rest=get("/api/orders/{order_id}/returns"), raises=(NotFound,))
    async def returns_of(self, request: ReturnsOf) -> OrderReturns:
        """The returns of an order. Raises NotFound, also for another customer's order."""

    @query(access=_READ, rest=get("/api/returns/{return_id}"), raises=(NotFound,))
    async def get_return(self, request: ReturnOf) -> Return:
        """One return. Raises NotFound, also for another customer's."""

    @query(access=_STAFF_READ, rest=get("/api/returns"), raises=(UnknownCursor,))
    async def list_returns(self, request: ListReturns) -> ReturnPage:
        """Everybody's returns, newest first. Raises UnknownCursor."""

    @command(
        access=_STAFF_WRITE,
        key="return_id",
        rest=post("/api/returns/{return_id}/approve"),
        raises=(NotFound, FailedPrecondition),
    )
    async def approve_return(self, request: ReturnOf) -> Return:
        """Let the units come; repeatable. Raises NotFound, FailedPrecondition once it is over."""

    @command(
        access=_STAFF_WRITE,
        key="return_id",
        rest=post("/api/returns/{return_id}/refuse"),
        raises=(NotFound, FailedPrecondition),
    )
    async def refuse_return(self, request: RefuseReturn) -> Return:
        """Do not take them back, or give up waiting. Safe to repeat: the first reason stands.

        Raises NotFound; FailedPrecondition once they were received.
        """

    @command(
        access=_STAFF_WRITE,
        key="idempotency_key",
        rest=post("/api/returns/{return_id}/receive"),
        timeout_s=15.0,
        raises=(
            NotFound,
            NotExpected,
            FailedPrecondition,
            RefundExceedsCapture,
            RefundRefused,
            KeyReused,
        ),
    )
    async def receive_return(self, request: ReceiveReturn) -> Return:
        """Count what came, give its money back, and restock what is not written off.

        The answer is the return, `refunded`; or `received` (HTTP 202) while payment or stock cannot
        be reached: it then goes on by itself. Each unit is worth its price as paid. Raises NotFound
        (also for the warehouse), NotExpected, FailedPrecondition unless it is approved, and
        RefundExceedsCapture or RefundRefused: then it is `approved` again. The same key with the
        same request replays the outcome; with another one it raises KeyReused.
        """

"""Payment's books against the orders and the provider: what does not fit, and how it is healed."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from emporion.contracts.contract import Message, Reply, Request
from emporion.contracts.words import Cursor, Instant, Note, OrderId, PageSize
from emporion.kernel.errors import FailedPrecondition
from emporion.kernel.money import Money


class NothingToHeal(FailedPrecondition):
    """That irregularity is not there, or not any more."""

    slug = "nothing-to-heal"
    title = "There is nothing to heal"


class IrregularityKind(StrEnum):
    """What can be wrong between an order, its payment and the provider."""

    PAID_NO_ORDER = "paid_no_order"
    """Money is kept for an order that does not exist, was rejected or was called off."""
    ORDER_NO_MONEY = "order_no_money"
    """An order is paid, and its payment has no money."""
    CAPTURED_TWICE = "captured_twice"
    """The provider took the money of an order more than once."""
    REFUND_LOST = "refund_lost"
    """A refund is here and not at the provider, or the other way round, or has no end."""


class DetectIrregularities(Request, frozen=True, kw_only=True):
    """Orders made since then; without it, in the last two days."""

    since: Instant | None = None


class Irregularity(Message, frozen=True, kw_only=True):
    """One of them: `amount` is the money it is about."""

    kind: IrregularityKind
    order_id: OrderId
    amount: Money
    detail: str


class Irregularities(Reply, frozen=True, kw_only=True):
    """At most 1,000 of them; `examined` payments were looked at."""

    irregularities: list[Irregularity]
    examined: int


class HealIrregularity(Request, frozen=True, kw_only=True):
    """Which irregularity of which order, and why it is healed: kept with who asked."""

    order_id: OrderId
    kind: IrregularityKind
    reason: Annotated[Note, Meta(min_length=1)]


class Healing(Message, frozen=True, kw_only=True):
    """Somebody set out to heal something: when, who, and why.

    `reason` says `erased` once the person whose order it is was erased.
    """

    at: Instant
    actor: str
    kind: IrregularityKind
    reason: str


class Healed(Reply, frozen=True, kw_only=True):
    """Whether it is gone; `detail` says what was done, or what a person has to do."""

    order_id: OrderId
    kind: IrregularityKind
    is_healed: bool
    detail: str


class MovementKind(StrEnum):
    """Which way money moved."""

    CHARGE = "charge"
    REFUND = "refund"


class Movement(Message, frozen=True, kw_only=True):
    """Money that moved at the provider, under its reference for that."""

    order_id: OrderId
    kind: MovementKind
    reference: str
    amount: Money
    at: Instant


class ListMovements(Request, frozen=True, kw_only=True):
    """Which movements, by rising order: of how many orders at once."""

    limit: PageSize = 200
    cursor: Cursor = ""


class MovementPage(Reply, frozen=True, kw_only=True):
    """The movements of a page of orders."""

    movements: list[Movement]
    next_cursor: str

"""How analytics reacts to what happens anywhere; it announces nothing itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.contract import Event
from emporion.contracts.giftcard import GiftCardsRefunded
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRejected
from emporion.contracts.payment import PaymentRefunded
from emporion.contracts.user import UserRegistered
from emporion.services.analytics.domain.facts import (
    CANCELLED,
    REFUNDED,
    REGISTERED,
    REJECTED,
    SOLD,
    Fact,
    Line,
    Told,
)
from emporion.services.analytics.ports import FigureStore

CARDS = "cards:"
"""Tells the part of a refund that went to gift cards from that of the payment."""

# All that is needed of each event: of an order not its names, nor who bought it.


class _Amount(msgspec.Struct, frozen=True, gc=False):
    amount_minor: int
    currency: str


class _Total(msgspec.Struct, frozen=True, gc=False):
    amount_minor: int


class _Line(msgspec.Struct, frozen=True, gc=False):
    sku: str
    quantity: int
    total: _Total


class _Created(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    amount: _Amount
    lines: list[_Line]
    created_at: datetime


class _Cancelled(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    amount: _Amount
    cancelled_at: datetime


class _Refusal(msgspec.Struct, frozen=True, gc=False):
    slug: str


class _Rejected(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    refusal: _Refusal
    rejected_at: datetime


class _Refunded(msgspec.Struct, frozen=True, gc=False):
    order_id: str
    amount: _Amount
    refunded_at: datetime
    refund_id: str = ""


class _Registered(msgspec.Struct, frozen=True, gc=False):
    user_id: str
    registered_at: datetime


_created = msgspec.json.Decoder(_Created).decode
_cancelled = msgspec.json.Decoder(_Cancelled).decode
_rejected = msgspec.json.Decoder(_Rejected).decode
_refunded = msgspec.json.Decoder(_Refunded).decode
_registered = msgspec.json.Decoder(_Registered).decode


def sold(data: bytes) -> Told:
    """An order was taken. Its money is captured by then: it counts as paid."""
    order = _created(data)
    lines = [Line(line.sku, line.quantity, line.total.amount_minor) for line in order.lines]
    units = sum(line.units for line in lines)
    amount = order.amount
    return Told(
        Fact(
            order.order_id,
            SOLD,
            "",
            _ms(order.created_at),
            amount.currency,
            units,
            amount.amount_minor,
        ),
        lines,
    )


def cancelled(data: bytes) -> Told:
    """An order was called off."""
    event = _cancelled(data)
    amount = event.amount
    at_ms = _ms(event.cancelled_at)
    return Told(Fact(event.order_id, CANCELLED, "", at_ms, amount.currency, 0, amount.amount_minor))


def rejected(data: bytes) -> Told:
    """An order was refused."""
    event = _rejected(data)
    return Told(
        Fact(event.order_id, REJECTED, "", _ms(event.rejected_at), event.refusal.slug, 0, 0)
    )


def refunded(data: bytes) -> Told:
    """Money went back."""
    event = _refunded(data)
    amount = event.amount
    return Told(
        Fact(
            event.order_id,
            REFUNDED,
            event.refund_id,
            _ms(event.refunded_at),
            amount.currency,
            0,
            amount.amount_minor,
        )
    )


def given_back(data: bytes) -> Told:
    """Money went back to gift cards: a refund besides that of the payment."""
    fact = refunded(data).fact
    return Told(fact._replace(part=f"{CARDS}{fact.part}"))


def registered(data: bytes) -> Told:
    """Somebody signed up."""
    event = _registered(data)
    return Told(Fact(event.user_id, REGISTERED, "", _ms(event.registered_at), "", 0, 0))


TOLD_BY: dict[type[Event], Callable[[bytes], Told]] = {
    OrderCreated: sold,
    OrderCancelled: cancelled,
    OrderRejected: rejected,
    PaymentRefunded: refunded,
    GiftCardsRefunded: given_back,
    UserRegistered: registered,
}
"""What each event tells."""


def subscriptions(store: FigureStore) -> tuple[Subscription[Any], ...]:
    """The table of reactions: each counts in the transaction that marks its events as handled."""
    return tuple(on_many(event, _recording(store, tell)) for event, tell in TOLD_BY.items())


def _recording(store: FigureStore, tell: Callable[[bytes], Told]) -> Any:
    async def record(tx: Tx, received: Sequence[Received[Any]]) -> None:
        await store.record(tx, [tell(each.data) for each in received])

    return record


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

"""How fraud reacts to what happens to orders. It announces verdicts and decisions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.events.subscription import Received, Subscription, on_many
from emporion.contracts.order import OrderCancelled, OrderCreated, OrderRejected
from emporion.contracts.payment import PaymentDeclined
from emporion.services.fraud.commands.screening import Screener
from emporion.services.fraud.domain.facts import Order


class _Amount(msgspec.Struct, frozen=True, gc=False):
    """Money, not checked again: what publishes it did."""

    amount_minor: int
    currency: str


class _Paid(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of a paid order: its lines stay unread."""

    order_id: str
    user_id: str
    amount: _Amount
    created_at: datetime
    payment_method: str = ""


class _Why(msgspec.Struct, frozen=True, gc=False):
    slug: str


class _Rejected(msgspec.Struct, frozen=True, gc=False):
    """All that is needed of a rejected order."""

    order_id: str
    user_id: str
    amount: _Amount
    refusal: _Why
    rejected_at: datetime
    payment_method: str = ""


_paid = msgspec.json.Decoder(_Paid).decode
_rejected = msgspec.json.Decoder(_Rejected).decode
_DECLINED = PaymentDeclined.slug


class Reactions:
    """Each runs in the transaction that marks its events as handled."""

    def __init__(self, screener: Screener) -> None:
        self._screener = screener

    async def screen(self, tx: Tx, received: Sequence[Received[OrderCreated]]) -> None:
        """Judge the orders."""
        await self._screener.screen(tx, [_order(_paid(each.data)) for each in received])

    async def note_declined(self, tx: Tx, received: Sequence[Received[OrderRejected]]) -> None:
        """Remember those whose payment was declined; others are nobody's suspicion."""
        told = [_rejected(each.data) for each in received]
        declined = [_attempt(each) for each in told if each.refusal.slug == _DECLINED]
        if declined:
            await self._screener.note_declined(tx, declined)

    async def withdraw(self, tx: Tx, received: Sequence[Received[OrderCancelled]]) -> None:
        """Close the reviews of orders that were called off."""
        await self._screener.withdraw(tx, [each.event.order_id for each in received])


def _order(paid: _Paid) -> Order:
    return _tried(paid, paid.created_at)


def _attempt(rejected: _Rejected) -> Order:
    return _tried(rejected, rejected.rejected_at)


def _tried(told: _Paid | _Rejected, at: datetime) -> Order:
    amount = told.amount
    return Order(
        told.order_id,
        told.user_id,
        amount.amount_minor,
        amount.currency,
        _ms(at),
        told.payment_method,
    )


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000)


def subscriptions(reactions: Reactions) -> tuple[Subscription[Any], ...]:
    """The table of reactions."""
    return (
        on_many(OrderCreated, reactions.screen),
        on_many(OrderRejected, reactions.note_declined),
        on_many(OrderCancelled, reactions.withdraw),
    )

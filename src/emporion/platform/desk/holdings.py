"""What the shop holds for the order that a saga is about: money captured, units reserved."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

import msgspec

from emporion.chassis.calls.clients import Clients
from emporion.chassis.saga.desk import SagaStanding
from emporion.contracts.inventory import InventoryService, ReservationOf, ReservationStatus
from emporion.contracts.payment import PaymentOf, PaymentService, PaymentStatus
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import ORDER, OrderId, has_prefix
from emporion.kernel.money import Money

T = TypeVar("T")
_TAKEN = (PaymentStatus.CAPTURED, PaymentStatus.OWED, PaymentStatus.REFUNDED)
_RESERVED = (ReservationStatus.HELD, ReservationStatus.COMMITTED)


class _About(msgspec.Struct):
    """All that is read of a saga's input, which may hold a payment token."""

    order_id: str = ""


_about = msgspec.json.Decoder(_About).decode


class Holdings(NamedTuple):
    """What is held for an order; nothing where it could not be asked."""

    order_id: str = ""
    money: Money | None = None
    units: int = 0


async def holdings_of(clients: Clients, standing: SagaStanding) -> Holdings:
    """What is held for the order of a saga that is not over; nothing for any other."""
    order_id = order_of(standing)
    if not order_id:
        return Holdings()
    if standing.next_at_ms is None:
        return Holdings(order_id)
    payment, hold = await asyncio.gather(
        _or_none(clients.get(PaymentService).payment_of(PaymentOf(order_id=order_id))),
        _or_none(clients.get(InventoryService).hold_of(ReservationOf(order_id=order_id))),
    )
    money = None
    if payment is not None and payment.status in _TAKEN:
        left_minor = payment.amount.amount_minor - payment.refunded.amount_minor
        money = Money(left_minor, payment.amount.currency)
    is_reserved = hold is not None and hold.status in _RESERVED
    units = sum(each.quantity for each in hold.allocations) if hold and is_reserved else 0
    return Holdings(order_id, money, units)


def order_of(standing: SagaStanding) -> OrderId | None:
    """The order that a saga is about: its own id, or that in its input as long as it is kept."""
    if has_prefix(standing.saga_id, ORDER):
        return OrderId(standing.saga_id)
    try:
        named = _about(standing.input).order_id if standing.input else ""
    except msgspec.MsgspecError:
        return None
    return OrderId(named) if has_prefix(named, ORDER) else None


async def _or_none(asked: Awaitable[T]) -> T | None:
    """A desk that shows what is stuck must not be stuck itself: what cannot be told is left out."""
    try:
        return await asked
    except EmporionError:
        return None

"""What the shop holds for the order that a saga is about: money captured, units reserved."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec

from emporion.chassis.calls.clients import Clients
from emporion.chassis.calls.context import current_call, enter, leave
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.desk import SagaStanding
from emporion.contracts.inventory import InventoryService, ReservationOf, ReservationStatus
from emporion.contracts.payment import PaymentOf, PaymentService, PaymentStatus
from emporion.kernel.errors import EmporionError, NotFound
from emporion.kernel.ids import ORDER, OrderId, has_prefix
from emporion.kernel.money import Money
from emporion.platform.shared_answers import SharedAnswers

T = TypeVar("T")
PATIENCE_S: Final = 0.5
"""So long payment and inventory are waited for: whoever looks at a stuck saga gets an answer."""
KEEP_S: Final = 5.0
ORDERS_MAX: Final = 1_000
"""Of so many orders a list remembers what was held for them."""
_TAKEN = (PaymentStatus.CAPTURED, PaymentStatus.OWED, PaymentStatus.REFUNDED)
_RESERVED = (ReservationStatus.HELD, ReservationStatus.COMMITTED)


class _About(msgspec.Struct):
    """All that is read of a saga's input, which may hold a payment token."""

    order_id: str = ""


_about = msgspec.json.Decoder(_About).decode


class Holdings(NamedTuple):
    """What is held for an order. What could not be told in time is not known, and then nothing."""

    order_id: str = ""
    money: Money | None = None
    units: int = 0
    is_money_known: bool = True
    is_units_known: bool = True


class Asking:
    """Asks payment and inventory what they hold, each for up to PATIENCE_S, both at once."""

    def __init__(self, runtime: Runtime) -> None:
        self._monotonic_s = runtime.clock.monotonic_s
        self._lately = SharedAnswers[OrderId, Holdings](
            "holdings of an order", runtime, keep_s=KEEP_S, questions_max=ORDERS_MAX
        )

    async def holdings_of(
        self, clients: Clients, standing: SagaStanding, *, is_kept: bool = False
    ) -> Holdings:
        """What is held for the order of a saga that is not over; nothing for any other.

        With `is_kept` it may be what was told up to KEEP_S ago: lists are looked at by many, and
        each asks again every two seconds.
        """
        order_id = order_of(standing)
        if not order_id:
            return Holdings()
        if standing.next_at_ms is None:
            return Holdings(order_id)
        if is_kept:
            return await self._lately.get(order_id, partial(self._ask, clients, order_id))
        return await self._ask(clients, order_id)

    async def _ask(self, clients: Clients, order_id: OrderId) -> Holdings:
        (payment, is_money_known), (hold, is_units_known) = await asyncio.gather(
            self._told(clients.get(PaymentService).payment_of(PaymentOf(order_id=order_id))),
            self._told(clients.get(InventoryService).hold_of(ReservationOf(order_id=order_id))),
        )
        money = None
        if payment is not None and payment.status in _TAKEN:
            left_minor = payment.amount.amount_minor - payment.refunded.amount_minor
            money = Money(left_minor, payment.amount.currency)
        is_reserved = hold is not None and hold.status in _RESERVED
        units = sum(each.quantity for each in hold.allocations) if hold and is_reserved else 0
        return Holdings(order_id, money, units, is_money_known, is_units_known)

    async def _told(self, asked: Awaitable[T]) -> tuple[T | None, bool]:
        """What is told, and whether that is known.

        A desk that shows what is stuck must not be stuck itself: the call's deadline is that of
        the desk or PATIENCE_S, whichever comes first.
        """
        call = current_call()
        deadline_s = min(call.deadline_s, self._monotonic_s() + PATIENCE_S)
        token = enter(msgspec.structs.replace(call, deadline_s=deadline_s))
        try:
            return await asked, True
        except NotFound:
            return None, True
        except EmporionError:
            return None, False
        finally:
            leave(token)


def order_of(standing: SagaStanding) -> OrderId | None:
    """The order that a saga is about: its own id, or that in its input as long as it is kept."""
    if has_prefix(standing.saga_id, ORDER):
        return OrderId(standing.saga_id)
    try:
        named = _about(standing.input).order_id if standing.input else ""
    except msgspec.MsgspecError:
        return None
    return OrderId(named) if has_prefix(named, ORDER) else None

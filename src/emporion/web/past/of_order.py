"""Reads the past of one order from the three services that hold a part of it."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from emporion.chassis.calls.clients import Clients
from emporion.contracts.contract import Message
from emporion.contracts.inventory import InventoryService, ReservationOf
from emporion.contracts.order import OrderOf, OrderService
from emporion.contracts.payment import PaymentOf, PaymentService
from emporion.contracts.refusals import DidNotExistYet
from emporion.kernel.errors import NotFound
from emporion.kernel.history import Change
from emporion.kernel.ids import OrderId

T = TypeVar("T")
Facts = Mapping[str, str]
"""What is known of something, flat: `order.status` and the like, with values as text."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A change, and the service in whose books it stands."""

    service: str
    change: Change


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that is another one at the later instant; empty: there was none."""

    fact: str
    before: str
    after: str


async def changes_of(clients: Clients, order_id: OrderId) -> list[Happened]:
    """Everything that happened to an order, its payment and its stock, in order of time.

    Raises NotFound when no service knows of such an order, and what the calls raise.
    """
    order = await clients.get(OrderService).order_history(OrderOf(order_id=order_id))
    found = [Happened("order", change) for change in order.changes]
    stock = clients.get(InventoryService).reservation_history
    held = await _or_none(stock(ReservationOf(order_id=order_id)))
    found += [Happened("inventory", change) for change in (held.changes if held else ())]
    money = clients.get(PaymentService).payment_history
    paid = await _or_none(money(PaymentOf(order_id=order_id)))
    found += [Happened("payment", change) for change in (paid.changes if paid else ())]
    return sorted(found, key=lambda happened: happened.change.at)


async def facts_at(clients: Clients, order_id: OrderId, as_of: datetime | None) -> Facts:
    """An order as it was at an instant (None: now), and its payment and stock as far as they were.

    Raises NotFound, DidNotExistYet, InTheFuture, and what the calls raise.
    """
    order, payment = clients.get(OrderService), clients.get(PaymentService)
    stock = clients.get(InventoryService)
    held = ReservationOf(order_id=order_id, as_of=as_of)
    parts = {
        "order": await order.get_order(OrderOf(order_id=order_id, as_of=as_of)),
        "payment": await _or_none(payment.get_payment(PaymentOf(order_id=order_id, as_of=as_of))),
        "stock": await _or_none(stock.get_reservation(held)),
    }
    facts: dict[str, str] = {}
    for name, part in parts.items():
        if part is not None:
            facts.update(flat(part, name))
    return facts


async def facts_before(clients: Clients, order_id: OrderId, instant: datetime) -> Facts:
    """The same, and nothing where there was no order yet."""
    try:
        return await facts_at(clients, order_id, instant)
    except DidNotExistYet:
        return {}


def differences(before: Facts, after: Facts) -> list[Difference]:
    """What is not the same, in the order of the later facts, then what is gone."""
    names = dict.fromkeys([*after, *before])
    return [
        Difference(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    ]


def flat(message: Message, prefix: str) -> Facts:
    """A message's fields as text, by dotted names."""
    return dict(_pairs(msgspec.to_builtins(message), prefix))


def _pairs(value: Any, name: str) -> list[tuple[str, str]]:
    match value:
        case {"amount_minor": amount, "currency": currency}:
            return [(name, f"{amount} {currency} (minor units)")]
        case dict():
            return [pair for key, part in value.items() for pair in _pairs(part, f"{name}.{key}")]
        case list():
            return [pair for at, part in enumerate(value) for pair in _pairs(part, f"{name}[{at}]")]
        case None:
            return []
        case _:
            return [(name, str(value))]


async def _or_none(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except NotFound:
        return None

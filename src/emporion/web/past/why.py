"""Why an order is as it is: what its saga, its payment, its stock and the screening say of it."""

from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from emporion.chassis.calls.clients import Clients
from emporion.contracts.fraud import FraudService, ScreeningOf
from emporion.contracts.inventory import InventoryService, ReservationOf
from emporion.contracts.operations import OperationsService
from emporion.contracts.operations_desk import SagaOf
from emporion.contracts.order import Order, OrderOf, OrderService
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.payment import PaymentOf, PaymentService
from emporion.kernel.errors import NotFound, PermissionDenied, Unavailable
from emporion.kernel.ids import OrderId
from emporion.web.figures import instant
from emporion.web.words import money

T = TypeVar("T")


class Reason(NamedTuple):
    """What one service says."""

    service: str
    says: str


async def why_order(clients: Clients, order_id: OrderId) -> list[Reason]:
    """What every service that knows of an order says about how it came to be as it is.

    Raises NotFound when there is no such order, and what the calls raise. A service that is not
    there, or may not be asked, is left out.
    """
    order = await clients.get(OrderService).get_order(OrderOf(order_id=order_id))
    said = [
        Reason("order", _order(order)),
        Reason("saga", await _told(_saga(clients, order_id))),
        Reason("payment", await _told(_payment(clients, order_id))),
        Reason("inventory", await _told(_stock(clients, order_id))),
        Reason("fraud", await _told(_screening(clients, order_id))),
    ]
    return [reason for reason in said if reason.says]


def _order(order: Order) -> str:
    if order.refusal is not None:
        return f"{order.status}: {order.refusal.detail} ({order.refusal.slug})"
    if order.status is OrderStatus.PENDING:
        return "pending: stock or payment is still being settled"
    return f"{order.status} since {instant(order.updated_at)} UTC"


async def _saga(clients: Clients, order_id: OrderId) -> str:
    saga = await clients.get(OperationsService).get_saga(SagaOf(saga_id=order_id))
    if saga.next_attempt_at is None:
        return f"{saga.name} is {saga.state}"
    failed = f"after {saga.attempts} failed attempts, {saga.last_error}" if saga.attempts else ""
    next_ = f"next attempt {instant(saga.next_attempt_at)} UTC"
    return f"{saga.name} is {saga.state} at {saga.step!r} {failed}; {next_}".replace(" ;", ";")


async def _payment(clients: Clients, order_id: OrderId) -> str:
    payment = await clients.get(PaymentService).get_payment(PaymentOf(order_id=order_id))
    back = f", {money(payment.refunded)} given back" if payment.refunded.amount_minor else ""
    return f"{payment.status}: {money(payment.amount)}{back}"


async def _stock(clients: Clients, order_id: OrderId) -> str:
    hold = await clients.get(InventoryService).get_reservation(ReservationOf(order_id=order_id))
    units = ", ".join(f"{it.quantity} {it.sku} in {it.warehouse_id}" for it in hold.allocations)
    until = f" until {instant(hold.expires_at)} UTC" if hold.expires_at else ""
    return f"{hold.status}{until}: {units or 'nothing'}"


async def _screening(clients: Clients, order_id: OrderId) -> str:
    screening = await clients.get(FraudService).get_screening(ScreeningOf(order_id=order_id))
    fired = "; ".join(f"{rule.name} ({rule.says})" for rule in screening.fired)
    score = f"score {screening.score} of {screening.threshold}"
    return f"{screening.verdict}: {score}{f', because of {fired}' if fired else ''}"


async def _told(said: Awaitable[str]) -> str:
    try:
        return await said
    except (NotFound, PermissionDenied, Unavailable):
        return ""

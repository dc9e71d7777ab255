"""What can be done with orders: place, check out, cancel."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.port import KeyConflict, Outcome, Sagas, SagaState, Start
from emporion.contracts.inventory import Line
from emporion.contracts.order import Order, PlaceOrder
from emporion.contracts.order_carts import Ordering
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.refusals import KeyReused
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import OrderId, UserId
from emporion.services.order.commands.pricing import UNPRICED, Pricing, shares_in
from emporion.services.order.commands.steps import CallOff, OrderSagas, TakeOrder
from emporion.services.order.queries.orders import OrderQueries

WAIT_S = 8.0
"""How long a repeated request waits for the first one before it answers `pending`."""
CANCELLATION = "sga"

_COMPLETED = SagaState.COMPLETED
_PAID = OrderStatus.PAID
_encode = msgspec.json.Encoder().encode


class OrderCommands:
    """Starts the sagas of orders and tells how they ended."""

    def __init__(
        self,
        runtime: Runtime,
        sagas: Sagas,
        pricing: Pricing,
        *,
        queries: OrderQueries,
        definitions: OrderSagas,
    ) -> None:
        self._runtime = runtime
        self._steps = definitions.steps
        self._sagas = sagas
        self.priced = pricing.priced
        """A new order at today's prices. Raises what is in UNPRICED."""
        self.split = pricing.split
        """See OrderService.split_total."""
        self._queries = queries
        self._definitions = definitions

    async def place(self, request: PlaceOrder, user_id: UserId) -> Order:
        """See OrderService.place_order."""
        key = f"{user_id}:{request.idempotency_key}"
        fingerprint = fingerprint_of(request.lines, request.payment_token, wishes_of(request))
        try:
            taking = await self.priced(request.lines, request, user_id)
        except UNPRICED:
            # A repeated request must tell what became of the first one, whatever is sold today.
            known = await self.repeated(key, fingerprint)
            if known is None:
                raise
            return known
        return await self.take(taking, key=key, fingerprint=fingerprint)

    async def repeated(self, key: str, fingerprint: bytes) -> Order | None:
        """The outcome of the saga that has the key, joined if it is under way; or None.

        Raises KeyReused, or the refusal that ended it.
        """
        try:
            outcome = await self._sagas.join(key, fingerprint, wait_s=WAIT_S)
        except KeyConflict as error:
            raise KeyReused from error
        return await self.told(outcome) if outcome else None

    async def call_off(self, order_id: OrderId, reason: str) -> Order:
        """Undo an order that is decided. Raises NotFound, AlreadyShipping, NotInThisState."""
        order = await self._queries.get(order_id)
        calling_off = CallOff(
            order_id=order.order_id,
            user_id=order.user_id,
            lines=[Line(sku=line.sku, quantity=line.quantity) for line in order.lines],
            total=order.total,
            reason=reason,
            cards=shares_in(order.details),
        )
        start = Start(
            saga_id=self._runtime.ids.new(CANCELLATION),
            input_=calling_off,
            key=f"cancel:{order.order_id}",
            fingerprint=b"",
        )
        await self._sagas.run(self._definitions.calling_off(calling_off), start, wait_s=WAIT_S)
        return await self._queries.get(order_id)

    async def take(
        self,
        taking: TakeOrder,
        *,
        key: str,
        fingerprint: bytes,
        also: Callable[[Tx], Awaitable[None]] | None = None,
    ) -> Order:
        """Run the saga for an order, or join the one that has the key; the order as it is then.

        Raises KeyReused, the refusal that ended the saga, or what `also` raises.
        """
        start = Start(taking.order_id, taking, key, fingerprint, also)
        paid_at_ms = self._steps.paid_at_ms
        paid_at_ms[taking.order_id] = 0
        try:
            saga = self._definitions.taking(taking)
            outcome = await self._sagas.run(saga, start, wait_s=WAIT_S)
        except KeyConflict as error:
            raise KeyReused from error
        finally:
            at_ms = paid_at_ms.pop(taking.order_id)
        if at_ms and outcome.state is _COMPLETED:
            return _paid(taking, at_ms)
        return await self.told(outcome)

    async def told(self, outcome: Outcome) -> Order:
        """The order of a saga; raises the refusal that ended it."""
        if outcome.state is SagaState.REFUSED and outcome.refusal is not None:
            raise outcome.refusal
        return await self._queries.get(OrderId(outcome.saga_id))


def fingerprint_of(
    lines: Sequence[Line], payment_token: str, wishes: tuple[object, ...] = ()
) -> bytes:
    """What makes two requests under one key the same: 32 bytes."""
    content = (lines, payment_token, wishes) if wishes else (lines, payment_token)
    return hashlib.sha256(_encode(content)).digest()


def wishes_of(request: Ordering) -> tuple[object, ...]:
    """What a request says beside what to buy and how to pay; nothing, as most do."""
    wishes = (request.codes, request.country, request.delivery)
    if request.gift_cards:
        return (*wishes, request.gift_cards)
    return wishes if any(wishes) else ()


def _paid(taking: TakeOrder, paid_at_ms: int) -> Order:
    """What a query of the order would answer now, without asking."""
    return Order(
        order_id=taking.order_id,
        user_id=taking.user_id,
        status=_PAID,
        lines=taking.lines,
        total=taking.total,
        created_at=to_datetime(taking.created_at_ms),
        updated_at=to_datetime(paid_at_ms),
        details=taking.details,
    )

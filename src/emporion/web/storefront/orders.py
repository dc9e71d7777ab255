"""A customer's orders, and one of them as it goes its way: live, or by reloading."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.order import (
    CancelOrder,
    ListOrders,
    Order,
    OrderOf,
    OrderService,
)
from emporion.contracts.order_desk import OrderStatus
from emporion.contracts.order_returns import Return, ReturnsOf
from emporion.contracts.pricing import DetailKind, PriceDetail
from emporion.contracts.refusals import UnknownCursor
from emporion.contracts.shipping import FulfilmentOf, Shipment, ShippingService
from emporion.kernel.errors import (
    EmporionError,
    FailedPrecondition,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.web.forms import message
from emporion.web.storefront import basket
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.progress import Progress, is_over, progress_of
from emporion.web.visit import Visit

PER_PAGE: Final = 20
STREAMS_MAX: Final = 500
"""So many pages are followed at once; the others reload."""
STREAM_S: Final = 50.0
"""A stream ends before a proxy would end it; the browser comes back for the next."""
FAST_S: Final = 0.5
SLOW_S: Final = 2.0
HEARTBEAT_S: Final = 10.0
"""So often something is sent in any case: that is how it shows that nobody reads any more."""
OPTIONAL_S: Final = 1.0
_UNDONE: Final = (OrderStatus.REJECTED, OrderStatus.CANCELLED)
_RETURNABLE: Final = (
    OrderStatus.PARTLY_SHIPPED,
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
    OrderStatus.RETURNED,
    OrderStatus.REFUNDED,
)


@dataclass(frozen=True, slots=True)
class _Paid:
    """What gift cards paid of an order, and what was charged besides; undone: it goes back."""

    cards: list[PriceDetail]
    charged: Money
    is_undone: bool

    @classmethod
    def of(cls, order: Order) -> "_Paid":
        cards = [one for one in order.details if one.kind is DetailKind.GIFT_CARD]
        minor = order.total.amount_minor - sum(card.amount.amount_minor for card in cards)
        charged = Money(minor, order.total.currency)
        return cls(cards, charged, order.status in _UNDONE)


@dataclass(frozen=True, slots=True)
class _State:
    """An order and its shipments, at the moment."""

    order: Order
    shipments: list[Shipment]
    returns: list[Return] = field(default_factory=list)

    @property
    def progress(self) -> Progress:
        return progress_of(self.order)


class OrderPages:
    """Orders of the visitor; those of others are not found."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods
        self._streams = 0

    async def orders(self, visit: Visit) -> Response:
        """The visitor's orders, newest first."""
        wanted = message(ListOrders, limit=PER_PAGE, cursor=visit.query.text("cursor"))
        try:
            page = await visit.ask(OrderService).list_orders(wanted)
        except UnknownCursor:
            return visit.redirect("/orders")
        rows = [(order, progress_of(order)) for order in page.orders]
        return await visit.show("orders.html", rows=rows, next_cursor=page.next_cursor)

    async def order(self, visit: Visit) -> Response:
        """An order with its status. Raises NotFound."""
        return await self._shown(visit)

    async def cancel(self, visit: Visit) -> Response:
        """Call an order off, if it has not left yet. Raises NotFound."""
        request = message(CancelOrder, order_id=visit.path["order_id"], reason="by the customer")
        try:
            order = await visit.ask(OrderService).cancel_order(request)
        except FailedPrecondition as refusal:
            return await self._shown(visit, refusal)
        return visit.redirect(f"/orders/{order.order_id}")

    async def again(self, visit: Visit) -> Response:
        """Put what was ordered into the cart, once however often it is sent. Raises NotFound."""
        order = await self._order(visit)
        lines = basket.read("~".join(f"{line.sku}*{line.quantity}" for line in order.lines))
        key = f"again-{visit.form.text('key')[:64]}"
        if not await basket.put_back(visit, lines, key=key):
            raise Unavailable("the cart does not answer")
        return visit.redirect("/cart")

    async def live(self, visit: Visit) -> Response:
        """The status as server-sent events. Raises NotFound, or Unavailable when many look on."""
        if self._streams >= STREAMS_MAX:
            raise Unavailable("many pages are followed right now: reload to see the status")
        first = await self._state(visit)
        visit.seal_session()
        return visit.stream(self._events(visit, first))

    async def _events(self, visit: Visit, state: _State) -> AsyncGenerator[bytes, None]:
        """The status now and at each change, until the order is over or the stream old enough."""
        runtime = visit.site.runtime
        until_s = runtime.clock.monotonic_s() + STREAM_S
        said_s = runtime.clock.monotonic_s()
        self._streams += 1
        try:
            yield b"retry: 2000\n\n"
            yield _event(b"status", self._status(visit, state))
            while not is_over(state.order) and runtime.clock.monotonic_s() < until_s:
                await runtime.tasks.sleep(FAST_S if state.order.is_pending else SLOW_S)
                before = state.order
                order = await self._order(visit)
                now_s = runtime.clock.monotonic_s()
                if order.updated_at != before.updated_at or order.status != before.status:
                    state = _State(order, await self._shipments(visit))
                    yield _event(b"status", self._status(visit, state))
                    said_s = now_s
                elif now_s - said_s >= HEARTBEAT_S:
                    yield b": still here\n\n"
                    said_s = now_s
                else:
                    yield b""
            if is_over(state.order):
                yield _event(b"over", b"")
        except EmporionError:
            return  # the browser asks again in a moment, and is told properly then
        finally:
            self._streams -= 1

    def _status(self, visit: Visit, state: _State) -> bytes:
        return visit.text_of("status.html", **_values(state))

    async def _shown(self, visit: Visit, refusal: EmporionError | None = None) -> Response:
        state = await self._state(visit)
        if state.order.status in _RETURNABLE:
            state = replace(state, returns=await self._returns(visit))
        sold = await self._goods.find(visit, [Sku(line.sku) for line in state.order.lines])
        return await visit.show(
            "order.html",
            200 if refusal is None else status_of(refusal),
            **_values(state),
            paid=_Paid.of(state.order),
            refunds=[each for each in state.returns if each.refund.amount_minor],
            sold=sold,
            is_over=is_over(state.order),
            refusal=refusal,
            form_key=visit.site.runtime.random.token(16),
        )

    async def _state(self, visit: Visit) -> _State:
        order, shipments = await asyncio.gather(self._order(visit), self._shipments(visit))
        return _State(order, shipments)

    async def _order(self, visit: Visit) -> Order:
        return await visit.ask(OrderService).get_order(
            message(OrderOf, order_id=visit.path["order_id"])
        )

    async def _returns(self, visit: Visit) -> list[Return]:
        """What came back of the order, as far as that can be told now."""
        request = message(ReturnsOf, order_id=visit.path["order_id"])
        try:
            found = await visit.ask(OrderService, timeout_s=OPTIONAL_S).returns_of(request)
        except EmporionError as error:
            if error.is_outcome_known and not isinstance(error, Unauthenticated):
                raise
            return []
        return found.returns

    async def _shipments(self, visit: Visit) -> list[Shipment]:
        """The shipments of the order, as far as they are known yet."""
        request = message(FulfilmentOf, order_id=visit.path["order_id"])
        try:
            found = await visit.ask(ShippingService, timeout_s=OPTIONAL_S).shipments_of(request)
        except (NotFound, Unauthenticated):
            return []
        except EmporionError as error:
            if error.is_outcome_known:
                raise
            return []
        return found.shipments


def _values(state: _State) -> dict[str, Any]:
    return {"order": state.order, "shipments": state.shipments, "progress": state.progress}


def _event(name: bytes, data: bytes) -> bytes:
    """A server-sent event; a text of several lines is so many lines of data."""
    lines = b"".join(b"data: %b\n" % line for line in data.splitlines() if line.strip())
    return b"event: %b\n%b\n" % (name, lines or b"data\n")

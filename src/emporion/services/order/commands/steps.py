"""The steps of the order sagas that happen in this service's own database, and their input."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.saga.definition import Saga
from emporion.chassis.sealing.cipher import is_sealed
from emporion.contracts.contract import Message
from emporion.contracts.giftcard import GiftCardShare
from emporion.contracts.inventory import Line
from emporion.contracts.order import (
    AlreadyShipping,
    CalledOff,
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    PricedLine,
    Refusal,
)
from emporion.contracts.order_carts import GiftCardPaid
from emporion.contracts.payment import Charge
from emporion.contracts.pricing import DetailKind, PriceDetail
from emporion.kernel.clock import Clock, to_datetime
from emporion.kernel.errors import Conflict, EmporionError
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.order.domain import CARD_NAMED, Detail, Order, OrderLine, Status
from emporion.services.order.ports import CartStore, OrderStore

HINTS_MAX = 10_000


class TakeOrder(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What taking an order needs, in every step and in their undoing. Erased when it is over.

    `counted`: the promotions in its price whose uses are counted. `cards`: what gift cards pay of
    the total; the rest is charged.
    """

    order_id: OrderId
    user_id: UserId
    lines: list[PricedLine]
    total: Money
    payment_token: str
    created_at_ms: int
    is_from_cart: bool = False
    details: list[PriceDetail] = msgspec.field(default_factory=list)
    counted: list[str] = msgspec.field(default_factory=list)
    cards: list[GiftCardShare] = msgspec.field(default_factory=list)


class CallOff(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What calling off a paid order needs. `cards`: what gift cards paid of the total."""

    order_id: OrderId
    user_id: UserId
    lines: list[Line]
    total: Money
    reason: str
    cards: list[GiftCardShare] = msgspec.field(default_factory=list)


class PaymentMethods:
    """Names payment methods without telling their tokens: a keyed hash.

    Without a key the name is empty: a hash without one could be tried out on guessed tokens. So is
    that of no token: whoever pays with gift cards alone has nothing in common with others who do.
    """

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(key.encode()).digest() if key else b""

    def name(self, payment_token: str) -> str:
        """32 hex digits, the same for the same token; or nothing."""
        if not self._key or not payment_token:
            return ""
        return hashlib.blake2b(payment_token.encode(), key=self._key, digest_size=16).hexdigest()


class OrderSteps:
    """The steps that happen in the order service's own database."""

    def __init__(
        self, orders: OrderStore, carts: CartStore, clock: Clock, *, methods: PaymentMethods
    ) -> None:
        self._methods = methods
        self._orders = orders
        self._carts = carts
        self._clock = clock
        self.paid_at_ms: dict[OrderId, int] = {}
        """When the orders were paid whose requests wait for that: who waits enters the order
        before it starts the saga and takes it out after, so it holds no more than wait."""
        self.called_off: dict[OrderId, str] = {}
        """Orders that were called off here before they were decided, and why: only a hint that
        hurries, for the order's events say it too. It forgets the oldest past HINTS_MAX."""
        self._doubtful: set[OrderId] = set()
        """Orders to be confirmed here that somebody else changed: confirmed as they are then."""

    async def open(self, tx: Tx, taking: TakeOrder) -> None:
        """Take the order down; it is pending from here on."""
        order = Order(taking.order_id)
        order.create(taking.user_id, _lines(taking), _details(taking))
        await self._orders.save(tx, order, at_ms=taking.created_at_ms)

    async def reject(self, tx: Tx, taking: TakeOrder, refusal: EmporionError) -> None:
        """It could not be fulfilled: say why, and give the lines back to the cart."""
        now_ms = self._clock.now_ms()
        order = (await self._orders.load(tx, taking.order_id)).order
        order.reject(refusal.slug, refusal.detail)
        await self._orders.save(tx, order, at_ms=now_ms)
        self.called_off.pop(taking.order_id, None)
        self._doubtful.discard(taking.order_id)
        if taking.is_from_cart:
            units = {line.sku: line.quantity for line in taking.lines}
            await self._carts.add(tx, taking.user_id, units, at_ms=now_ms)
        await tx.publish(
            OrderRejected(
                order_id=taking.order_id,
                user_id=taking.user_id,
                amount=taking.total,
                refusal=Refusal(slug=refusal.slug, detail=refusal.detail),
                rejected_at=to_datetime(now_ms),
                payment_method=self._methods.name(taking.payment_token),
            )
        )

    async def confirm(self, tx: Tx, taking: TakeOrder) -> None:
        """Stock is held and money captured: the order is paid, and everybody may know.

        Raises CalledOff when it was called off meanwhile; Conflict the first time it is met.
        """
        now_ms = self._clock.now_ms()
        if taking.order_id in self._doubtful:
            await self._require_wanted(tx, taking.order_id)
        order = Order.as_opened(taking.order_id)  # the store refuses if there is more to it
        order.pay()
        try:
            await self._orders.save(tx, order, at_ms=now_ms)
        except Conflict:
            self._doubtful.add(taking.order_id)  # to be looked at by the next attempt
            raise
        if taking.order_id in self.paid_at_ms:
            self.paid_at_ms[taking.order_id] = now_ms
        await tx.publish(
            OrderCreated(
                order_id=taking.order_id,
                user_id=taking.user_id,
                amount=taking.total,
                lines=taking.lines,
                created_at=to_datetime(taking.created_at_ms),
                payment_method=self._methods.name(taking.payment_token),
                gift_cards=_cards_paid(taking),
            )
        )

    async def _require_wanted(self, tx: Tx, order_id: OrderId) -> None:
        order = (await self._orders.load(tx, order_id)).order
        if order.status is Status.CANCELLING:
            raise called_off(order.refusal_asked)

    def call_off(self, order_id: OrderId, reason: str) -> None:
        """Let the saga of an order know that it was called off, should it come by here."""
        while len(self.called_off) >= HINTS_MAX:
            del self.called_off[next(iter(self.called_off))]
        self.called_off[order_id] = reason

    def unless_called_off(
        self, charge: Callable[[Charge], Awaitable[Message]]
    ) -> Callable[[Charge], Awaitable[Message]]:
        """Charges only what was not called off. Raises CalledOff, and what `charge` raises."""

        async def charged(request: Charge) -> Message:
            if request.order_id in self.called_off:
                raise called_off(self.called_off[request.order_id])
            return await charge(request)

        return charged

    async def cancel(self, tx: Tx, calling_off: CallOff) -> None:
        """Call off a paid order. Raises AlreadyShipping, or NotInThisState for any other."""
        now_ms = self._clock.now_ms()
        order = (await self._orders.load(tx, calling_off.order_id)).order
        if order.cleared:
            raise AlreadyShipping(f"a shipment of {order.id} leaves, or has left")
        order.cancel(calling_off.reason)
        await self._orders.save(tx, order, at_ms=now_ms)
        await tx.publish(
            OrderCancelled(
                order_id=calling_off.order_id,
                user_id=calling_off.user_id,
                amount=calling_off.total,
                reason=_public(calling_off.reason),
                cancelled_at=to_datetime(now_ms),
            )
        )


@dataclass(frozen=True, slots=True)
class OrderSagas:
    """The sagas of this service, as its commands start them; `sagas.py` defines them."""

    steps: OrderSteps
    create_order: Saga[TakeOrder]
    create_promoted_order: Saga[TakeOrder]
    create_gift_card_order: Saga[TakeOrder]
    cancel_order: Saga[CallOff]
    cancel_gift_card_order: Saga[CallOff]

    def taking(self, taking: TakeOrder) -> Saga[TakeOrder]:
        """The saga that takes that order."""
        if taking.cards:
            return self.create_gift_card_order
        is_plain = not taking.counted and taking.total.amount_minor
        return self.create_order if is_plain else self.create_promoted_order

    @property
    def all(self) -> tuple[Saga[TakeOrder] | Saga[CallOff], ...]:
        """Every one of them."""
        return (
            self.create_order,
            self.create_promoted_order,
            self.create_gift_card_order,
            self.cancel_order,
            self.cancel_gift_card_order,
        )

    def calling_off(self, calling_off: CallOff) -> Saga[CallOff]:
        """The saga that calls off that order."""
        return self.cancel_gift_card_order if calling_off.cards else self.cancel_order


def called_off(reason: str) -> CalledOff:
    """The refusal that turns the saga of an order that was called off."""
    said = _public(reason)
    what = "called off before it was paid"
    return CalledOff(f"{what}: {said}" if said else what)


def _public(reason: str) -> str:
    """A reason that the shop itself gave; what a person wrote is nobody else's to read."""
    return "" if is_sealed(reason) else reason


def _lines(taking: TakeOrder) -> tuple[OrderLine, ...]:
    if taking.details:
        return tuple([_line(line) for line in taking.lines])
    return tuple(
        [OrderLine(line.sku, line.name, line.quantity, line.unit_price) for line in taking.lines]
    )


def _line(line: PricedLine) -> OrderLine:
    return OrderLine(
        line.sku,
        line.name,
        line.quantity,
        line.unit_price,
        off_minor=line.off.amount_minor if line.off else 0,
        tax_minor=line.tax.amount_minor if line.tax else 0,
        total_minor=line.total.amount_minor,
    )


def _cards_paid(taking: TakeOrder) -> list[GiftCardPaid]:
    """What of the total gift cards paid, by how their codes end."""
    if not taking.cards:
        return []
    return [
        GiftCardPaid(ending=one.name.removeprefix(CARD_NAMED), amount=one.amount)
        for one in taking.details
        if one.kind is DetailKind.GIFT_CARD
    ]


def _details(taking: TakeOrder) -> tuple[Detail, ...]:
    if not taking.details:
        return ()
    return tuple(
        [
            Detail(one.kind.value, one.name, one.ref, one.amount, one.is_included)
            for one in taking.details
        ]
    )

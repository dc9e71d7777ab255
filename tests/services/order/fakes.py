"""Small working stand-ins for the services around the order service: in memory, idempotent."""

import asyncio
from typing import Any

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call
from emporion.chassis.testing.time import START_MS
from emporion.contracts.catalog import CatalogService, Quote, QuotePrices, Quotes, UnknownSku
from emporion.contracts.inventory import (
    InventoryService,
    Movements,
    OutOfStock,
    Reservation,
    ReservationReleased,
    ReservationStatus,
    Reserve,
    Restock,
    Warehouse,
    WarehouseOf,
)
from emporion.contracts.payment import (
    Charge,
    Payment,
    PaymentDeclined,
    PaymentService,
    PaymentStatus,
    PaymentVoided,
    RefundExceedsCapture,
    RefundPart,
    RefundRefused,
)
from emporion.contracts.pricing import (
    BasketQuote,
    CodeUsedUp,
    DetailKind,
    PriceDetail,
    PricedLine,
    PromotionsUsed,
    QuoteBasket,
    UnknownCode,
    UsePromotions,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import FailedPrecondition, NotFound, Unavailable
from emporion.kernel.ids import OrderId, PaymentId, ReturnId, Sku, UserId
from emporion.kernel.money import CurrencyMismatch, Money

ADA = UserId("usr_" + "a" * 32)
BOB = UserId("usr_" + "b" * 32)
NOW = to_datetime(START_MS)


def neighbours() -> tuple[Any, Any, Any]:
    """Catalogue, inventory and payment: only the methods that the order service calls."""
    kinds: tuple[Any, ...] = (Catalog, Inventory, Payments)
    catalog, inventory, payments = (kind() for kind in kinds)
    return catalog, inventory, payments


def signed_in(user_id: UserId) -> Call:
    """The call of a customer."""
    scopes = frozenset({"orders:read", "orders:write"})
    return Call(identity=Identity(Kind.PERSON, user_id, scopes))


class Catalog(CatalogService):
    """Prices in a dict, and the code HALF for half of it, which counts its uses."""

    def __init__(self) -> None:
        self.prices = {Sku("bread"): Money(250, "EUR"), Sku("tea"): Money(199, "EUR")}
        self.off_bp = 5_000
        self.uses_max = 1
        self.used: set[str] = set()
        self.freed: set[str] = set()

    async def quote_basket(self, request: QuoteBasket) -> BasketQuote:
        skus = list({line.sku: None for line in request.lines})
        quotes = {one.sku: one for one in (await self.quote(QuotePrices(skus=skus))).quotes}
        currency = quotes[skus[0]].price.currency
        if any(one.price.currency != currency for one in quotes.values()):
            raise CurrencyMismatch
        if any(code != "HALF" for code in request.codes):
            raise UnknownCode(code=request.codes[0])
        off_bp = self.off_bp if request.codes else 0
        lines = []
        for line in request.lines:
            price = quotes[line.sku].price
            whole = price.times(line.quantity)
            off = Money(whole.amount_minor * off_bp // 10_000, currency)
            lines.append(
                PricedLine(
                    sku=line.sku,
                    name=quotes[line.sku].name,
                    quantity=line.quantity,
                    unit_price=price,
                    total=whole - off,
                    off=off if off_bp else None,
                )
            )
        total = sum((line.total for line in lines), Money.zero(currency))
        return BasketQuote(
            lines=lines,
            details=_explained(lines, currency) if off_bp else [],
            total=total,
            counted=["half"] if off_bp else [],
        )

    async def use_promotions(self, request: UsePromotions) -> PromotionsUsed:
        if request.order_id in self.freed:
            return PromotionsUsed(is_used=False)
        if request.order_id not in self.used and len(self.used) >= self.uses_max:
            raise CodeUsedUp(promotion_id="half")
        self.used.add(request.order_id)
        return PromotionsUsed(is_used=True)

    async def free_promotions(self, request: UsePromotions) -> PromotionsUsed:
        self.used.discard(request.order_id)
        self.freed.add(request.order_id)
        return PromotionsUsed(is_used=False)

    async def quote(self, request: QuotePrices) -> Quotes:
        unknown = [sku for sku in request.skus if sku not in self.prices]
        if unknown:
            raise UnknownSku(skus=[str(sku) for sku in unknown])
        return Quotes(
            quotes=[Quote(sku=s, name=s.title(), price=self.prices[s]) for s in request.skus]
        )


def _explained(lines: list[PricedLine], currency: str) -> list[PriceDetail]:
    goods = sum((line.unit_price.times(line.quantity) for line in lines), Money.zero(currency))
    off = sum((line.off for line in lines if line.off), Money.zero(currency))
    return [
        PriceDetail(kind=DetailKind.GOODS, name="", ref="", amount=goods),
        PriceDetail(
            kind=DetailKind.PROMOTION, name="Half", ref="half", amount=Money.zero(currency) - off
        ),
    ]


class Inventory(InventoryService):
    """Stock in a dict."""

    def __init__(self) -> None:
        self.stock = {Sku("bread"): 100, Sku("tea"): 100}
        self.held: dict[OrderId, Reserve] = {}
        self.released: set[OrderId] = set()
        self.restocked: dict[ReturnId, Restock] = {}
        self.outages = 0
        self.is_full = False

    async def reserve(self, request: Reserve) -> Reservation:
        if request.order_id in self.released:
            raise ReservationReleased
        if request.order_id not in self.held:
            if any(self.stock.get(line.sku, 0) < line.quantity for line in request.lines):
                raise OutOfStock("not enough", sku=request.lines[0].sku)
            for line in request.lines:
                self.stock[line.sku] -= line.quantity
            self.held[request.order_id] = request
        return _reservation(request)

    async def release(self, request: Reserve) -> Reservation:
        self.released.add(request.order_id)
        held = self.held.pop(request.order_id, None)
        for line in held.lines if held else []:
            self.stock[line.sku] += line.quantity
        return _reservation(request)

    async def warehouse(self, request: WarehouseOf) -> Warehouse:
        if request.warehouse_id != "main":
            raise NotFound
        return Warehouse(warehouse_id=request.warehouse_id, name="Main", priority=1)

    async def restock(self, request: Restock) -> Movements:
        if self.outages:
            self.outages -= 1
            raise Unavailable
        if self.is_full:
            raise FailedPrecondition("no room")
        if request.return_id not in self.restocked:
            self.restocked[request.return_id] = request
            for line in request.lines:
                self.stock[line.sku] += line.quantity
        return Movements(movements=[])


def _reservation(request: Reserve) -> Reservation:
    return Reservation(
        order_id=request.order_id,
        status=ReservationStatus.HELD,
        allocations=[],
        created_at=NOW,
        expires_at=None,
    )


class Payments(PaymentService):
    """Money by order; `tok_declined` is declined, and outages can be counted down."""

    def __init__(self) -> None:
        self.captured: dict[OrderId, int] = {}
        self.voided: set[OrderId] = set()
        self.charges = 0
        self.outages = 0
        self.refunds: dict[str, RefundPart] = {}
        self.entered, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.is_refusing = False

    async def refund_part(self, request: RefundPart) -> Payment:
        if self.outages:
            self.outages -= 1
            raise Unavailable
        if self.is_refusing:
            raise RefundRefused("no", reason="account closed")
        if request.refund_id not in self.refunds:
            left = self.captured.get(request.order_id, 0) - self.refunded(request.order_id)
            if request.amount.amount_minor > left:
                raise RefundExceedsCapture("too much", left_minor=left, currency="EUR")
            self.refunds[request.refund_id] = request
        return _payment(Charge(order_id=request.order_id, user_id=ADA, amount=request.amount))

    def refunded(self, order_id: OrderId) -> int:
        """What went back in parts."""
        return sum(
            each.amount.amount_minor for each in self.refunds.values() if each.order_id == order_id
        )

    async def charge(self, request: Charge) -> Payment:
        self.entered.set()
        await self.gate.wait()
        if self.outages:
            self.outages -= 1
            raise Unavailable
        if request.order_id in self.voided:
            raise PaymentVoided
        if request.payment_token == "tok_declined":
            raise PaymentDeclined("insufficient funds", reason="insufficient_funds")
        if request.order_id not in self.captured:
            self.charges += 1
            self.captured[request.order_id] = request.amount.amount_minor
        return _payment(request)

    async def refund(self, request: Charge) -> Payment:
        self.voided.add(request.order_id)
        self.captured.pop(request.order_id, None)
        return _payment(request)


def _payment(request: Charge) -> Payment:
    return Payment(
        payment_id=PaymentId("pay_" + "0" * 32),
        order_id=request.order_id,
        user_id=request.user_id,
        status=PaymentStatus.CAPTURED,
        amount=request.amount,
        refunded=Money(0, request.amount.currency),
        provider_reference="r",
        created_at=NOW,
        updated_at=NOW,
    )

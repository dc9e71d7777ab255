"""What can be done with a cart: fill it, and order what is in it."""

from collections.abc import Awaitable, Callable

import msgspec

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.idempotency import FingerprintDiffers, once
from emporion.contracts.catalog import CatalogService, QuotePrices
from emporion.contracts.inventory import Line
from emporion.contracts.order import Order
from emporion.contracts.order_carts import (
    AddToCart,
    Cart,
    CartChanged,
    CartFull,
    Checkout,
    EmptyCart,
    SetCartLine,
)
from emporion.contracts.refusals import KeyReused
from emporion.kernel.clock import Clock
from emporion.kernel.ids import Sku, UserId
from emporion.services.order.commands.orders import OrderCommands, fingerprint_of, wishes_of
from emporion.services.order.domain import is_overfull
from emporion.services.order.ports import CartStore
from emporion.services.order.queries.orders import cart_view

CHECKOUT_ATTEMPTS_MAX = 3


class CartCommands:
    """Carts: units per SKU and person."""

    def __init__(
        self, database: Database, carts: CartStore, *, catalog: CatalogService, clock: Clock
    ) -> None:
        self._database = database
        self._carts = carts
        self._catalog = catalog
        self._clock = clock

    async def add(self, request: AddToCart, user_id: UserId) -> Cart:
        """See OrderService.add_to_cart."""
        await self._catalog.quote(QuotePrices(skus=[request.sku]))
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> Cart:
            async def add() -> None:
                await self._carts.add(tx, user_id, {request.sku: request.quantity}, at_ms=now_ms)

            if request.idempotency_key:
                key = f"cart:{user_id}:{request.idempotency_key}"
                content = f"{request.sku} {request.quantity}".encode()
                await once(tx, key, content, now_ms=now_ms, work=add)
            else:
                await add()
            return await self._within_limits(tx, user_id)

        try:
            return await self._database.transaction(work)
        except FingerprintDiffers as error:
            raise KeyReused from error

    async def put(self, request: SetCartLine, user_id: UserId) -> Cart:
        """See OrderService.set_cart_line."""
        if request.quantity:
            await self._catalog.quote(QuotePrices(skus=[request.sku]))
        return await self._set(user_id, request.sku, request.quantity)

    async def remove(self, sku: Sku, user_id: UserId) -> Cart:
        """See OrderService.remove_from_cart."""
        return await self._set(user_id, sku, 0)

    async def lines(self, user_id: UserId) -> dict[Sku, int]:
        """What is in a cart."""

        async def work(tx: Tx) -> dict[Sku, int]:
            return await self._carts.lines(tx, user_id)

        return await self._database.read(work)

    def taking(self, user_id: UserId, seen: dict[Sku, int]) -> Callable[[Tx], Awaitable[None]]:
        """Part of a transaction that empties the cart; raises CartChanged unless it is as seen."""

        async def work(tx: Tx) -> None:
            await self._carts.lock(tx, user_id)
            if await self._carts.lines(tx, user_id) != seen:
                raise CartChanged
            await self._carts.clear(tx, user_id)

        return work

    async def _set(self, user_id: UserId, sku: Sku, quantity: int) -> Cart:
        now_ms = self._clock.now_ms()

        async def work(tx: Tx) -> Cart:
            await self._carts.put(tx, user_id, sku, quantity=quantity, at_ms=now_ms)
            return await self._within_limits(tx, user_id)

        return await self._database.transaction(work)

    async def _within_limits(self, tx: Tx, user_id: UserId) -> Cart:
        lines = await self._carts.lines(tx, user_id)
        if is_overfull(lines):
            raise CartFull
        return cart_view(lines)


class CheckoutCommands:
    """Orders what is in a cart."""

    def __init__(self, carts: CartCommands, orders: OrderCommands) -> None:
        self._carts = carts
        self._orders = orders

    async def checkout(self, request: Checkout, user_id: UserId) -> Order:
        """See OrderService.checkout."""
        key = f"{user_id}:{request.idempotency_key}"
        fingerprint = fingerprint_of([], request.payment_token, wishes_of(request))
        for attempt in range(1, CHECKOUT_ATTEMPTS_MAX + 1):
            # The first request emptied the cart: a repeated one must not find it empty and fail.
            known = await self._orders.repeated(key, fingerprint)
            if known is not None:
                return known
            try:
                return await self._take(request, user_id, key=key, fingerprint=fingerprint)
            except (CartChanged, EmptyCart):
                # A parallel repetition may have taken the cart just now: look again.
                if attempt == CHECKOUT_ATTEMPTS_MAX:
                    raise
        raise CartChanged

    async def _take(
        self, request: Checkout, user_id: UserId, *, key: str, fingerprint: bytes
    ) -> Order:
        seen = await self._carts.lines(user_id)
        if not seen:
            raise EmptyCart
        lines = [Line(sku=sku, quantity=units) for sku, units in seen.items()]
        taking = await self._orders.priced(lines, request, user_id)
        return await self._orders.take(
            msgspec.structs.replace(taking, is_from_cart=True),
            key=key,
            fingerprint=fingerprint,
            also=self._carts.taking(user_id, seen),
        )

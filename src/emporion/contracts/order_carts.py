"""Carts and their checkout: messages of `contracts.order`."""

from typing import Annotated

from msgspec import Meta, field

from emporion.contracts.contract import Reply, Request
from emporion.contracts.inventory import Line
from emporion.contracts.payment_tokens import Paying
from emporion.contracts.pricing import Codes, Country, DeliveryRef
from emporion.contracts.words import IdempotencyKey, OptionalKey, Quantity, Sku
from emporion.kernel.errors import Conflict, FailedPrecondition

CartQuantity = Annotated[int, Meta(ge=0, le=10_000, description="Units, 0..10000; 0 removes.")]


class EmptyCart(FailedPrecondition):
    """There is nothing to check out."""

    slug = "empty-cart"
    title = "The cart is empty"


class CartChanged(Conflict):
    """The cart was changed while it was checked out, whenever that was tried."""

    slug = "cart-changed"
    title = "The cart was changed while it was checked out"


class CartFull(FailedPrecondition):
    """A cart has at most 200 lines of at most 10,000 units."""

    slug = "cart-full"
    title = "The cart is full"


class GetCart(Request, frozen=True, kw_only=True):
    """No parameters: the caller's cart."""


class AddToCart(Request, frozen=True, kw_only=True):
    """Add units to what is in the cart; a repeated `idempotency_key` adds once."""

    idempotency_key: OptionalKey = ""
    sku: Sku
    quantity: Quantity = 1


class SetCartLine(Request, frozen=True, kw_only=True):
    """Set the units of a SKU in the cart; 0 removes the line."""

    sku: Sku
    quantity: CartQuantity


class RemoveFromCart(Request, frozen=True, kw_only=True):
    """Which line to remove."""

    sku: Sku


class Cart(Reply, frozen=True, kw_only=True):
    """The caller's cart, in the order in which the SKUs were first added."""

    lines: list[Line]


class Checkout(Paying, frozen=True, kw_only=True):
    """Order what is in the cart; the cart is emptied in the same transaction."""

    idempotency_key: IdempotencyKey
    codes: Codes = field(default_factory=list)
    country: Country = ""
    delivery: DeliveryRef = ""

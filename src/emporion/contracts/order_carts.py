"""Carts and their checkout: messages of `contracts.order`."""

from typing import Annotated, Protocol

from msgspec import Meta, field

from emporion.contracts.catalog import UnknownSku
from emporion.contracts.contract import (
    Message,
    Reply,
    Request,
    Service,
    command,
    delete,
    get,
    owner,
    post,
    put,
    query,
)
from emporion.contracts.giftcard import GiftCardCodes
from emporion.contracts.giftcard_refusals import UNPAYABLE
from emporion.contracts.inventory import Line
from emporion.contracts.payment_tokens import Paying
from emporion.contracts.pricing import Codes, Country, DeliveryRef
from emporion.contracts.refusals import KeyReused
from emporion.contracts.words import IdempotencyKey, OptionalKey, Quantity, Sku
from emporion.kernel.errors import Conflict, FailedPrecondition
from emporion.kernel.money import CurrencyMismatch, Money

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


class Ordering(Paying, frozen=True, kw_only=True):
    """How to buy. Gift cards pay first, in the order of their codes; the token pays the rest.

    It may be left out when nothing is left for it to pay.
    """

    idempotency_key: IdempotencyKey
    codes: Codes = field(default_factory=list)
    country: Country = ""
    delivery: DeliveryRef = ""
    gift_cards: GiftCardCodes = field(default_factory=list)


class Checkout(Ordering, frozen=True, kw_only=True):
    """Order what is in the cart; the cart is emptied in the same transaction."""


class SplitTotal(Request, frozen=True, kw_only=True):
    """A total, and the codes of gift cards that somebody wants to pay it with."""

    total: Money
    gift_cards: Annotated[GiftCardCodes, Meta(min_length=1)]


class GiftCardPays(Message, frozen=True, kw_only=True):
    """What a card would pay now; `ending`: the last four characters of its code."""

    ending: str
    balance: Money
    pays: Money


class GiftCardPaid(Message, frozen=True, kw_only=True):
    """What a card paid of an order; `ending`: the last four characters of its code."""

    ending: str
    amount: Money


class TotalSplit(Reply, frozen=True, kw_only=True):
    """Each card once, in the order of the codes; `rest`: what is left for the payment token."""

    cards: list[GiftCardPays]
    rest: Money


_READ, _WRITE = owner("orders:read"), owner("orders:write")


class CartsOfCustomers(Service, Protocol):
    """The part of `OrderService` that is about carts."""

    @query(access=_READ, rest=get("/api/cart"))
    async def get_cart(self, request: GetCart) -> Cart:
        """The caller's cart."""

    @command(
        access=_WRITE,
        key="idempotency_key",
        is_key_required=False,
        rest=post("/api/cart/items"),
        raises=(UnknownSku, CartFull, KeyReused),
    )
    async def add_to_cart(self, request: AddToCart) -> Cart:
        """Add units to the cart. Concurrent adds all count.

        Raises UnknownSku or CartFull; KeyReused when the key was used for another add.
        """

    @command(
        access=_WRITE,
        key="sku",
        rest=put("/api/cart/items/{sku}"),
        raises=(UnknownSku, CartFull),
    )
    async def set_cart_line(self, request: SetCartLine) -> Cart:
        """Set the units of a SKU. Raises UnknownSku or CartFull."""

    @command(access=_WRITE, key="sku", rest=delete("/api/cart/items/{sku}"))
    async def remove_from_cart(self, request: RemoveFromCart) -> Cart:
        """Remove a line. Succeeds when it is not there."""

    @command(
        access=_WRITE, rest=post("/api/cart/gift-cards"), raises=(CurrencyMismatch, *UNPAYABLE)
    )
    async def split_total(self, request: SplitTotal) -> TotalSplit:
        """What gift cards would pay of a total now. Takes nothing, and promises nothing.

        Codes that do not exist are counted, as those of an order are. Raises UnknownGiftCard,
        GiftCardExpired, GiftCardVoid, GiftCardNotEnough, TooManyCodes, NoGiftCardKey, or
        CurrencyMismatch for a card in another currency.
        """

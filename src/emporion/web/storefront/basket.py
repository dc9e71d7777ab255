"""What a visitor means to buy: in a cookie until somebody signs in, then in the account's cart."""

import hashlib
import logging
import re
from collections.abc import Sequence
from typing import Final

from emporion.contracts.catalog import CatalogService
from emporion.contracts.inventory import Line
from emporion.contracts.order import OrderService
from emporion.contracts.order_carts import (
    AddToCart,
    CartFull,
    GetCart,
    RemoveFromCart,
    SetCartLine,
)
from emporion.contracts.pricing import PriceBasket
from emporion.kernel.errors import EmporionError, Unauthenticated
from emporion.kernel.ids import Sku
from emporion.web.forms import message
from emporion.web.visit import Visit

_log = logging.getLogger(__name__)
COOKIE: Final = "basket"
KEPT_S: Final = 30 * 24 * 3_600
GUEST_LINES_MAX: Final = 30
"""What fits into a cookie; an account's cart takes more."""
UNITS_MAX: Final = 10_000
_LINE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\*([1-9][0-9]{0,4})")


async def lines_of(visit: Visit) -> list[Line]:
    """The lines, in the order in which they were first added. Raises Unavailable and its like."""
    if visit.is_signed_in:
        try:
            cart = await visit.ask(OrderService).get_cart(GetCart())
        except Unauthenticated:
            return []  # the session has ended meanwhile; whoever checks out signs in again
        return cart.lines
    return _guest_lines(visit)


async def add(visit: Visit, request: AddToCart) -> None:
    """Add units. Raises UnknownSku or CartFull."""
    if visit.is_signed_in:
        _ = await visit.ask(OrderService).add_to_cart(request)
        return
    wanted = PriceBasket(lines=[Line(sku=request.sku, quantity=request.quantity)])
    _ = await visit.ask(CatalogService).price_basket(wanted)
    units = {line.sku: line.quantity for line in _guest_lines(visit)}
    units[request.sku] = units.get(request.sku, 0) + request.quantity
    _keep(visit, units)


async def put(visit: Visit, request: SetCartLine) -> None:
    """Set the units of a line; 0 removes it. Raises UnknownSku or CartFull."""
    if visit.is_signed_in and request.quantity:
        _ = await visit.ask(OrderService).set_cart_line(request)
    elif visit.is_signed_in:
        _ = await visit.ask(OrderService).remove_from_cart(RemoveFromCart(sku=request.sku))
    else:
        units = {line.sku: line.quantity for line in _guest_lines(visit)}
        units[request.sku] = request.quantity
        _keep(visit, {sku: count for sku, count in units.items() if count})


async def adopt(visit: Visit) -> None:
    """Put what a guest chose into the cart of the account that was just signed in to.

    Each line once, however often the form is sent. What cannot be put there is left out; when the
    cart does not answer, it stays in the cookie for the next time.
    """
    lines = _guest_lines(visit)
    if not lines:
        return
    own = f"{visit.guard}:{visit.cookies[COOKIE]}"
    key = hashlib.sha256(own.encode()).hexdigest()[:32]
    if await put_back(visit, lines, key=f"guest-{key}"):
        _ = visit.drop(COOKIE)


async def put_back(visit: Visit, lines: list[Line], *, key: str) -> bool:
    """Add lines to the account's cart, once for a key; whether the cart answered."""
    orders = visit.ask(OrderService)
    for number, line in enumerate(lines):
        try:
            _ = await orders.add_to_cart(
                AddToCart(
                    idempotency_key=f"{key}-{number}", sku=Sku(line.sku), quantity=line.quantity
                )
            )
        except EmporionError as error:
            _log.info("a line cannot be put into the cart: %s", error.slug)
            if not error.is_outcome_known:
                return False
    return True


def written(lines: Sequence[Line]) -> str:
    """Lines as a text: `croissant*2~scone*1`."""
    return "~".join(f"{line.sku}*{line.quantity}" for line in lines)


def read(text: str) -> list[Line]:
    """The lines of such a text; what is malformed is left out."""
    found = [match for part in text.split("~") if (match := _LINE.fullmatch(part))]
    return [Line(sku=Sku(match[1]), quantity=min(int(match[2]), UNITS_MAX)) for match in found]


def wish(visit: Visit) -> AddToCart:
    """What the form of a product asks for. Raises InvalidArgument."""
    form = visit.form
    return message(
        AddToCart,
        idempotency_key=form.text("key"),
        sku=form.text("sku"),
        quantity=form.text("quantity") or "1",
    )


def _guest_lines(visit: Visit) -> list[Line]:
    return read(visit.cookies.get(COOKIE, ""))[:GUEST_LINES_MAX]


def _keep(visit: Visit, units: dict[Sku, int]) -> None:
    if len(units) > GUEST_LINES_MAX:
        raise CartFull(f"sign in to put more than {GUEST_LINES_MAX} things into the cart")
    if max(units.values(), default=0) > UNITS_MAX:
        raise CartFull(f"at most {UNITS_MAX} units of a thing")
    if not units:
        _ = visit.drop(COOKIE)
        return
    lines = [Line(sku=sku, quantity=count) for sku, count in units.items()]
    visit.keep(COOKIE, written(lines), max_age_s=KEPT_S)

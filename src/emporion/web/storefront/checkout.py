"""The checkout: where it goes, how it is paid, one order however often the form is sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.catalog import CatalogService
from emporion.contracts.inventory import Line
from emporion.contracts.order import Order, OrderService
from emporion.contracts.order_carts import CartChanged, Checkout, EmptyCart
from emporion.contracts.pricing import (
    CodeNotApplicable,
    CodeUsedUp,
    DeliveryOption,
    ListDeliveries,
    NoDelivery,
    UnknownCode,
)
from emporion.contracts.refusals import KeyReused
from emporion.kernel.errors import (
    EmporionError,
    InvalidArgument,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from emporion.web.forms import message
from emporion.web.storefront import basket
from emporion.web.storefront.countries import COUNTRIES
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.pricing import Priced, Wishes, price
from emporion.web.storefront.refusals import said_of
from emporion.web.visit import Visit

KEY_BYTES: Final = 16
FIELDS: Final = ("country", "delivery", "payment", "code")
_OF_CODE: Final = (UnknownCode, CodeNotApplicable, CodeUsedUp)
_OF_REQUEST: Final = (InvalidArgument, ResourceExhausted)
"""Refusals of one request: they decide nothing about an order that the key may have made before."""


@dataclass(frozen=True, slots=True)
class PaymentChoice:
    """A way to pay that the page offers: the provider's token for it, and what it is called."""

    token: str
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the form holds. `seen` are the lines that it showed; the key makes it one order.

    `live` is the cart. When it is empty, an order under the key may have taken it.
    """

    key: str
    wishes: Wishes
    payment: str
    seen: str
    live: Sequence[Line]

    @classmethod
    def of(cls, visit: Visit, live: Sequence[Line]) -> "_Chosen":
        form = visit.form
        wishes = Wishes(form.text("code"), form.text("country"), form.text("delivery"))
        return cls(form.text("key"), wishes, form.text("payment"), form.text("seen"), live)

    @property
    def lines(self) -> Sequence[Line]:
        """What the form is about, also when the cart was taken already."""
        return self.live or basket.read(self.seen)

    def with_new_key(self, visit: Visit) -> "_Chosen":
        """For another try: an outcome that is known is replayed under the old key."""
        return replace(self, key=visit.site.runtime.random.token(KEY_BYTES))


@dataclass(frozen=True, slots=True)
class _Shown:
    """The checkout as it is shown: prices, deliveries, and what is wrong with which field."""

    lines: Sequence[Line]
    priced: Priced
    deliveries: Sequence[DeliveryOption]
    wrong: dict[str, str]


class CheckoutPages:
    """The checkout of an account's cart.

    Args:
        goods: names and pictures of lines.
        payments: the ways to pay; without any, the provider's token is asked for.
    """

    def __init__(self, goods: Goods, payments: Sequence[PaymentChoice]) -> None:
        self._goods = goods
        self._payments = payments

    async def checkout(self, visit: Visit) -> Response:
        """The form, empty. Raises Unauthenticated for a guest: then back here."""
        if not visit.is_signed_in:
            raise Unauthenticated
        payment = self._payments[0].token if self._payments else ""
        live = await basket.lines_of(visit)
        chosen = _Chosen("", Wishes(), payment, "", live).with_new_key(visit)
        return await self._form(visit, chosen)

    async def order(self, visit: Visit) -> Response:
        """Order what the form showed, or only price it anew.

        A refusal is said on the same page: the cart and all that was filled in are still there.
        """
        chosen = _Chosen.of(visit, await basket.lines_of(visit))
        if visit.form.text("action") != "order":
            return await self._form(visit, chosen)
        if chosen.live and basket.written(chosen.live) != chosen.seen:
            return await self._form(visit, chosen, refusal=CartChanged())
        wrong = await self._missing(visit, chosen)
        if wrong:
            return await self._form(visit, chosen, wrong=wrong)
        try:
            placed = await self._place(visit, chosen)
        except EmptyCart:
            return visit.redirect("/cart")
        except Unauthenticated:
            raise
        except EmporionError as refusal:
            return await self._refused(visit, chosen, refusal)
        return visit.redirect(f"/orders/{placed.order_id}")

    async def _place(self, visit: Visit, chosen: _Chosen) -> Order:
        return await visit.ask(OrderService).checkout(
            message(
                Checkout,
                idempotency_key=chosen.key,
                payment_token=chosen.payment,
                codes=[chosen.wishes.code] if chosen.wishes.code else [],
                country=chosen.wishes.country,
                delivery=chosen.wishes.delivery,
            )
        )

    async def _refused(self, visit: Visit, chosen: _Chosen, refusal: EmporionError) -> Response:
        """Put the cart back, once, if the order had taken it; then say what was wrong.

        While the outcome is unknown the key stays, and so do the lines, whatever became of the
        cart: sending again asks for that order. With other wishes it would be another one.
        """
        if isinstance(refusal, KeyReused):
            if not chosen.live:
                return visit.redirect("/orders")  # the one that has the key and the cart is there
            return await self._form(visit, chosen.with_new_key(visit), refusal=refusal)
        if not chosen.live and isinstance(refusal, ResourceExhausted):
            refusal = Unavailable()  # this one did nothing, but the one before may have
        if not refusal.is_outcome_known or isinstance(refusal, _OF_REQUEST):
            return await self._form(visit, chosen, refusal=refusal)
        if not await basket.lines_of(visit):
            _ = await basket.put_back(visit, basket.read(chosen.seen), key=f"back-{chosen.key}")
        anew = replace(chosen.with_new_key(visit), seen="", live=await basket.lines_of(visit))
        return await self._form(visit, anew, refusal=refusal)

    async def _missing(self, visit: Visit, chosen: _Chosen) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if chosen.wishes.country not in COUNTRIES:
            wrong["country"] = "Choose the country that it goes to."
        elif not chosen.wishes.delivery and await self._deliveries(visit, chosen.wishes.country):
            wrong["delivery"] = "Choose a way of delivery."
        if not chosen.payment:
            wrong["payment"] = "Choose how to pay."
        return wrong

    async def _form(
        self,
        visit: Visit,
        chosen: _Chosen,
        *,
        refusal: EmporionError | None = None,
        wrong: dict[str, str] | None = None,
    ) -> Response:
        lines = chosen.lines
        if not lines:
            return visit.redirect("/cart")
        shown = await self._look(visit, chosen.wishes, lines)
        wrong = {**shown.wrong, **(wrong or {})}
        said = None
        if refusal is not None:
            field = _field_of(refusal)
            if field:
                wrong[field] = f"{refusal.title}."
            else:
                said = said_of(refusal, shown.priced)
        failed = 400 if wrong and visit.form.text("action") == "order" else 200
        return await visit.show(
            "checkout.html",
            failed if refusal is None else status_of(refusal),
            chosen=chosen,
            seen=basket.written(lines),
            priced=shown.priced,
            deliveries=shown.deliveries,
            countries=COUNTRIES,
            payments=self._payments,
            wrong=dict.fromkeys(FIELDS, "") | wrong,
            is_wrong=bool(wrong),
            said=said,
        )

    async def _look(self, visit: Visit, wishes: Wishes, lines: Sequence[Line]) -> _Shown:
        """Prices with as many of the wishes as can be granted; the others are said."""
        wrong: dict[str, str] = {}
        deliveries = await self._deliveries(visit, wishes.country)
        if wishes.delivery not in {option.delivery_id for option in deliveries}:
            wishes = replace(wishes, delivery="")
        if wishes.country not in COUNTRIES:
            wishes = replace(wishes, country="")
        while True:
            try:
                priced = await price(visit, self._goods, lines, wishes=wishes)
            except (*_OF_CODE, InvalidArgument) as error:
                if not wishes.code:
                    raise
                wrong["code"] = f"{error.title}."
                wishes = replace(wishes, code="")
            except NoDelivery as error:
                wrong["delivery"] = f"{error.title}."
                wishes = replace(wishes, delivery="")
            else:
                return _Shown(lines, priced, deliveries, wrong)

    async def _deliveries(self, visit: Visit, country: str) -> list[DeliveryOption]:
        """The ways of delivery to a country; all of them before one was chosen."""
        found = await visit.ask(CatalogService).list_deliveries(ListDeliveries())
        return [
            option
            for option in found.deliveries
            if not option.is_archived
            and (not option.countries or not country or country in option.countries)
        ]


def _field_of(refusal: EmporionError) -> str:
    """The field that a refusal is about; empty when it is about the order."""
    if isinstance(refusal, _OF_CODE):
        return "code"
    if isinstance(refusal, NoDelivery):
        return "delivery"
    field = str(refusal.fields.get("field", ""))
    return {"codes[0]": "code", "payment_token": "payment"}.get(field, "")

"""The checkout: where it goes, how it is paid, one order however often the form is sent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.catalog import CatalogService
from emporion.contracts.giftcard_refusals import UNPAYABLE
from emporion.contracts.inventory import Line
from emporion.contracts.order import Order, OrderService
from emporion.contracts.order_carts import CartChanged, Checkout, EmptyCart
from emporion.contracts.payment_tokens import NoPaymentToken
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
from emporion.kernel.money import Money
from emporion.web.forms import message
from emporion.web.storefront import basket
from emporion.web.storefront.chosen import NOTHING, Chosen
from emporion.web.storefront.countries import COUNTRIES
from emporion.web.storefront.gift_cards import Tender, tendered, unsure
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.pricing import Priced, Wishes, price
from emporion.web.storefront.refusals import SPLIT_ANEW, Said, said_of
from emporion.web.visit import Visit

FIELDS: Final = ("country", "delivery", "payment", "code", "gift_card")
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
class _Shown:
    """The checkout as it is shown: prices, deliveries, and what is wrong with which field."""

    lines: Sequence[Line]
    priced: Priced
    tender: Tender
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
        chosen = Chosen("", Wishes(), payment, "", live).with_new_key(visit)
        return await self._form(visit, chosen)

    async def order(self, visit: Visit) -> Response:
        """Order what the form showed, or only price it anew.

        A refusal is said on the same page: the cart and all that was filled in are still there.
        """
        chosen = Chosen.of(visit, await basket.lines_of(visit))
        unready = await self._unready(visit, chosen)
        if unready is not None:
            return unready
        try:
            placed = await self._place(visit, chosen)
        except EmptyCart:
            return visit.redirect("/cart")
        except Unauthenticated:
            raise
        except EmporionError as refusal:
            return await self._refused(visit, chosen, refusal)
        return visit.redirect(f"/orders/{placed.order_id}")

    async def _unready(self, visit: Visit, chosen: Chosen) -> Response | None:
        """The form again, when it was not sent to order, or not as the shop stands."""
        if visit.form.text("action") != "order" or chosen.typed:
            return await self._form(visit, chosen)
        if chosen.live and basket.written(chosen.live) != chosen.seen:
            return await self._form(visit, chosen, refusal=CartChanged())
        wrong = await self._missing(visit, chosen)
        if wrong:
            return await self._form(visit, chosen, wrong=wrong)
        if chosen.cards and chosen.live:  # nobody pays more than the form said
            tender = (await self._look(visit, chosen)).tender
            if chosen.rest != str(tender.rest.amount_minor):
                return await self._form(visit, chosen, said=SPLIT_ANEW)
        return None

    async def _place(self, visit: Visit, chosen: Chosen) -> Order:
        return await visit.ask(OrderService).checkout(
            message(
                Checkout,
                idempotency_key=chosen.key,
                payment_token=chosen.token,
                codes=[chosen.wishes.code] if chosen.wishes.code else [],
                country=chosen.wishes.country,
                delivery=chosen.wishes.delivery,
                gift_cards=list(chosen.cards),
            )
        )

    async def _refused(self, visit: Visit, chosen: Chosen, refusal: EmporionError) -> Response:
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
        if not refusal.is_outcome_known:
            chosen = replace(chosen, live=())  # the order may have it, and what is on the cards
        if not refusal.is_outcome_known or isinstance(refusal, _OF_REQUEST):
            return await self._form(visit, chosen, refusal=refusal)
        if not await basket.lines_of(visit):
            _ = await basket.put_back(visit, basket.read(chosen.seen), key=f"back-{chosen.key}")
        anew = replace(chosen.with_new_key(visit), seen="", live=await basket.lines_of(visit))
        return await self._form(visit, anew, refusal=refusal)

    async def _missing(self, visit: Visit, chosen: Chosen) -> dict[str, str]:
        wrong: dict[str, str] = {}
        if chosen.wishes.country not in COUNTRIES:
            wrong["country"] = "Choose the country that it goes to."
        elif not chosen.wishes.delivery and await self._deliveries(visit, chosen.wishes.country):
            wrong["delivery"] = "Choose a way of delivery."
        if not chosen.payment and not (chosen.cards and chosen.rest == NOTHING):
            wrong["payment"] = "Choose how to pay."
        return wrong

    async def _form(
        self,
        visit: Visit,
        chosen: Chosen,
        *,
        refusal: EmporionError | None = None,
        wrong: dict[str, str] | None = None,
        said: Said | None = None,
    ) -> Response:
        lines = chosen.lines
        if not lines:
            return visit.redirect("/cart")
        shown = await self._look(visit, chosen)
        wrong = {**shown.wrong, **(wrong or {})}
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
            tender=shown.tender,
            deliveries=shown.deliveries,
            countries=COUNTRIES,
            payments=self._payments,
            wrong=dict.fromkeys(FIELDS, "") | wrong,
            is_wrong=bool(wrong),
            said=said,
        )

    async def _look(self, visit: Visit, chosen: Chosen) -> _Shown:
        """Prices with as many of the wishes as can be granted; the others are said."""
        wrong: dict[str, str] = {}
        wishes, lines = chosen.wishes, chosen.lines
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
                tender = await self._tender(visit, chosen, priced)
                wrong |= {"gift_card": tender.wrong} if tender.wrong else {}
                return _Shown(lines, priced, tender, deliveries, wrong)

    async def _tender(self, visit: Visit, chosen: Chosen, priced: Priced) -> Tender:
        """What the gift cards pay; of a form whose order may have spent them, what it said."""
        total = priced.quote.total if priced.quote else Money.zero("EUR")
        if not chosen.live:
            is_said = chosen.rest.isascii() and chosen.rest.isdigit()
            rest = Money(int(chosen.rest[:12]), total.currency) if is_said else total
            return unsure(chosen.cards, rest)
        return await tendered(visit, chosen.cards, chosen.typed, total=total)

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
    if isinstance(refusal, NoPaymentToken):
        return "payment"
    if isinstance(refusal, UNPAYABLE):
        return "gift_card"
    field = str(refusal.fields.get("field", ""))
    return {"codes[0]": "code", "payment_token": "payment"}.get(field, "")

"""The cart: look at it, add to it, change it."""

from typing import Final

from emporion.chassis.http.exchange import Response
from emporion.chassis.http.problem import status_of
from emporion.contracts.catalog import CatalogService, GetProduct
from emporion.contracts.order_carts import SetCartLine
from emporion.kernel.errors import EmporionError, Internal, Unauthenticated
from emporion.kernel.ids import ProductId
from emporion.web.forms import message
from emporion.web.storefront import basket
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.pricing import price
from emporion.web.storefront.stock import FEW, left_of
from emporion.web.visit import Visit

KEY_BYTES: Final = 16


class CartPages:
    """The cart of a guest or of an account."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods

    async def cart(self, visit: Visit) -> Response:
        """What is in the cart, at today's prices."""
        return await self._shown(visit)

    async def add(self, visit: Visit) -> Response:
        """Add units of a variant; then the cart, or for htmx the form with a word of success."""
        try:
            await basket.add(visit, basket.wish(visit))
        except (Internal, Unauthenticated):
            raise
        except EmporionError as refusal:
            if visit.is_partial:
                return await self._bought(visit, refusal)
            return await self._shown(visit, refusal)
        if visit.is_partial:
            return await self._bought(visit, None)
        return visit.redirect("/cart")

    async def change(self, visit: Visit) -> Response:
        """Set the units of a line, or remove it."""
        is_removed = bool(visit.form.text("remove"))
        try:
            await basket.put(
                visit,
                message(
                    SetCartLine,
                    sku=visit.path["sku"],
                    quantity="0" if is_removed else visit.form.text("quantity"),
                ),
            )
        except (Internal, Unauthenticated):
            raise
        except EmporionError as refusal:
            return await self._shown(visit, refusal)
        return await self._shown(visit) if visit.is_partial else visit.redirect("/cart")

    async def _shown(self, visit: Visit, refusal: EmporionError | None = None) -> Response:
        """The cart; a refusal is said beside it, with nothing lost."""
        lines = await basket.lines_of(visit)
        status = 200
        try:
            priced = await price(visit, self._goods, lines)
        except EmporionError as error:
            if not error.is_outcome_known:
                raise
            refusal, priced = error, None
        if refusal is not None and not visit.is_partial:
            status = status_of(refusal)
        units = sum(line.quantity for line in lines)
        if visit.is_partial:
            return visit.part(
                "cart_part.html", priced=priced, refusal=refusal, cart_units=units, is_oob=True
            )
        return await visit.show("cart.html", status, priced=priced, refusal=refusal)

    async def _bought(self, visit: Visit, refusal: EmporionError | None) -> Response:
        """The form of a product once more, with a new key: adding again adds again."""
        product = await visit.ask(CatalogService).get_product(
            message(GetProduct, product_id=ProductId(visit.form.text("product_id")))
        )
        units = sum(line.quantity for line in await basket.lines_of(visit))
        return visit.part(
            "buy.html",
            product=product,
            left=await left_of(visit, product.variants),
            few=FEW,
            chosen=visit.form.text("sku"),
            form_key=visit.site.runtime.random.token(KEY_BYTES),
            said=refusal.title if refusal is not None else "It is in your cart",
            is_refused=refusal is not None,
            cart_units=units,
        )

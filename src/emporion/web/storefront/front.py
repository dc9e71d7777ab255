"""The storefront put together: every page and every form of it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from emporion.chassis.http.routes import Route
from emporion.kernel.errors import EmporionError
from emporion.web.assets import AssetRoute
from emporion.web.site import Ground, Site
from emporion.web.storefront import basket
from emporion.web.storefront.account import AccountPages
from emporion.web.storefront.cart import CartPages
from emporion.web.storefront.catalogue import CataloguePages
from emporion.web.storefront.checkout import CheckoutPages, PaymentChoice
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.orders import OrderPages
from emporion.web.storefront.paths import HOME
from emporion.web.storefront.pictures import PictureRoute
from emporion.web.visit import Visit

_log = logging.getLogger(__name__)
TEMPLATES: Final = Path(__file__).parent / "templates"


class Storefront:
    """The storefront: its routes, and `site`, which also refuses what is not there.

    Args:
        ground: see Ground.
        payments: the ways to pay that the checkout offers.
    """

    def __init__(self, ground: Ground, payments: Sequence[PaymentChoice] = ()) -> None:
        self.site = site = Site(ground, [TEMPLATES], around=self._around)
        goods = Goods()
        catalogue = CataloguePages(goods)
        cart = CartPages(goods)
        account = AccountPages()
        checkout = CheckoutPages(goods, payments)
        orders = OrderPages(goods)
        routes: list[Route] = [
            site.page(HOME, catalogue.catalogue),
            AssetRoute(site.assets),
            PictureRoute(),
            site.page("/products/{product_id}", catalogue.product),
            site.page("/cart", cart.cart),
            site.form("/cart/items", cart.add),
            site.form("/cart/items/{sku}", cart.change),
            site.page("/checkout", checkout.checkout),
            site.form("/checkout", checkout.order),
            site.page("/orders", orders.orders),
            site.page("/orders/{order_id}", orders.order),
            site.page("/orders/{order_id}/live", orders.live),
            site.form("/orders/{order_id}/cancel", orders.cancel),
            site.form("/orders/{order_id}/again", orders.again),
            site.page("/sign-in", account.sign_in_page),
            site.form("/sign-in", account.sign_in),
            site.page("/sign-up", account.sign_up_page),
            site.form("/sign-up", account.sign_up),
            site.form("/sign-out", account.sign_out),
        ]
        self._routes = {(route.verb, route.path): route for route in routes}

    def route(self, verb: str, path: str) -> Route:
        """The route of a verb and a template of `paths`."""
        return self._routes[verb, path]

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Verb and template of every route."""
        return list(self._routes)

    async def _around(self, visit: Visit) -> dict[str, Any]:
        """How many units are in the cart, for the bar on top; unknown while nobody answers."""
        try:
            lines = await basket.lines_of(visit)
        except EmporionError as error:
            _log.info("the cart cannot be counted: %s", error.slug)
            return {}
        return {"cart_units": sum(line.quantity for line in lines)}

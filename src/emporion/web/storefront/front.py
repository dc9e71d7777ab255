"""The storefront put together: every page and every form of it."""

from pathlib import Path
from typing import Any, Final

from emporion.chassis.http.routes import Route
from emporion.web.assets import AssetRoute
from emporion.web.site import Ground, Site
from emporion.web.storefront.catalogue import CataloguePages
from emporion.web.storefront.goods import Goods
from emporion.web.storefront.pictures import PictureRoute
from emporion.web.visit import Visit

TEMPLATES: Final = Path(__file__).parent / "templates"


class Storefront:
    """The storefront: `routes` to be served, and `site`, which also refuses what is not there."""

    def __init__(self, ground: Ground) -> None:
        self.site = site = Site(ground, [TEMPLATES], around=self._around)
        goods = Goods()
        catalogue = CataloguePages(goods)
        self.home = site.page("/", catalogue.catalogue)
        self.routes: list[Route] = [
            AssetRoute(site.assets),
            PictureRoute(),
            site.page("/products/{product_id}", catalogue.product),
        ]

    async def _around(self, visit: Visit) -> dict[str, Any]:
        """How many units are in the cart, for the bar on top."""
        return {}

"""The catalogue and a product: what is on sale, and what goes with it."""

import asyncio
import logging
from typing import Any, Final

from emporion.chassis.http.exchange import Response
from emporion.contracts.catalog import (
    CatalogService,
    GetProduct,
    ListProducts,
    Product,
)
from emporion.contracts.recommendation import Reason, RecommendationService, RecommendFor
from emporion.contracts.refusals import UnknownCursor
from emporion.kernel.errors import EmporionError, NotFound
from emporion.web.forms import message
from emporion.web.storefront.goods import Goods, SoldAs
from emporion.web.storefront.stock import FEW, left_of
from emporion.web.visit import Visit

_log = logging.getLogger(__name__)
PER_PAGE: Final = 12
OPTIONAL_S: Final = 0.5
"""So long a page waits for what it can do without."""
GOES_WITH_MAX: Final = 4
KEY_BYTES: Final = 16


class CataloguePages:
    """Browsing. Stock hints and recommendations may be missing: the page stands without them."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods

    async def catalogue(self, visit: Visit) -> Response:
        """Products by name, or those that were searched for."""
        search, category = visit.query.text("q"), visit.query.text("category")
        wanted = message(
            ListProducts,
            search=search[:100],
            category=category[:100],
            limit=PER_PAGE,
            cursor=visit.query.text("cursor"),
        )
        try:
            page = await visit.ask(CatalogService).list_products(wanted)
        except UnknownCursor:
            return visit.redirect("/")
        self._goods.learn(page.products)
        template = "results.html" if visit.is_partial else "catalogue.html"
        values: dict[str, Any] = {
            "page": page,
            "search": search,
            "category": category,
            "is_first": not wanted.cursor,
        }
        if visit.is_partial:
            return visit.part(template, **values)
        return await visit.show(template, **values)

    async def product(self, visit: Visit) -> Response:
        """A product with its variants, and what is bought with it. Raises NotFound."""
        product = await visit.ask(CatalogService).get_product(
            message(GetProduct, product_id=visit.path["product_id"])
        )
        if product.is_archived:
            raise NotFound("this is not sold any more")
        self._goods.learn([product])
        left, goes_with = await asyncio.gather(
            left_of(visit, product.variants), self._goes_with(visit, product)
        )
        return await visit.show(
            "product.html",
            product=product,
            left=left,
            few=FEW,
            goes_with=goes_with,
            form_key=visit.site.runtime.random.token(KEY_BYTES),
        )

    async def _goes_with(self, visit: Visit, product: Product) -> list[tuple[SoldAs, bool]]:
        """Other products, and whether each is bought together with this one."""
        own = {variant.sku for variant in product.variants}
        wanted = RecommendFor(sku=product.variants[0].sku, limit=GOES_WITH_MAX + len(own))
        try:
            recommended = await visit.ask(RecommendationService, timeout_s=OPTIONAL_S).recommend(
                wanted
            )
            together = {
                it.sku: it.reason is Reason.BOUGHT_TOGETHER
                for it in recommended.recommended
                if it.sku not in own
            }
            sold = await self._goods.find(visit, list(together))
        except EmporionError as error:
            _log.info("recommendations are missing: %s", error.slug)
            return []
        shown: dict[str, tuple[SoldAs, bool]] = {}
        for sku, it in sold.items():
            shown.setdefault(it.product_id, (it, together[sku]))
        return list(shown.values())[:GOES_WITH_MAX]

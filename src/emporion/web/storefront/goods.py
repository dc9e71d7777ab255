"""Which product a SKU belongs to: for links and pictures, never for prices."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from emporion.contracts.catalog import CatalogService, ListProducts, Product
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import ProductId, Sku
from emporion.web.visit import Visit

KNOWN_MAX: Final = 10_000
FOUND_MAX: Final = 20
"""So many products may contain a SKU in theirs before its own is not among them."""
SEARCHES_MAX: Final = 4
"""So many searches are under way at once, of all visitors: each reads the whole catalogue."""
MISSED_S: Final = 60.0
"""A SKU that was not found is not searched for again so long."""


@dataclass(frozen=True, slots=True)
class SoldAs:
    """The product behind a SKU."""

    product_id: ProductId
    name: str
    variant: str


class Goods:
    """Remembers what pages have seen, at most KNOWN_MAX SKUs; asks the catalogue for the rest.

    What was not found is remembered for MISSED_S, at most KNOWN_MAX SKUs, too. A name may be as
    old as the process; amounts are not kept at all.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, SoldAs] = OrderedDict()
        self._missed_until_s: OrderedDict[str, float] = OrderedDict()
        self._searches = asyncio.Semaphore(SEARCHES_MAX)

    def learn(self, products: Iterable[Product]) -> None:
        """Remember products that were just read."""
        for product in products:
            for variant in product.variants:
                self._known[variant.sku] = SoldAs(product.product_id, product.name, variant.name)
                self._known.move_to_end(variant.sku)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def find(self, visit: Visit, skus: Sequence[Sku]) -> dict[Sku, SoldAs]:
        """The products of SKUs, in that order; those not found are left out."""
        missing = [sku for sku in skus if self._is_open(visit, sku)]
        await asyncio.gather(*(self._ask(visit, sku) for sku in missing))
        return {sku: self._known[sku] for sku in skus if sku in self._known}

    def _is_open(self, visit: Visit, sku: Sku) -> bool:
        now_s = visit.site.runtime.clock.monotonic_s()
        return sku not in self._known and self._missed_until_s.get(sku, now_s) <= now_s

    async def _ask(self, visit: Visit, sku: Sku) -> None:
        async with self._searches:
            if not self._is_open(visit, sku):
                return  # another page has asked meanwhile
            try:
                page = await visit.ask(CatalogService).list_products(
                    ListProducts(search=sku, limit=FOUND_MAX)
                )
            except EmporionError:
                return  # a line without a link and a picture is a line all the same
            self.learn(page.products)
            if sku not in self._known:
                self._miss(visit, sku)

    def _miss(self, visit: Visit, sku: Sku) -> None:
        self._missed_until_s[sku] = visit.site.runtime.clock.monotonic_s() + MISSED_S
        self._missed_until_s.move_to_end(sku)
        if len(self._missed_until_s) > KNOWN_MAX:
            self._missed_until_s.popitem(last=False)

"""Which product a SKU belongs to: what looking it up may cost the catalogue."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emporion.chassis.testing.time import ManualClock
from emporion.contracts.catalog import ListProducts, ProductPage
from emporion.kernel.ids import Sku
from emporion.web.storefront import goods as module
from emporion.web.storefront.goods import MISSED_S, SEARCHES_MAX, Goods
from emporion.web.visit import Visit

pytestmark = pytest.mark.asyncio
SKUS = [Sku(f"unknown-{number}") for number in range(30)]


class Catalogue:
    """Finds nothing, and takes a few turns of the loop for it."""

    def __init__(self) -> None:
        self.searched: list[str] = []
        self.most_at_once = 0
        self._at_once = 0

    async def list_products(self, request: ListProducts) -> ProductPage:
        """An empty page."""
        self.searched.append(request.search)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self._at_once -= 1
        return ProductPage(products=[], next_cursor="")


def visit_of(catalogue: Catalogue, clock: ManualClock) -> Visit:
    """As much of a visit as looking up takes."""
    site = SimpleNamespace(runtime=SimpleNamespace(clock=clock))
    visit: Any = SimpleNamespace(site=site, ask=lambda _contract: catalogue)
    return cast("Visit", visit)


async def test_few_searches_are_under_way_at_once_and_none_twice():
    catalogue, goods = Catalogue(), Goods()
    visit = visit_of(catalogue, ManualClock())

    await asyncio.gather(*(goods.find(visit, SKUS) for _ in range(5)))

    assert catalogue.most_at_once == SEARCHES_MAX
    assert sorted(catalogue.searched) == sorted(SKUS)


async def test_what_was_not_found_is_searched_for_again_after_a_while_only():
    catalogue, goods, clock = Catalogue(), Goods(), ManualClock()
    visit = visit_of(catalogue, clock)

    counts = []
    for pause_s in (0.0, MISSED_S / 2, MISSED_S / 2):
        clock.advance(pause_s)
        await goods.find(visit, SKUS[:1])
        counts.append(len(catalogue.searched))

    assert counts == [1, 1, 2]


async def test_so_many_misses_are_remembered_at_most(monkeypatch):
    monkeypatch.setattr(module, "KNOWN_MAX", 10)
    catalogue, goods = Catalogue(), Goods()
    visit = visit_of(catalogue, ManualClock())

    await goods.find(visit, SKUS[:11])
    await goods.find(visit, SKUS[1:11])
    await goods.find(visit, SKUS[:1])

    assert len(catalogue.searched) == 12 and catalogue.searched[-1] == SKUS[0]

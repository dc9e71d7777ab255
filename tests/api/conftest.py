"""A whole shop for the tests of a module, its books audited when they are through."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.api.forge import Forge
from tests.api.shopfront import Shopfront, open_shopfront


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(tmp_path_factory) -> AsyncIterator[Shopfront]:
    """The shop, with two customers, an order of each, and nothing under way."""
    async with open_shopfront(tmp_path_factory.mktemp("api") / "data") as shop:
        for name in ("ann", "bob"):
            await shop.order(await shop.person(name), f"first-{name}")
        await shop.until_quiet()
        yield shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forge(front) -> Forge:
    """Makes tokens about Ann that the shop never issued."""
    return await Forge.at(front, await front.person("ann"))

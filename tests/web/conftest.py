"""A whole shop with its storefront, its books audited when the tests of a module are through."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.shopfront import Shopfront, open_shopfront
from tests.web.visitor import Visitor


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(tmp_path_factory) -> AsyncIterator[Shopfront]:
    """The shop, with its demo catalogue."""
    async with open_shopfront(tmp_path_factory.mktemp("web") / "data") as shop:
        yield shop


@pytest.fixture
def visitor(front) -> Visitor:
    """Somebody's browser, new to the shop."""
    return Visitor(front.app)

"""A shop on a port, and a browser in front of it, for the tests of a module."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.api.live import Live, live_shop
from tests.browser.chromium import chromium


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Live]:
    """The whole shop; its books are audited at the end."""
    with live_shop(tmp_path_factory.mktemp("browser") / "data") as live:
        yield live


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as found:
        yield found

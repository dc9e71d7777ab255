"""A split shop's pages at its edge, in a real browser: bought through, and looked at by staff."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from emporion.platform.settings import Settings
from tests.browser.chromium import watched
from tests.browser.customer import add_to_cart, check_out, search, sign_up
from tests.reliability.split_shop import SplitShop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
SLOW = "Slow test card"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SplitShop]:
    """Its books add up at the end."""
    async with SplitShop(tmp_path_factory.mktemp("split") / "shop") as opened:
        yield opened
        books = await opened.settled_books()
        assert [each for each in books["findings"] if each["violations"]] == []


async def test_a_customer_buys_and_sees_the_order_become_paid(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "crois", product="Croissant")
        await add_to_cart(page, units=2)
        await check_out(page, card=SLOW)

        heading = page.locator("#status").get_by_role("heading")
        await expect(heading).to_have_text(re.compile("your order is paid"))
        assert seen.complaints == []
        assert all(address.startswith(shop.url) for address in seen.asked), seen.asked


async def test_an_operator_sees_every_service_in_the_console(shop, browser):
    settings = Settings()
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await page.goto("/console")
        await page.get_by_label("E-mail address").fill(settings.operator_email)
        await page.get_by_label("Password").fill(settings.operator_password)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(re.compile("/console$"))
        await page.goto("/console/services")

        for service in ("vault", "user", "order", "payment", "email", "analytics"):
            await expect(page.get_by_role("link", name=service, exact=True)).to_be_visible()
        await page.goto("/console/faults")
        await expect(page.get_by_text("Faults are not allowed in this shop")).to_be_visible()
        assert seen.complaints == []

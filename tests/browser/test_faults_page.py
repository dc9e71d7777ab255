"""The console's page of faults in a real browser: switched on, seen on the map, cleared."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.api.live import Live, live_shop
from tests.browser.chromium import DESKTOP, PHONE, Watched, watched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SEEN_WITHIN_MS = 5_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Live]:
    """A shop in which faults are allowed."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    with live_shop(folder, is_telling=True, allow_faults=True) as live:
        yield live


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def well(shop: Live) -> AsyncIterator[None]:
    """No fault is left to the next test."""
    yield
    shop.loop.call_soon_threadsafe(shop.front.shop.faults.end_all)


async def go_in(seen: Watched, shop: Live) -> None:
    """Sign in as the operator, and go to the page of faults."""
    settings, page = shop.front.shop.settings, seen.page
    await page.goto("/console/faults")
    await page.get_by_label("E-mail address").fill(settings.operator_email)
    await page.get_by_label("Password").fill(settings.operator_password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(re.compile("/console/faults"))


async def switch_on(seen: Watched, service: str, kind: str) -> None:
    page = seen.page
    await page.get_by_label("Service", exact=True).select_option(service)
    await page.get_by_label("What is wrong").select_option(kind)
    await page.get_by_label("Why").fill("a drill")
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.get_by_role("row").filter(has_text=service)).to_contain_text("a drill")


async def test_a_fault_is_switched_on_counts_down_turns_the_map_and_is_cleared(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await go_in(seen, shop)
        await switch_on(seen, "recommendation", "errors")
        row = page.get_by_role("row").filter(has_text="recommendation")
        await expect(row.get_by_role("time")).not_to_have_text("60 s", timeout=SEEN_WITHIN_MS)

        for _ in range(3):
            asked = await page.request.get("/api/recommendations")
            assert asked.status == 503
        failing = page.locator(".node-wrong").filter(has_text="recommendation")
        await expect(failing).to_contain_text("fail", timeout=SEEN_WITHIN_MS)

        await row.get_by_role("button", name="Clear").click()
        await expect(page.get_by_text("Every service is well")).to_be_visible()
        assert seen.complaints == []


async def test_what_cannot_be_is_said_and_what_was_typed_stays(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await go_in(seen, shop)
        await page.get_by_label("Late by, ms").fill("99999")
        await page.get_by_label("Why").fill("kept")
        await page.get_by_role("button", name="Switch on").click()

        await expect(page.get_by_role("alert")).to_contain_text("latency ms")
        await expect(page.get_by_label("Why")).to_have_value("kept")


async def test_it_works_without_javascript(shop, browser):
    async with watched(browser, shop.url, java_script_enabled=False) as seen:
        await go_in(seen, shop)
        await switch_on(seen, "fraud", "hang")
        await seen.page.get_by_role("button", name="Clear").click()
        await expect(seen.page.get_by_text("Every service is well")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_axe_finds_no_serious_fault_with_one_on(shop, browser, size, scheme):
    async with watched(browser, shop.url, viewport=size, color_scheme=scheme) as seen:
        await go_in(seen, shop)
        await switch_on(seen, "email", "latency")

        assert await seen.faults() == []
        assert not await seen.is_too_wide()
        assert seen.complaints == []

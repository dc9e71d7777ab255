"""The console in a real browser: whoever runs the shop gets in, watches, finds, and gets out."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.api.live import Live, live_shop
from tests.browser.chromium import DESKTOP, PHONE, Watched, watched
from tests.browser.operator import customer, sign_in, trade

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
SOON_MS = 5_000
PAGES = (
    "/console",
    "/console?window=3600",
    "/console/services",
    "/console/services/order",
    "/console/traces",
    "/console/traces?contains=nowhere",
    "/console/logs",
    "/console/logs?contains=nowhere",
    "/console/metrics?window=300",
    "/console/metrics?about=calls&window=300",
    "/console/metrics?about=machine&window=300",
    "/console/metrics?about=sold&window=300",
    "/console/topology",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Live]:
    """A shop that keeps what it tells, after some trade."""
    with live_shop(tmp_path_factory.mktemp("console") / "data", is_telling=True) as live:
        live.run(trade(live.front, rounds=3))
        yield live


@pytest_asyncio.fixture(loop_scope="module")
async def seen(shop: Live, browser: Browser) -> AsyncIterator[Watched]:
    """A browser in which an operator is signed in; at the end it had nothing to complain about."""
    async with watched(browser, shop.url) as found:
        await sign_in(found.page, shop.front)
        yield found
        assert found.complaints == []
        assert all(address.startswith(shop.url) for address in found.asked), found.asked


async def test_an_operator_gets_in_to_the_page_asked_for_and_out_again(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await sign_in(page, shop.front, "/console/traces?contains=POST+/api/orders")
        await expect(page.get_by_label("Name contains")).to_have_value("POST /api/orders")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in to the console")).to_be_visible()
        await page.goto("/console")
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert seen.complaints == []


async def test_a_customer_is_told_why_the_console_stays_shut(shop, browser):
    email, password = shop.run(customer(shop.front))
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await page.goto("/console/sign-in")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading")).to_have_text("This account is a customer's")
        assert await seen.faults() == []


async def test_the_map_follows_what_happens_without_loading_the_page_again(shop, seen):
    page = seen.page
    await page.goto("/console?window=900")  # from an hour on it asks every ten seconds only
    paid = page.locator(".tile", has_text="Orders paid").locator(".tile-value")
    before = int(await paid.inner_text())

    shop.run(trade(shop.front, rounds=2, name="live"))

    await expect(paid).to_have_text(str(before + 3), timeout=SOON_MS)
    await expect(page.get_by_role("link", name=re.compile("^payment .*p99"))).to_be_visible()
    assert seen.asked.count(page.url) == 1, "the page was loaded again"


async def test_what_is_live_stops_when_paused_and_what_was_opened_stays_open(seen):
    page = seen.page
    await page.get_by_text("The map as a table").click()
    async with page.expect_response(lambda answer: "/overview/now" in answer.url):
        pass
    await expect(page.get_by_role("region", name="Calls and events")).to_be_visible()

    await page.get_by_role("button", name="Live").click()
    await expect(page.get_by_role("button", name="Paused")).to_have_attribute(
        "aria-pressed", "false"
    )
    await page.evaluate("dispatchEvent(new Event('visibilitychange'))")
    asked = len(seen.asked)
    async with page.expect_response(lambda answer: "/overview/now" in answer.url):
        await page.get_by_role("button", name="Paused").click()
    assert len(seen.asked) == asked + 1, "it was asked while it was paused"


async def test_a_live_page_whose_session_ended_leads_to_the_form_and_back(shop, seen):
    page = seen.page
    await page.goto("/console?window=300")
    await page.context.clear_cookies()

    await page.wait_for_url(re.compile("/console/sign-in"))
    settings = shop.front.shop.settings
    await page.get_by_label("E-mail address").fill(settings.operator_email)
    await page.get_by_label("Password").fill(settings.operator_password)
    await page.get_by_role("button", name="Sign in").click()

    await expect(page).to_have_url(re.compile(r"/console\?window=300$"))


async def test_from_the_map_to_a_service_its_traces_and_a_waterfall(seen):
    page = seen.page
    await page.get_by_role("link", name=re.compile("^order")).first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("order")
    await expect(page.get_by_role("region", name="What it asks of others")).to_contain_text(
        "payment"
    )
    await page.get_by_role("link", name="Its traces").click()
    await expect(page.get_by_label("Service")).to_have_value("order")
    await page.get_by_label("Only with errors").check()
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name="POST /api/orders").first.click()

    fall = page.get_by_role("region", name="Until it was answered")
    await expect(fall.get_by_role("row").filter(has_text="payment charge")).to_be_visible()
    bars = await fall.locator(".bar rect").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    assert min(bars) > 0 and max(bars) > 100
    await page.get_by_role("link", name="all its traces").click()
    await expect(page.get_by_role("region", name="Traces").get_by_role("row")).to_have_count(2)


async def test_charts_are_drawn_from_their_tables_and_come_again(seen):
    page = seen.page
    await page.get_by_role("link", name="Metrics").click()
    await page.get_by_role("link", name="5 minutes").click()
    charts = page.locator("[data-chart]")
    await expect(charts.locator("canvas")).to_have_count(2)
    await charts.first.get_by_text("As a table").click()
    await expect(charts.first.get_by_role("region", name="Requests, as a table")).to_be_visible()

    async with page.expect_response(lambda answer: "/metrics/now" in answer.url, timeout=15_000):
        pass
    await expect(charts.locator("canvas")).to_have_count(2)
    await expect(charts.first.get_by_role("region", name="Requests, as a table")).to_be_visible()
    await page.emulate_media(color_scheme="dark")
    await expect(charts.locator("canvas")).to_have_count(2)

    await page.get_by_role("link", name="POST /api/orders", exact=True).click()
    await expect(page.get_by_role("link", name="All together")).to_be_visible()
    await page.get_by_role("navigation", name="Metrics").get_by_text("What is sold").click()
    await expect(page.get_by_role("heading", name="Revenue in EUR")).to_be_visible()


async def test_the_log_is_searched(seen):
    page = seen.page
    await page.get_by_role("link", name="Logs").click()
    await page.get_by_label("Contains").fill("no line says this")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("heading", name="No line")).to_be_visible()
    await page.get_by_role("link", name="All lines").click()
    await expect(page.get_by_role("region", name="Log lines")).to_be_visible()


@SIZES
async def test_everything_is_there_without_javascript(shop, browser, size):
    async with watched(browser, shop.url, viewport=size, java_script_enabled=False) as seen:
        page = seen.page
        await sign_in(page, shop.front)
        await expect(page.locator("svg.map")).to_be_visible()
        if size == PHONE:
            await page.get_by_role("link", name="Menu", exact=True).click()
        await page.get_by_role("link", name="Metrics").click()
        await page.get_by_role("link", name="5 minutes").click()
        await page.get_by_text("As a table").first.click()
        await expect(page.get_by_role("region", name="Requests, as a table")).to_be_visible()
        await page.goto("/console/traces")
        await page.get_by_label("Name contains").fill("POST /api/orders")
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("link", name="POST /api/orders").first.click()
        await expect(page.get_by_role("heading", name="Until it was answered")).to_be_visible()
        await expect(page.get_by_role("link", name="Reload")).to_have_count(0)
        assert seen.complaints == []


async def test_the_keyboard_alone_gets_one_around(seen):
    page = seen.page
    await page.goto("/console/services")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="1 minute")).to_be_focused()
    await page.goto("/console")
    node = page.get_by_role("link", name=re.compile("^order")).first
    await node.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("order")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SIZES
async def test_no_page_keeps_anybody_out(shop, browser, size, scheme):
    async with watched(browser, shop.url, viewport=size, color_scheme=scheme) as seen:
        page = seen.page
        found: dict[str, list[str]] = {}

        async def judge(name: str) -> None:
            faults = await seen.faults()
            if await seen.is_too_wide():
                faults.append("one must scroll sideways")
            if faults:
                found[name] = faults

        await page.goto("/console/sign-in")
        await judge("sign in")
        await sign_in(page, shop.front)
        for path in PAGES:
            await page.goto(path)
            await judge(path)
        await page.goto("/console/traces?contains=POST+/api/orders")
        await page.get_by_role("link", name="POST /api/orders").first.click()
        await judge("waterfall")
        assert seen.complaints == []
        await page.goto("/console/services/nothing")
        await judge("nothing")

        assert found == {}

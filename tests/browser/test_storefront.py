"""The storefront in a real browser: the way from signing up to a paid order, for everybody."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.chromium import DESKTOP, PHONE, watched
from tests.browser.customer import add_to_cart, check_out, search, sign_up

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
SLOW = "Slow test card"
PAID = re.compile("your order is paid")


@SIZES
async def test_a_customer_buys_and_sees_the_order_become_paid_without_reloading(
    shop, browser, size
):
    async with watched(browser, shop.url, viewport=size) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "crois", product="Croissant")
        await add_to_cart(page, units=2)
        await check_out(page, card=SLOW)

        status = page.locator("#status")
        await expect(status.get_by_role("heading")).to_have_text(PAID)

        await expect(page.locator(".step-done")).to_have_count(2)
        loads = [address for address in seen.asked if address == page.url]
        assert len(loads) == 1, "the page was loaded again"
        assert seen.complaints == []
        assert all(address.startswith(shop.url) for address in seen.asked), seen.asked


@SIZES
async def test_a_customer_without_javascript_buys_too(shop, browser, size):
    async with watched(browser, shop.url, viewport=size, java_script_enabled=False) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "scone", product="Scone")
        await page.get_by_label("fruit").check()
        await add_to_cart(page)
        await page.get_by_label("Quantity of").fill("3")
        await page.get_by_role("button", name="Update").first.click()
        await expect(page.locator(".sum-total")).to_contain_text("€7.20")
        await check_out(page, card=SLOW)

        async with asyncio.timeout(20):
            while not await page.get_by_role("heading", name=PAID).is_visible():
                await page.get_by_role("link", name="Reload").click()

        assert not await seen.is_too_wide()
        assert seen.complaints == []


async def test_the_cart_and_the_sum_follow_without_loading_the_page(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "baguette", product="Baguette")
        await page.get_by_role("button", name="Add to cart").click()
        await expect(page.get_by_role("status").filter(has_text="in your cart")).to_be_visible()
        await page.get_by_role("button", name="Add to cart").click()
        await expect(page.locator("#cart-count")).to_contain_text("2")

        await page.goto("/cart")
        await page.get_by_label("Quantity of Baguette").fill("4")
        await page.get_by_label("Quantity of Baguette").press("Tab")
        await expect(page.locator(".sum-total")).to_contain_text("€7.60")

        await page.goto("/checkout")
        await page.get_by_label("Country").select_option("FR")
        await expect(page.get_by_label("By bicycle")).to_have_count(0)
        await page.get_by_label("By post").check()
        await expect(page.locator("#summary")).to_contain_text("€12.50")
        await page.get_by_label("Promotion code").fill("WELCOME-10")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator("#summary")).to_contain_text("€11.74")
        assert seen.complaints == []


async def test_a_search_shows_results_while_typing_and_the_back_button_works(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await page.goto("/")
        field = page.get_by_label("Search the catalogue")
        await field.press_sequentially("espr", delay=20)
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_role("link", name="Espresso", exact=True).click()
        await page.go_back()
        await expect(page).to_have_url(re.compile("q=espr"))
        await expect(page.get_by_role("link", name="Espresso", exact=True)).to_be_visible()
        await expect(page.locator("header.bar")).to_have_count(1)
        assert seen.complaints == []


async def test_a_refused_payment_is_said_where_the_eye_is(shop, browser):
    async with watched(browser, shop.url, viewport=PHONE) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "granola", product="Granola")
        await add_to_cart(page)
        await page.get_by_role("link", name="Check out").click()
        await page.get_by_label("Country").select_option("DE")
        await page.get_by_label("By post").check()
        await page.get_by_label("Empty test card").check()
        await page.get_by_role("button", name="Order and pay").click()

        await expect(page.get_by_role("alert")).to_be_in_viewport()
        await expect(page.get_by_role("alert")).to_contain_text("The payment was declined")
        await page.get_by_label("Pays at once").check()
        await page.get_by_role("button", name="Order and pay").click()
        await expect(page.get_by_role("heading", name=PAID)).to_be_visible()


async def test_pressing_twice_makes_one_order(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await sign_up(page)
        await search(page, "focaccia", product="Focaccia")
        await add_to_cart(page)
        await page.get_by_role("link", name="Check out").click()
        await page.get_by_label("Country").select_option("DE")
        await page.get_by_label("By post").check()
        await page.get_by_role("button", name="Order and pay").dblclick()
        await page.wait_for_url(re.compile("/orders/ord_"))

        await page.goto("/orders")
        await expect(page.locator("tbody tr")).to_have_count(1)


async def test_the_keyboard_alone_gets_one_to_the_goods(shop, browser):
    async with watched(browser, shop.url) as seen:
        page = seen.page
        await page.goto("/")
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        first = page.locator(".card a").first
        await expect(first).to_be_focused()
        outline = await first.evaluate("it => getComputedStyle(it).outlineStyle")
        assert outline == "solid"


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

        for path in ("/", "/?q=nosuchthing", "/sign-in", "/sign-up", "/cart"):
            await page.goto(path)
            await judge(path)
        await sign_up(page)
        await page.goto("/orders")
        await judge("no orders")
        await search(page, "scone", product="Scone")
        await judge("product")
        await page.get_by_role("button", name="Add to cart").click()
        await expect(page.get_by_role("status").filter(has_text="in your cart")).to_be_visible()
        await judge("added")
        await page.goto("/cart")
        await judge("cart")
        await page.goto("/checkout")
        await judge("checkout")
        await page.get_by_role("button", name="Order and pay").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await judge("checkout with faults")
        await page.goto("/cart")
        await check_out(page, card="Pays at once")
        await judge("order")
        await page.goto("/orders")
        await judge("orders")
        assert seen.complaints == [] or all("status of 400" in it for it in seen.complaints)
        await page.goto("/nothing")
        await judge("nothing")

        assert found == {}

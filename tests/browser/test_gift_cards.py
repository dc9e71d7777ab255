"""Gift cards in a real browser: several, removed, paying all, with and without JavaScript."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.api.live import Live
from tests.api.shopfront import must
from tests.browser.chromium import DESKTOP, PHONE, watched
from tests.browser.customer import add_to_cart, search, sign_up

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
PAID = re.compile("your order is paid")


def issued(shop: Live, amount_minor: int) -> tuple[str, str]:
    """A new card: its code, and how that ends."""
    front = shop.front
    worth = {"amount": {"amount_minor": amount_minor, "currency": "EUR"}}
    told = shop.run(front.json(front.operator, "POST", "/api/gift-cards", worth))
    return must(told)["code"], must(told)["card"]["ending"]


async def at_the_checkout(page: Page) -> None:
    """Two croissants in the cart, to be posted to Germany: 9.90 EUR."""
    await sign_up(page)
    await search(page, "crois", product="Croissant")
    await add_to_cart(page, units=2)
    await page.get_by_role("link", name="Check out").click()
    await page.get_by_label("Country").select_option("DE")
    await page.get_by_label("By post").check()


async def add_card(page: Page, code: str) -> None:
    await page.get_by_label("Gift card code").fill(code)
    await page.get_by_role("button", name="Add the gift card").click()


@SIZES
async def test_two_cards_pay_a_part_and_one_is_taken_off_again(shop, browser, size):
    (first, end), (second, other) = issued(shop, 300), issued(shop, 200)
    async with watched(browser, shop.url, viewport=size) as seen:
        page = seen.page
        await at_the_checkout(page)
        for code in (first, second):
            await add_card(page, code)
        await expect(page.locator("#summary")).to_contain_text("Left to pay €4.90")
        await page.get_by_role("button", name=f"Remove the gift card that ends in {other}").click()
        await expect(page.locator("#summary")).to_contain_text("Left to pay €6.90")
        await expect(page.locator(".card-used")).to_have_count(1)
        assert await seen.faults() == []
        assert not await seen.is_too_wide()
        await page.get_by_label("Pays at once").check()
        await page.get_by_role("button", name="Order and pay").click()

        await expect(page.get_by_role("heading", name=PAID)).to_be_visible()
        paid = page.locator(".sum")
        await expect(paid).to_contain_text(f"Paid by the gift card that ends in {end}")
        await expect(paid).to_contain_text("Charged €6.90")
        assert first not in await page.content()
        assert await seen.faults() == []
        assert seen.complaints == []


@SIZES
async def test_a_card_that_pays_all_hides_the_payment_until_the_delivery_changes_the_sum(
    shop, browser, size
):
    code, _ = issued(shop, 1_000)
    async with watched(browser, shop.url, viewport=size) as seen:
        page = seen.page
        await at_the_checkout(page)
        await add_card(page, code)
        whole = page.get_by_role("status").filter(has_text="nothing else is charged")
        await expect(whole).to_be_visible()
        await expect(page.get_by_label("Pays at once")).to_have_count(0)
        assert await seen.faults() == []

        await page.get_by_label("By bicycle").check()
        await expect(page.locator("#summary")).to_contain_text("Left to pay €1.90")
        await expect(page.get_by_label("Pays at once")).to_be_visible()
        await page.get_by_label("By post").check()
        await expect(whole).to_be_visible()

        await page.get_by_role("button", name="Order and pay").click()
        await expect(page.get_by_role("heading", name=PAID)).to_be_visible()
        await expect(page.locator(".sum")).to_contain_text("Charged €0.00")
        assert seen.complaints == []


async def test_without_javascript_a_card_is_refused_in_words_and_another_one_pays(shop, browser):
    code, end = issued(shop, 2_000)
    async with watched(browser, shop.url, viewport=PHONE, java_script_enabled=False) as seen:
        page = seen.page
        await at_the_checkout(page)
        await add_card(page, "0000-0000-0000-0000-0000")
        await expect(page.locator("#gift_card-error")).to_contain_text(
            "There is no gift card with this code"
        )
        await add_card(page, code)
        await expect(page.locator(".card-used")).to_contain_text(f"ends in {end}")
        await page.get_by_role("button", name="Order and pay").click()
        await expect(page.get_by_role("heading", name=PAID)).to_be_visible()
        assert not await seen.is_too_wide()

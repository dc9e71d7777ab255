"""What a customer does with a mouse or a thumb, the same with and without JavaScript."""

import itertools
import re

from playwright.async_api import Page, expect

from tests.api.shopfront import PASSWORD

_numbers = itertools.count(1)


async def sign_up(page: Page) -> None:
    """Make an account and be signed in."""
    await page.goto("/sign-up")
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.get_by_label("E-mail address").fill(f"ada-{next(_numbers)}@example.test")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Make the account").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def search(page: Page, word: str, *, product: str) -> None:
    """Find a product and open its page."""
    field = page.get_by_label("Search the catalogue")
    await field.fill(word)
    await field.press("Enter")
    await page.get_by_role("link", name=product, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(product)


async def add_to_cart(page: Page, *, units: int = 1) -> None:
    """Put what the page shows into the cart, and look at that."""
    await page.get_by_label("Quantity").fill(str(units))
    await page.get_by_role("button", name="Add to cart").click()
    await expect(page.locator("#cart-count")).to_contain_text(re.compile(r"[1-9]"))
    await page.goto("/cart")


async def check_out(page: Page, *, card: str) -> None:
    """From the cart to the order."""
    await page.get_by_role("link", name="Check out").click()
    await page.get_by_label("Country").select_option("DE")
    await page.get_by_label("By post").check()
    await page.get_by_label(card).check()
    await page.get_by_role("button", name="Order and pay").click()
    await page.wait_for_url(re.compile(r"/orders/ord_"))

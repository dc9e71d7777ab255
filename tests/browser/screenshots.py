"""Takes a picture of every page, storefront and console: `make screenshots`, then look at them.

All of them, light and dark, on a desktop and on a phone, go to build/screenshots; those that the
documentation shows go to docs/images, as JPEG.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.api.live import Live, live_shop
from tests.browser.chromium import DESKTOP, PHONE, chromium, watched
from tests.browser.console_pages import console_pages
from tests.browser.customer import add_to_cart, search, sign_up
from tests.browser.desk_pages import desk_pages
from tests.browser.desks import set_scene
from tests.browser.operator import sign_in, trade

ROOT = Path(__file__).parents[2]
ALL = ROOT / "build" / "screenshots"
SHOWN = ROOT / "docs" / "images"
IN_DOCS = {
    ("storefront", "catalogue", "desktop", "light"),
    ("storefront", "product", "desktop", "dark"),
    ("storefront", "checkout", "desktop", "light"),
    ("storefront", "order", "phone", "light"),
    ("console", "overview", "desktop", "light"),
    ("console", "waterfall", "desktop", "light"),
    ("console", "metrics", "desktop", "dark"),
    ("console", "overview", "phone", "dark"),
    ("console", "faults", "desktop", "light"),
    ("desks", "order-past", "desktop", "light"),
    ("desks", "saga", "desktop", "dark"),
    ("desks", "subscriber", "desktop", "light"),
    ("desks", "review", "phone", "light"),
}
Pages = Callable[[Page], AsyncIterator[str]]
JPEG_QUALITY = 80
JPEG_BYTES_MAX = 150_000


async def pages(page: Page) -> AsyncIterator[str]:
    """Goes through the shop, and says the name of each page that is worth a picture."""
    await page.goto("/")
    yield "catalogue"
    await page.goto("/?q=nosuchthing")
    yield "search-empty"
    await page.goto("/nothing")
    yield "not-found"
    await page.goto("/cart")
    yield "cart-empty"
    await page.goto("/sign-in")
    yield "sign-in"
    await page.goto("/sign-up")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("E-mail address").fill("ada@example.test")
    await page.get_by_label("Password").fill("x" * 10)
    yield "sign-up"
    await sign_up(page)
    await page.goto("/orders")
    yield "orders-empty"
    async for name in _buying(page):
        yield name


async def _buying(page: Page) -> AsyncIterator[str]:
    await search(page, "flat", product="Flat white")
    await add_to_cart(page)
    await search(page, "crois", product="Croissant")
    await add_to_cart(page, units=4)
    await search(page, "scone", product="Scone")
    await page.get_by_role("button", name="Add to cart").click()
    await expect(page.get_by_role("status").filter(has_text="in your cart")).to_be_visible()
    yield "product"
    await page.goto("/cart")
    yield "cart"
    await page.get_by_role("link", name="Check out").click()
    await page.get_by_label("Country").select_option("DE")
    await page.get_by_label("By post").check()
    await page.get_by_label("Promotion code").fill("WELCOME-10")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("#summary")).to_contain_text("Welcome")
    yield "checkout"
    await page.get_by_label("Empty test card").check()
    await page.get_by_role("button", name="Order and pay").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    yield "checkout-declined"
    await page.get_by_label("Pays at once").check()
    await page.get_by_role("button", name="Order and pay").click()
    await page.wait_for_url(re.compile("/orders/ord_"))
    yield "order"
    await page.goto("/orders")
    yield "orders"


async def _take(
    browser: Browser, live: Live, pages: tuple[str, Pages], *, where: str, scheme: str
) -> None:
    size, (site, walk) = DESKTOP if where == "desktop" else PHONE, pages
    async with watched(browser, live.url, viewport=size, color_scheme=scheme) as seen:
        if site != "storefront":
            await sign_in(seen.page, live.front)
        async for name in walk(seen.page):
            await seen.page.wait_for_load_state("networkidle")
            await seen.page.evaluate("scrollTo(0, 0)")
            path = ALL / f"{site}-{name}-{where}-{scheme}.png"
            await seen.page.screenshot(path=path, full_page=True, animations="disabled")
            if (site, name, where, scheme) in IN_DOCS:
                suffix = "-phone" if (site, where) == ("console", "phone") else ""
                await _for_docs(seen.page, SHOWN / f"{site}-{name}{suffix}.jpg")


async def _for_docs(page: Page, path: Path) -> None:
    taken = await page.screenshot(type="jpeg", quality=JPEG_QUALITY, animations="disabled")
    assert len(taken) <= JPEG_BYTES_MAX, f"{path.name} has {len(taken)} bytes"
    path.write_bytes(taken)


async def _all(live: Live, site: str, walk: Pages) -> None:
    async with chromium() as browser:
        for where in ("desktop", "phone"):
            for scheme in ("light", "dark"):
                await _take(browser, live, (site, walk), where=where, scheme=scheme)


def main() -> None:
    """Take them all."""
    ALL.mkdir(parents=True, exist_ok=True)
    SHOWN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with live_shop(Path(folder) / "data") as shop:
            asyncio.run(_all(shop, "storefront", pages))
        with live_shop(Path(folder) / "watched", is_telling=True, allow_faults=True) as shop:
            shop.run(trade(shop.front, rounds=8, pause_s=2.0))
            asyncio.run(_all(shop, "console", console_pages))
        with live_shop(Path(folder) / "desks", is_audited=False, is_telling=True) as shop:
            scene = shop.run(set_scene(shop.front))
            asyncio.run(_all(shop, "desks", partial(desk_pages, scene=scene)))
    print(f"{len(list(ALL.iterdir()))} pictures in {ALL.relative_to(ROOT)}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()

"""The desks of the console that are worth a picture."""

from collections.abc import AsyncIterator

from playwright.async_api import Page, expect

from tests.browser.desks import Scene


async def desk_pages(page: Page, *, scene: Scene) -> AsyncIterator[str]:
    """Goes through the desks, signed in, and says the name of each page."""
    at = {
        "orders": "/orders",
        "orders-none": "/orders?status=refunded",
        "order": f"/orders/{scene.returned}",
        "sagas": "/sagas",
        "events": "/events",
        "subscriber": "/events/email",
        "reviews": "/fraud",
        "stock": "/stock",
        "sku": "/stock/croissant",
        "shipments": "/shipments?status=all",
        "shipment": f"/shipments/{scene.ready}",
        "returns": "/returns",
        "return": f"/returns/{scene.return_id}",
    }
    for name, path in at.items():
        await page.goto(f"/console{path}")
        yield name
    await page.goto(f"/console/orders/{scene.returned}")
    slider = page.get_by_role("slider")
    await slider.press("End")
    await slider.press("ArrowLeft")
    await expect(page.locator(".moment-when")).not_to_contain_text("of 1,")
    await page.wait_for_load_state("networkidle")
    await slider.blur()
    yield "order-past"
    await page.goto(f"/console/sagas/{scene.stuck[0]}")
    await page.get_by_text("Force compensation…", exact=True).click()
    yield "saga"
    await page.goto(f"/console/fraud/{scene.held[0]}")
    await page.get_by_text("Release…", exact=True).click()
    yield "review"
    await page.goto("/console/events/email")
    await page.get_by_role("button", name="Redrive all: dry run").click()
    yield "subscriber-dry-run"

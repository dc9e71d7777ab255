"""The pages of the console that are worth a picture."""

from collections.abc import AsyncIterator
from typing import Final

from playwright.async_api import Page, expect

WATCHED: Final = (
    ("overview", "/console"),
    ("services", "/console/services"),
    ("service", "/console/services/order"),
    ("traces", "/console/traces"),
    ("traces-empty", "/console/traces?contains=nowhere"),
    ("logs", "/console/logs"),
    ("metrics", "/console/metrics?window=300"),
    ("metrics-calls", "/console/metrics?about=calls&window=300"),
    ("metrics-processes", "/console/metrics?about=machine&window=300"),
    ("metrics-sold", "/console/metrics?about=sold&window=300"),
    ("topology", "/console/topology"),
    ("not-found", "/console/nothing"),
)


async def console_pages(page: Page) -> AsyncIterator[str]:
    """Goes through the console, signed in, and says the name of each page."""
    for name, path in WATCHED:
        await page.goto(path)
        yield name
    await page.goto("/console/traces?contains=POST+/api/orders")
    await page.get_by_role("link", name="POST /api/orders").last.click()
    yield "waterfall"
    await page.goto("/console/faults")
    if await page.get_by_role("button", name="Switch on").count():
        await _suffer(page)
    yield "faults"


async def _suffer(page: Page) -> None:
    """One service is late and another fails, which the map shows."""
    for service, kind in (("email", "latency"), ("recommendation", "errors")):
        await page.get_by_label("Service", exact=True).select_option(service)
        await page.get_by_label("What is wrong").select_option(kind)
        await page.get_by_label("Why").fill("a drill")
        await page.get_by_role("button", name="Switch on").click()
        await expect(page.get_by_role("row").filter(has_text=service)).to_be_visible()
    for _ in range(5):
        await page.request.get("/api/recommendations")
    await expect(page.locator(".node-wrong").first).to_be_visible()

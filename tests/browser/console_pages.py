"""The pages of the console that are worth a picture."""

from collections.abc import AsyncIterator
from typing import Final

from playwright.async_api import Page

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

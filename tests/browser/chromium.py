"""A real Chromium, and what it has to complain about the pages it is shown."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

AXE = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
WAIT_MS = 15_000
_TELL_VIOLATIONS = """
addEventListener('securitypolicyviolation', event =>
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));
"""


def executable() -> str:
    """Where Chromium is. Raises AssertionError with how to get it."""
    path = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    assert path, "the browser tests need Chromium: apt-get install chromium, or set CHROMIUM"
    return path


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window, closed at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watched:
    """A page, everything it complained about, and every address it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def faults(self) -> list[str]:
        """What axe finds that keeps people out: its serious and critical faults."""
        await self.page.evaluate(AXE.read_text())
        result: dict[str, Any] = await self.page.evaluate("axe.run()")
        return [
            f"{fault['id']}: {[node['html'][:120] for node in fault['nodes']]}"
            for fault in result["violations"]
            if fault["impact"] in {"serious", "critical"}
        ]

    async def is_too_wide(self) -> bool:
        """Whether one must scroll sideways."""
        width: bool = await self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return width


@asynccontextmanager
async def watched(browser: Browser, url: str, **options: Any) -> AsyncIterator[Watched]:
    """A page in a browser profile of its own; `options` are those of a context."""
    options = {"viewport": DESKTOP, **options}
    context: BrowserContext = await browser.new_context(base_url=url, **options)
    context.set_default_timeout(WAIT_MS)
    await context.add_init_script(_TELL_VIOLATIONS)
    seen = Watched(await context.new_page())
    seen.page.on("console", lambda told: _note(seen, told.type, told.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.asked.append(request.url))
    try:
        yield seen
    finally:
        await context.close()


def _note(seen: Watched, kind: str, text: str) -> None:
    if kind in {"error", "warning"}:
        seen.complaints.append(f"{kind}: {text}")

"""The task that shows pages, in front of a shop that answers REST."""

import asyncio
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from emporion.platform.deploy.task_words import pages_told
from emporion.platform.ecs.pages import pages_process
from emporion.platform.ecs.told import PAGES, BadTask, PagesTold, read_told
from emporion.platform.process import serving
from emporion.platform.settings import Settings
from emporion.platform.supervisor.ports import free_port
from tests.platform.deploy.shops import committed_deployment


async def got(url: str | Request) -> tuple[int, str, str]:
    """Status, type and text of what is there."""

    def get() -> tuple[int, str, str]:
        try:
            with urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
                return answer.status, answer.headers["content-type"], answer.read().decode()
        except HTTPError as error:
            return error.code, error.headers["content-type"], error.read().decode()

    return await asyncio.to_thread(get)


def test_what_the_template_says_is_what_the_task_reads():
    deployment = committed_deployment()
    assert deployment.pages is not None
    said = pages_told(deployment, deployment.pages)

    assert read_told(PagesTold, {PAGES: msgspec.json.encode(said).decode()}, PAGES) == said
    with pytest.raises(BadTask, match="EMPORION_PAGES is not set"):
        read_told(PagesTold, {}, PAGES)


class _Shop(BaseHTTPRequestHandler):
    """A shop that is away, and keeps whose requests it got."""

    asked_for: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked_for.append(self.headers.get("X-Forwarded-For", ""))
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


async def test_the_shop_is_told_the_address_of_the_visitor_whom_the_balancer_names(tmp_path):
    behind = HTTPServer(("127.0.0.1", 0), _Shop)
    Thread(target=behind.serve_forever, daemon=True).start()
    told = PagesTold(
        process="web",
        shop=f"http://127.0.0.1:{behind.server_port}",
        http_port=free_port(),
        host="127.0.0.1",
        trusted_proxies="127.0.0.0/8",
        drain_grace_s=0.0,
        data=str(tmp_path),
    )
    _Shop.asked_for.clear()
    async with pages_process({PAGES: msgspec.json.encode(told).decode()}) as (lifecycle, server):
        await lifecycle.start()
        url = f"http://127.0.0.1:{server.port}/"
        await got(Request(url, headers={"X-Forwarded-For": "203.0.113.7"}))
        await lifecycle.stop()
    behind.shutdown()
    behind.server_close()

    assert set(_Shop.asked_for) == {"203.0.113.7"}


@pytest.mark.system
async def test_it_shows_what_the_shop_sells_and_says_so_when_the_shop_is_away(tmp_path):
    settings = Settings(port=0, data=str(tmp_path / "shop"))
    told = PagesTold(
        process="web",
        shop="",
        http_port=free_port(),
        host="127.0.0.1",
        drain_grace_s=0.0,
        data=str(tmp_path),
    )
    async with AsyncExitStack() as stack:
        async with serving(settings) as shop:
            said = msgspec.structs.replace(told, shop=shop.url)
            environ = {PAGES: msgspec.json.encode(said).decode()}
            lifecycle, server = await stack.enter_async_context(pages_process(environ))
            await lifecycle.start()
            stack.push_async_callback(lifecycle.stop)
            url = f"http://127.0.0.1:{server.port}"
            status, kind, home = await got(f"{url}/")
            ready = await got(f"{url}/readyz")
            api = await got(f"{url}/api/products")
            console = await got(f"{url}/console")
        away = await got(f"{url}/")

    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "Croissant" in home
    assert ready[0] == 200
    assert api[0] == 404
    assert (console[0], console[1]) == (200, "text/html; charset=utf-8")
    assert (away[0], away[1]) == (503, "text/html; charset=utf-8")

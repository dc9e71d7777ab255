"""The plain pages of every process: metrics, the API description, and a first page."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from emporion.chassis.http.routes import Page, Shown

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics_page(render: Callable[[], bytes], *, content_type: str = METRICS_TYPE) -> Page:
    """`/metrics`: `render` gives the Prometheus text of the moment."""

    async def show(_: Mapping[str, str]) -> Shown:
        return Shown(render(), content_type)

    return Page("/metrics", show)


def openapi_page(describe: Callable[[], Mapping[str, Any]]) -> Page:
    """`/openapi.json`: what this process answers; made at the first request, then kept."""

    @cache
    def shown() -> Shown:
        return Shown(msgspec.json.encode(describe()))

    async def show(_: Mapping[str, str]) -> Shown:
        return shown()

    return Page("/openapi.json", show)


def index_page(document: Mapping[str, Any]) -> Page:
    """`/`: a small JSON text that tells a newcomer what to do."""
    body = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    return Page("/", _always(Shown(body)))


def _always(shown: Shown) -> Callable[[Mapping[str, str]], Awaitable[Shown]]:
    async def show(_: Mapping[str, str]) -> Shown:
        return shown

    return show

"""Storefront and console in a process of their own, in front of a shop that answers REST."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from emporion.chassis.auth.identity import ANONYMOUS
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.http.health import Health, health_pages
from emporion.chassis.http.pages import metrics_page
from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.logs import JsonLogs, install
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.client.address import Address
from emporion.platform.console import LaterConsole, console_over
from emporion.platform.front import Recorder, refuses
from emporion.platform.memory import be_frugal
from emporion.platform.process import spare_what_stays
from emporion.platform.rest_asking import RestAsking
from emporion.platform.settings import Settings
from emporion.platform.storefront import storefront_over
from emporion.platform.supervisor.ports import bracketed
from emporion.platform.topology.pages_file import PagesFile
from emporion.platform.topology.process_file import Listening
from emporion.web.storefront.paths import HOME, PATHS

NAME = "storefront"


def run_storefront(settings: Settings, shop: Address, announce: Callable[[str], None]) -> None:
    """Serve the pages until SIGTERM or SIGINT, then drain.

    `announce` is told where. Raises AddressInUse when it cannot listen; whether the shop answers
    is seen page by page.
    """
    uvloop.run(_run(settings, shop, announce))


def serve_pages(path: Path) -> None:
    """Serve the pages of a split shop as the file says, until SIGTERM or SIGINT, then drain.

    Raises BadProcessFile or AddressInUse when it cannot start.
    """
    be_frugal()
    uvloop.run(_serve_pages(PagesFile.read(path)))


async def _serve_pages(told: PagesFile) -> None:
    file = Path(told.listening_file)

    async def start() -> None:
        url = f"http://{bracketed(told.settings.host)}:{server.port}"
        Listening(pid=os.getpid(), http=url).write(file)

    async def stop() -> None:
        file.unlink(missing_ok=True)  # noqa: ASYNC240 - one call on a local folder

    listening = ServerSettings(
        host=told.settings.host,
        port=told.settings.port,
        drain_grace_s=told.drain_grace_s,
        drain_timeout_s=told.settings.drain_s,
        trusted_proxies=told.trusted_proxies,
    )
    shop = Address.parse(told.shop)
    async with _opened(told.settings, shop, listening, name=told.instance) as (lifecycle, server):
        lifecycle.add(Part("listening file", start, stop))
        await lifecycle.run(spare_what_stays)


async def _run(settings: Settings, shop: Address, announce: Callable[[str], None]) -> None:
    async with prepared(settings, shop) as (lifecycle, url):
        await lifecycle.run(lambda: announce(url()))


@asynccontextmanager
async def prepared(
    settings: Settings, shop: Address
) -> AsyncIterator[tuple[Lifecycle, Callable[[], str]]]:
    """The process, not started, and where it listens once it is."""
    listening = ServerSettings(
        host=settings.host, port=settings.port, drain_timeout_s=settings.drain_s
    )
    async with _opened(settings, shop, listening, name=NAME) as (lifecycle, server):
        yield lifecycle, lambda: f"http://{settings.host}:{server.port}"


@asynccontextmanager
async def _opened(
    settings: Settings, shop: Address, listening: ServerSettings, *, name: str
) -> AsyncIterator[tuple[Lifecycle, HttpServer]]:
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=False)
    level = logging.getLevelNamesMapping()[settings.log_level]
    install(JsonLogs(telemetry.guard, service=name), level=level)
    asking = RestAsking(shop)
    lifecycle = Lifecycle(runtime, stop_timeout_s=listening.drain_grace_s + settings.drain_s)
    app = storefront_app(settings, asking, (runtime, telemetry), closed=lifecycle.why_closed)
    server = HttpServer(app, listening)
    lifecycle.add(Part("http", server.start, server.drain))
    try:
        yield lifecycle, server
    finally:
        asking.close()


def storefront_app(
    settings: Settings,
    asking: RestAsking,
    around: tuple[Runtime, Telemetry],
    *,
    closed: Callable[[], str],
) -> HttpApp:
    """The pages, health and metrics, and nothing of the API."""
    runtime, telemetry = around
    front = storefront_over(settings, asking, runtime)
    console = LaterConsole(lambda: console_over(settings, asking, runtime))
    edge = Edge(
        runtime=runtime,
        authenticate=lambda _: ANONYMOUS,  # whoever asks is known to the shop behind, not here
        trace_of=telemetry.outside_trace_of,
        record=Recorder(telemetry, is_behind_edge=False).record,
        child_of=telemetry.child_of,
        refuse=refuses(console.refuse, front.site.refuse),
    )
    pages = (
        *health_pages(Health(ready={}, closed=closed)),
        metrics_page(telemetry.metrics.exposition),
    )
    beside = [front.route(verb, path) for verb, path in (("GET", HOME), *PATHS)]
    return HttpApp((), edge, pages, beside=[*beside, *console.routes])

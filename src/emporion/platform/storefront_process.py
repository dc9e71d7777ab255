"""The storefront in a process of its own, in front of a shop that answers REST, split or not."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

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
from emporion.platform.front import Recorder
from emporion.platform.rest_asking import RestAsking
from emporion.platform.settings import Settings
from emporion.platform.storefront import storefront_over
from emporion.web.storefront.paths import HOME, PATHS

NAME = "storefront"


def run_storefront(settings: Settings, shop: Address, announce: Callable[[str], None]) -> None:
    """Serve the pages until SIGTERM or SIGINT, then drain.

    `announce` is told where. Raises AddressInUse when it cannot listen; whether the shop answers
    is seen page by page.
    """
    uvloop.run(_run(settings, shop, announce))


async def _run(settings: Settings, shop: Address, announce: Callable[[str], None]) -> None:
    async with prepared(settings, shop) as (lifecycle, url):
        await lifecycle.run(lambda: announce(url()))


@asynccontextmanager
async def prepared(
    settings: Settings, shop: Address
) -> AsyncIterator[tuple[Lifecycle, Callable[[], str]]]:
    """The process, not started, and where it listens once it is."""
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=False)
    level = logging.getLevelNamesMapping()[settings.log_level]
    install(JsonLogs(telemetry.guard, service=NAME), level=level)
    asking = RestAsking(shop)
    lifecycle = Lifecycle(runtime, stop_timeout_s=settings.drain_s)
    app = storefront_app(settings, asking, (runtime, telemetry), closed=lifecycle.why_closed)
    listening = ServerSettings(
        host=settings.host, port=settings.port, drain_timeout_s=settings.drain_s
    )
    server = HttpServer(app, listening)
    lifecycle.add(Part("http", server.start, server.drain))
    try:
        yield lifecycle, lambda: f"http://{settings.host}:{server.port}"
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
    edge = Edge(
        runtime=runtime,
        authenticate=lambda _: ANONYMOUS,  # whoever asks is known to the shop behind, not here
        trace_of=telemetry.outside_trace_of,
        record=Recorder(telemetry, is_behind_edge=False).record,
        child_of=telemetry.child_of,
        refuse=front.site.refuse,
    )
    pages = (
        *health_pages(Health(ready={}, closed=closed)),
        metrics_page(telemetry.metrics.exposition),
    )
    beside = [front.route(verb, path) for verb, path in (("GET", HOME), *PATHS)]
    return HttpApp((), edge, pages, beside=beside)

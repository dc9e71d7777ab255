"""One process that serves the shop over HTTP until it is asked to stop."""

import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import uvloop

from emporion import __version__
from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.http.app import Edge, HttpApp, Served
from emporion.chassis.http.health import Health, health_pages
from emporion.chassis.http.pages import index_page, metrics_page
from emporion.chassis.http.routes import Page, Shown
from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.runtime.lag import LoopLag, Watchdog
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.chassis.surfaces.openapi import openapi
from emporion.chassis.telemetry.logs import JsonLogs, install
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.data_folder import write_address
from emporion.platform.demo.seed import seed
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.services.user.service import UserAssembly

_log = logging.getLogger(__name__)
_access = logging.getLogger("emporion.access")
EVERYWHERE: Mapping[str, str] = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - named, not bound
"""Addresses that mean all of this machine's, and one of them to connect to."""

GARBAGE_OBJECTS = 50_000
"""Net new objects before the cycle collector looks at them: requests leave next to none in cycles,
and at the default (700) it looked at them all the time, for a twentieth of an order."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A shop that takes requests: where, and its parts for tests and drills."""

    shop: Shop
    url: str


def run(settings: Settings, announce: Callable[[Serving], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain: no accepted request fails.

    `announce` is called once requests are taken. Raises FolderInUse, AddressInUse, Unavailable
    or MigrationFailed when it cannot start; then nothing was started.
    """
    uvloop.run(_run(settings, announce))


async def _run(settings: Settings, announce: Callable[[Serving], None]) -> None:
    async with _prepared(settings) as (lifecycle, served):

        def ready() -> None:
            _spare_what_stays()
            announce(served())

        await lifecycle.run(ready)


def _spare_what_stays() -> None:
    """Take all that was made so far, and lives as long as the process, from the collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """A shop that takes requests inside this block, and drains at its end."""
    async with _prepared(settings) as (lifecycle, served):
        try:
            await lifecycle.start()
            yield served()
        finally:
            await lifecycle.stop()


@asynccontextmanager
async def _prepared(
    settings: Settings,
) -> AsyncIterator[tuple[Lifecycle, Callable[[], Serving]]]:
    """A shop with its databases open, whose parts the lifecycle starts and stops."""
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=False)
    install(JsonLogs(telemetry.guard), level=logging.getLevelNamesMapping()[settings.log_level])
    async with open_shop(settings, runtime, telemetry) as shop:
        lifecycle = Lifecycle(runtime, stop_timeout_s=settings.drain_s)
        server = HttpServer(
            _app(shop, lifecycle.why_closed),
            ServerSettings(
                host=settings.host, port=settings.port, drain_timeout_s=settings.drain_s
            ),
        )
        lag = LoopLag(runtime)
        shop.directory.chain.follow(lag)
        watchdog = Watchdog(lag, runtime.clock)

        async def start_watching() -> None:
            _ = runtime.tasks.spawn("loop lag", lag.serve())
            watchdog.start()

        async def stop_watching() -> None:
            watchdog.stop()
            await _end_tasks(runtime)

        lifecycle.add(Part("watching the loop", start_watching, stop_watching))
        lifecycle.add(Part("sagas, alarms and events", shop.start, shop.stop))
        lifecycle.add(Part("demo data", lambda: _furnish(shop), _nothing))
        lifecycle.add(Part("http", server.start, server.drain))
        lifecycle.add(Part("address", lambda: _say_where(settings, server.port), _nothing))
        yield lifecycle, lambda: Serving(shop, f"http://{settings.host}:{server.port}")


async def _say_where(settings: Settings, port: int) -> None:
    """So that commands on this machine find the shop that holds the folder."""
    host = EVERYWHERE.get(settings.host, settings.host)
    write_address(
        settings.folder, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    )


async def _nothing() -> None:
    """Has no end of its own."""


async def _end_tasks(runtime: Runtime) -> None:
    assert isinstance(runtime.tasks, SystemTasks)  # noqa: S101 - made by system_runtime
    stuck = await runtime.tasks.cancel_all()
    if stuck:
        _log.error("tasks ignored the end of the process: %s", ", ".join(stuck))


async def _furnish(shop: Shop) -> None:
    """An operator and something on sale, for development on this machine only."""
    settings = shop.settings
    if not settings.is_rehearsal:
        return
    user = shop.assembly("user")
    assert isinstance(user, UserAssembly)  # noqa: S101 - its builder says so
    await user.operators.ensure(settings.operator_email, settings.operator_password)
    await seed(shop.directory.clients("platform", scopes=STAFF_SCOPES))


def _app(shop: Shop, closed: Callable[[], str]) -> HttpApp:
    user = shop.assembly("user")
    assert isinstance(user, UserAssembly)  # noqa: S101 - its builder says so
    verifier = TokenVerifier(user.public_keys, shop.runtime.clock)
    edge = Edge(
        runtime=shop.runtime,
        authenticate=verifier.authenticate,
        trace_of=shop.telemetry.trace_of,
        record=_Recorder(shop.telemetry).record,
    )
    pages = (
        *health_pages(Health(ready=shop.probes, live=shop.live_probes, closed=closed)),
        metrics_page(shop.telemetry.metrics.exposition),
        _openapi_page(shop),
        index_page(
            {
                "shop": "Emporion",
                "version": __version__,
                "products": "/api/products",
                "api": "/openapi.json",
                "health": "/readyz",
                "metrics": "/metrics",
            }
        ),
    )
    return HttpApp(shop.directory.inbounds, edge, pages)


def _openapi_page(shop: Shop) -> Page:
    """`/openapi.json`, made at the first request: nobody waits for it at the start."""
    made: list[Shown] = []

    async def show(_: Mapping[str, str]) -> Shown:
        if not made:
            contracts = [door.contract for door in shop.directory.inbounds]
            document = openapi(contracts, title="Emporion", version=__version__)
            made.append(Shown(msgspec.json.encode(document), "application/json"))
        return made[0]

    return Page("/openapi.json", show)


class _Recorder:
    """Counts every answered request by route, verb and status; logs those that failed on us."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._metrics = telemetry.metrics
        self._known: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def record(self, served: Served) -> None:
        """Told of every request once it is answered."""
        key = (served.verb, served.route, served.status)
        observe = self._known.get(key)
        if observe is None:
            observe = self._metrics.durations(
                "http_request_seconds",
                "Requests answered.",
                verb=served.verb,
                route=served.route,
                status=str(served.status),
            ).observe
            self._known[key] = observe
        observe(served.duration_s)
        if served.status >= 500:  # noqa: PLR2004 - HTTP's boundary of our own faults
            _access.warning(
                "%s %s answered %d", served.verb, served.route, served.status,
                extra={"request_trace_id": served.trace.trace_id},
            )  # fmt: skip

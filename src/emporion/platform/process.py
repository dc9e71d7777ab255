"""One process that serves the shop over HTTP until it is asked to stop."""

import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop

from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.runtime.lag import LoopLag, Watchdog
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import SystemTasks, system_runtime
from emporion.platform.data_folder import write_address
from emporion.platform.demo.seed import seed
from emporion.platform.front import http_app
from emporion.platform.memory import be_frugal
from emporion.platform.reading.processes import forget_processes
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.platform.supervisor.ports import EVERYWHERE
from emporion.platform.telling.process import process_telling

_log = logging.getLogger(__name__)
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
    be_frugal()
    uvloop.run(_run(settings, announce))


async def _run(settings: Settings, announce: Callable[[Serving], None]) -> None:
    async with _prepared(settings) as (lifecycle, served):

        def ready() -> None:
            spare_what_stays()
            announce(served())

        await lifecycle.run(ready)


def spare_what_stays() -> None:
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
    telling = process_telling(settings, runtime)
    async with open_shop(settings, runtime, telling.telemetry) as shop:
        forget_processes(settings.folder)
        lifecycle = Lifecycle(runtime, stop_timeout_s=settings.drain_s)
        server = HttpServer(
            http_app(shop, lifecycle.why_closed),
            ServerSettings(
                host=settings.host, port=settings.port, drain_timeout_s=settings.drain_s
            ),
        )
        lifecycle.add(watching(shop))
        lifecycle.add(telling.part(shop))
        lifecycle.add(Part("sagas, alarms and events", shop.start, shop.stop))
        lifecycle.add(Part("demo data", lambda: furnish(shop), nothing))
        lifecycle.add(Part("http", server.start, server.drain))
        lifecycle.add(Part("address", lambda: _say_where(settings, server.port), nothing))
        yield lifecycle, lambda: Serving(shop, f"http://{settings.host}:{server.port}")


def watching(shop: Shop) -> Part:
    """Watches the event loop; stopped last, it also ends what tasks are left."""
    runtime = shop.runtime
    lag = LoopLag(runtime)
    shop.directory.chain.follow(lag)
    watchdog = Watchdog(lag, runtime.clock)

    async def start() -> None:
        _ = runtime.tasks.spawn("loop lag", lag.serve())
        watchdog.start()

    async def stop() -> None:
        watchdog.stop()
        await _end_tasks(runtime)

    return Part("watching the loop", start, stop)


async def _say_where(settings: Settings, port: int) -> None:
    """So that commands on this machine find the shop that holds the folder."""
    host = EVERYWHERE.get(settings.host, settings.host)
    write_address(
        settings.folder, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    )


async def nothing() -> None:
    """Has no end of its own."""


async def _end_tasks(runtime: Runtime) -> None:
    assert isinstance(runtime.tasks, SystemTasks)  # noqa: S101 - made by system_runtime
    stuck = await runtime.tasks.cancel_all()
    if stuck:
        _log.error("tasks ignored the end of the process: %s", ", ".join(stuck))


async def furnish(shop: Shop) -> None:
    """An operator and something on sale, for development on this machine only."""
    settings = shop.settings
    if not settings.is_rehearsal:
        return
    await shop.user.operators.ensure(settings.operator_email, settings.operator_password)
    await seed(shop.directory.clients("platform", scopes=STAFF_SCOPES))

"""The task that shows pages: it asks the shop at its load balancer, as each visitor."""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.logs import JsonLogs, install
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.platform.client.address import Address
from emporion.platform.ecs.metadata import task_place
from emporion.platform.ecs.told import PAGES, PagesTold, read_told
from emporion.platform.rest_asking import RestAsking
from emporion.platform.settings import Environment, load
from emporion.platform.storefront_process import storefront_app


async def pages_task(environ: Mapping[str, str] = os.environ) -> None:
    """Show the pages of the shop that the environment names until SIGTERM, then drain.

    Raises BadTask, UnknownSetting, AddressInUse; whether the shop answers is seen page by page.
    """
    async with pages_process(environ) as (lifecycle, _):
        await lifecycle.run()


@asynccontextmanager
async def pages_process(
    environ: Mapping[str, str],
) -> AsyncIterator[tuple[Lifecycle, HttpServer]]:
    """The process, not started."""
    told = read_told(PagesTold, environ, PAGES)
    settings = replace(
        load(environ=environ),
        host=told.host,
        port=told.http_port,
        data=told.data,
        drain_s=told.drain_s,
        environment=Environment.PRODUCTION,
    )
    runtime = system_runtime()
    telemetry = Telemetry(runtime, is_strict=False)
    name = f"{told.process}-{task_place(environ).instance}"
    level = logging.getLevelNamesMapping()[settings.log_level]
    install(JsonLogs(telemetry.guard, service=name), level=level)
    asking = RestAsking(Address.parse(told.shop))
    lifecycle = Lifecycle(runtime, stop_timeout_s=told.drain_grace_s + told.drain_s)
    app = storefront_app(settings, asking, (runtime, telemetry), closed=lifecycle.why_closed)
    listening = ServerSettings(
        host=told.host,
        port=told.http_port,
        drain_grace_s=told.drain_grace_s,
        drain_timeout_s=told.drain_s,
        trusted_proxies=told.trusted_proxies,
    )
    server = HttpServer(app, listening)
    lifecycle.add(Part("http", server.start, server.drain))
    try:
        yield lifecycle, server
    finally:
        asking.close()

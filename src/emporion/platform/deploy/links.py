"""Who subscribes to which events, asked of the services themselves, put together once."""

import asyncio
from collections import defaultdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from emporion.chassis.events.broker.port import Link
from emporion.chassis.events.outbox import owner_of
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.contracts.contract import Event
from emporion.platform.settings import Settings
from emporion.platform.shop import open_shop


@cache
def links_of_shop() -> tuple[Link, ...]:
    """Each subscriber with each publisher that it hears, by name.

    A whole shop is put together in a temporary folder, not started, and asked: what a service
    subscribes to may be a table, or every event there is. Not for use inside a running loop.
    """
    with TemporaryDirectory() as folder:
        return asyncio.run(_links(Path(folder)))


async def _links(folder: Path) -> tuple[Link, ...]:
    runtime = system_runtime()
    settings = Settings(data=str(folder / "shop"))
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    async with open_shop(settings, runtime, Telemetry(runtime, is_strict=False)) as shop:
        for subscriber, assembly in shop.assemblies.items():
            for subscription in assembly.subscriptions:
                event: type[Event] = subscription.event
                names[owner_of(event), subscriber].add(event.SPEC.name)
    return tuple(
        Link(source, subscriber, tuple(sorted(found)))
        for (source, subscriber), found in sorted(names.items())
    )

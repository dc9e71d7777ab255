"""What shoppers notice of the e-mail service: the same load with it up, down and hung."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from tests.reliability.split_shop import SplitShop
from tests.system.report import table

SERVICE = "email"
SECONDS = 12.0
SHOPPERS = 6
KILL_EVERY_S = 0.05


@asynccontextmanager
async def up(_: SplitShop) -> AsyncIterator[None]:
    """Nothing is wrong."""
    yield


@asynccontextmanager
async def down(shop: SplitShop) -> AsyncIterator[None]:
    """Killed as soon as it is started again."""

    async def kill() -> None:
        while True:
            shop.kill_if_up(shop.instance(SERVICE))
            await asyncio.sleep(KILL_EVERY_S)

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing
        await shop.until_ready(SERVICE)


@asynccontextmanager
async def hung(shop: SplitShop) -> AsyncIterator[None]:
    """It stands still, its connections stay open."""
    part = shop.instance(SERVICE)
    shop.signal(part, signal.SIGSTOP)
    try:
        yield
    finally:
        shop.signal(part, signal.SIGCONT)


STATES: dict[str, Callable[[SplitShop], AbstractAsyncContextManager[None]]] = {
    "up": up,
    "down (killed whenever it starts)": down,
    "hung": hung,
}


async def compare(shop: SplitShop) -> str:
    """The table: a state of the e-mail service a line."""
    lines = []
    for name, state in STATES.items():
        async with state(shop):
            with shop.load(seconds=SECONDS, shoppers=SHOPPERS) as load:
                report = await load.report()
        lines.append(line(name, report))
        await shop.until_quiet()
    head = ("e-mail service", "orders paid", "paid at the first try %", "p50 ms", "p99 ms")
    return table(head, lines, words=1)


def line(name: str, report: dict[str, Any]) -> list[str]:
    """What one load saw."""
    decided, retried = report["orders_decided"], sum(report["retries"].values())
    lost = sum(report["errors"].values())
    share = 100.0 * (report["paid"] - retried) / max(1, decided + lost)
    latency = report["latency_ms"]
    return [
        name,
        f"{report['paid']:,}",
        f"{share:.2f}",
        f"{latency['p50']:,.0f}",
        f"{latency['p99']:,.0f}",
    ]

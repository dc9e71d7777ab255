"""What shoppers notice of who only listens: the same load with them up, down and hung."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from statistics import median
from typing import Any

from tests.reliability.split_shop import SplitShop
from tests.system.report import table

OTHERS = ("fraud", "analytics", "recommendation")
EVERYBODY = ("email", *OTHERS)
"""Who reacts to orders, and is asked for nothing that an order needs."""
SECONDS = 8.0
ROUNDS = 3
"""Each state in turn, so that what else the machine does meets all of them alike."""
SHOPPERS = 6
KILL_EVERY_S = 0.05


@asynccontextmanager
async def down(shop: SplitShop, services: Sequence[str]) -> AsyncIterator[None]:
    """Killed as soon as they are started again."""

    async def kill() -> None:
        while True:
            for service in services:
                shop.kill_if_up(shop.instance(service))
            await asyncio.sleep(KILL_EVERY_S)

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await killing
        for service in services:
            await shop.until_ready(service)


@asynccontextmanager
async def hung(shop: SplitShop, services: Sequence[str]) -> AsyncIterator[None]:
    """They stand still, their connections stay open."""
    parts = [shop.instance(service) for service in services]
    for part in parts:
        shop.signal(part, signal.SIGSTOP)
    try:
        yield
    finally:
        for part in parts:
            shop.signal(part, signal.SIGCONT)


State = tuple[
    Callable[[SplitShop, Sequence[str]], AbstractAsyncContextManager[None]], Sequence[str]
]
STATES: dict[str, State] = {
    "all up": (hung, ()),
    "e-mail down (killed whenever it starts)": (down, ("email",)),
    "e-mail hung": (hung, ("email",)),
    **{f"{service} hung": (hung, (service,)) for service in OTHERS},
    "all four down": (down, EVERYBODY),
    "all four hung": (hung, EVERYBODY),
}


async def compare(shop: SplitShop) -> str:
    """The table: a state a line, medians of ROUNDS loads."""
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in STATES}
    for _ in range(ROUNDS):
        for name, (state, services) in STATES.items():
            async with state(shop, services):
                with shop.load(seconds=SECONDS, shoppers=SHOPPERS) as load:
                    reports[name].append(await load.report())
            await shop.until_quiet()
    head = (
        "who only listens", "orders paid", "paid at the first try %", "p50 ms", "p99 ms",
        "p99 ms of each round",
    )  # fmt: skip
    return table(head, [line(name, found) for name, found in reports.items()], words=1)


def line(name: str, reports: Sequence[dict[str, Any]]) -> list[str]:
    """What the loads saw of one state."""
    decided = sum(report["orders_decided"] for report in reports)
    lost = sum(sum(report["errors"].values()) for report in reports)
    paid = sum(report["paid"] for report in reports)
    at_first = paid - sum(sum(report["retries"].values()) for report in reports)
    p50s, p99s = ([report["latency_ms"][p] for report in reports] for p in ("p50", "p99"))
    return [
        name,
        f"{paid:,}",
        f"{100.0 * at_first / max(1, decided + lost):.2f}",
        f"{median(p50s):,.0f}",
        f"{median(p99s):,.0f}",
        " ".join(f"{p99:,.0f}" for p99 in sorted(p99s)),
    ]

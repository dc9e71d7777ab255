"""What can happen to a split shop, and how it is mended: one fault each, injected for real."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from emporion.platform.shop_folder import SERVICES
from tests.reliability.split_shop import SplitShop

CRASHING_S, CRASHING_LOOK_S = 5.0, 0.1
STOPPED_S = 3.0
SLOW_S = 2.0
SLOW_TIMES = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """Something bad.

    Args:
        name: for the table.
        happen: breaks the shop under load, and returns once it is mended or mends itself.
        is_unnoticed: whether no request may fail meanwhile: not one may be sent again.
    """

    name: str
    happen: Callable[[SplitShop], Awaitable[None]]
    is_unnoticed: bool = False


def killed(part: str) -> Fault:
    """Kill -9; the supervisor starts it again."""

    async def happen(shop: SplitShop) -> None:
        before = shop.pid(part)
        shop.kill(part)
        await shop.until_back(part, before)

    return Fault(f"kill -9 {part}", happen)


def crashing(service: str, duration_s: float = CRASHING_S) -> Fault:
    """Killed whenever it is up again, and back for good in the end."""

    async def happen(shop: SplitShop) -> None:
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            shop.kill_if_up(shop.instance(service))
            await asyncio.sleep(CRASHING_LOOK_S)
        await shop.until_ready(service)

    return Fault(f"{service} crashes for {duration_s:g} s, again and again", happen)


def rolled() -> Fault:
    """No fault: every process replaced by a new one."""

    async def happen(shop: SplitShop) -> None:
        await shop.roll()

    return Fault("all processes rolled", happen, is_unnoticed=True)


def hung(part: str, duration_s: float = STOPPED_S) -> Fault:
    """Every thread of it stands still, connections stay open; then it goes on."""

    async def happen(shop: SplitShop) -> None:
        shop.signal(part, signal.SIGSTOP)
        try:
            await asyncio.sleep(duration_s)
        finally:
            shop.signal(part, signal.SIGCONT)

    return Fault(f"{part} hangs for {duration_s:g} s", happen)


def slow(part: str) -> Fault:
    """It answers SLOW_S late, again and again."""

    async def happen(shop: SplitShop) -> None:
        for _ in range(SLOW_TIMES):
            shop.signal(part, signal.SIGSTOP)
            try:
                await asyncio.sleep(SLOW_S)
            finally:
                shop.signal(part, signal.SIGCONT)
            await asyncio.sleep(SLOW_S / 4)

    return Fault(f"{part} answers {SLOW_S:g} s late, {SLOW_TIMES} times", happen)


FAULTS = (
    *(killed(f"{name}-1") for name in SERVICES),
    killed("nats"),
    killed("postgresql"),
    killed("mongodb"),
    killed("edge"),
    hung("email-1"),
    hung("nats"),
    hung("postgresql"),
    hung("mongodb"),
    hung("edge"),
    slow("payment-1"),
    slow("inventory-1"),
    crashing("email"),
    rolled(),  # last: from here on the instances have other names
)

"""What telemetry costs an order: spans, metrics and ids; not carrying them off, once a second.

The same shop three times in this process, without sockets and subscribers, in turns: silent, as it
is served by default, and with every trace recorded. The cheapest turn of each counts, as the
machine's noise only ever adds.
"""

import asyncio
import gc
import itertools
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.tax import BASKET, IN_FLIGHT, signed_in
from emporion.chassis.auth.verifier import TokenVerifier
from emporion.chassis.calls.context import Trace
from emporion.chassis.calls.inbound import ServedMethod
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.sampling import TRACES_PER_S
from emporion.chassis.telemetry.spans import NO_PARENT, OK, Span
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import AsgiClient
from emporion.platform.demo.seed import seed
from emporion.platform.front import http_app
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.platform.telling.recorder import Recorder
from emporion.platform.telling.records import FILE
from emporion.platform.telling.store.writing import Limits

TURNS = 40
ORDERS_A_TURN = 256
SPANS = 200_000
Turn = Callable[[], Awaitable[float]]
SAME = Trace("a" * 32, "b" * 16, is_sampled=False)
"""What the books of the silent shop say: the ids in them belong to the trail of every change."""


class Silent(Telemetry):
    """Telemetry that makes no ids; spans and metrics of calls are patched away."""

    def trace_of(self, header: str | None) -> Trace:
        return SAME

    def child_of(self, trace: Trace) -> Trace:
        return trace


async def costs_us() -> dict[str, float]:
    """CPU time of an order (us): silent, by default, and with every trace recorded.

    The shop that is opened first is the cheapest, whichever it is: so twice, in both orders.
    """
    kinds = {"silent": None, "default": TRACES_PER_S, "every trace": 10**9}
    one = await _least_us(kinds)
    other = await _least_us(dict(reversed(kinds.items())))
    return {name: (one[name] + other[name]) / 2 for name in kinds}


async def _least_us(kinds: dict[str, int | None]) -> dict[str, float]:
    least: dict[str, float] = {}
    async with AsyncExitStack() as stack:
        turns = {
            name: await stack.enter_async_context(_buyers(traces_per_s))
            for name, traces_per_s in kinds.items()
        }
        for _ in range(TURNS):
            for name, turn in turns.items():
                cost = await (_unrecorded(turn) if name == "silent" else turn())
                least[name] = min(cost, least.get(name, cost))
    return least


@asynccontextmanager
async def _buyers(traces_per_s: int | None) -> AsyncIterator[Turn]:
    """A shop and turns of orders on it; None: one that tells nothing."""
    runtime = system_runtime()
    is_silent = traces_per_s is None
    telemetry = Silent(runtime) if is_silent else Telemetry(runtime, traces_per_s=traces_per_s)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=folder, has_subscribers=False)
        limits = Limits(bytes_max=10**8, hours=1)
        recorder = Recorder(telemetry, runtime, Path(folder) / FILE, limits, deque())
        async with open_shop(settings, runtime, telemetry) as shop:
            await shop.start()
            await seed(shop.directory.clients("platform", scopes=STAFF_SCOPES))
            client = AsgiClient(_silent_app(shop) if is_silent else http_app(shop, str))
            token = await signed_in(client)
            keys = (f"{number:08d}" for number in itertools.count())

            async def buy() -> None:
                for _ in range(ORDERS_A_TURN // IN_FLIGHT):
                    headers = {"authorization": token, "idempotency-key": next(keys)}
                    answer = await client.json("POST", "/api/orders", BASKET, headers=headers)
                    assert answer.status == 201, answer.body  # noqa: PLR2004 - Created

            async def turn() -> float:
                gc.collect()
                started_s = time.process_time()
                await asyncio.gather(*(buy() for _ in range(IN_FLIGHT)))
                cost_s = time.process_time() - started_s
                recorder.telemetry.spans.take()
                return cost_s / ORDERS_A_TURN * 1e6

            yield turn
            await recorder.stop()
            await shop.stop()


def _silent_app(shop: Shop) -> HttpApp:
    verifier = TokenVerifier(shop.user.public_keys, shop.runtime.clock)
    edge = Edge(shop.runtime, verifier.authenticate, lambda _: SAME, _nothing)
    return HttpApp(shop.directory.inbounds, edge)


async def _unrecorded(turn: Turn) -> float:
    served: Any = ServedMethod
    record, served.record = served.record, _nothing
    try:
        return await turn()
    finally:
        served.record = record


def _nothing(*_: object) -> None:
    """Record nothing."""


def span_us() -> float:
    """What it costs to make a span and to keep it (us)."""
    telemetry = Telemetry(system_runtime())
    record, span_id = telemetry.spans.record, telemetry.ids.span_id
    best = float("inf")
    for _ in range(5):
        started_s = time.process_time()
        for _ in range(SPANS):
            record(Span("a" * 32, span_id(), NO_PARENT, "order", "x", "edge", 1.0, 0.1, OK))
        best = min(best, time.process_time() - started_s)
    return best / SPANS * 1e6


if __name__ == "__main__":
    found = uvloop.run(costs_us())
    for name, cost in found.items():
        share = 1 - found["silent"] / cost
        print(f"{name:12} {cost:7.1f} us of CPU an order, {100 * share:4.1f} % of it telemetry")
    print(f"a span {span_us():.2f} us")

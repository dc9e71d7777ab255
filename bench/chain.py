"""What the call chain costs on a local call: microseconds over calling the method directly."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from emporion.chassis.auth.identity import service_identity
from emporion.chassis.calls.chain import Chain
from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.calls.directory import Binding, Directory
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.sample_service import Echo, SampleService, SampleShop

CALLS = 1_000
ROUNDS = 150
BUDGET_US = 5.0


async def measured_us(work: Callable[[], Awaitable[object]]) -> float:
    """The best of several rounds: the machine's noise only ever adds."""
    costs = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        for _ in range(CALLS):
            await work()
        costs.append((time.process_time() - started) / CALLS * 1e6)
    return min(costs)


async def main() -> None:
    """Print the table."""
    runtime = system_runtime()
    telemetry = Telemetry(runtime)
    chain = Chain.of(runtime, telemetry)
    directory = Directory(chain)
    shop = SampleShop(runtime)
    inbound = directory.add(SampleService, shop)
    fast = directory.clients("bench-fast", Binding.LOCAL_FAST).get(SampleService)
    strict = directory.clients("bench-strict", Binding.LOCAL_STRICT).get(SampleService)
    edge = inbound.method(inbound.rpcs["echo"])
    request = Echo(text="hello")
    caller = Call(
        service_identity("bench"), Trace("a" * 32, "b" * 16), runtime.clock.monotonic_s() + 3600
    )
    unvalidated = directory.clients("bench-raw", Binding.LOCAL_FAST).get(SampleService)
    await unvalidated.echo(request)
    outbound: Any = unvalidated.echo
    outbound.__self__.attempt.__self__.decode = None

    token = enter(caller)
    direct = await measured_us(lambda: shop.echo(request))
    rows = {
        "direct": direct,
        "chain without validation": await measured_us(lambda: unvalidated.echo(request)),
        "local-fast": await measured_us(lambda: fast.echo(request)),
        "local-strict": await measured_us(lambda: strict.echo(request)),
        "edge (inbound.method)": await measured_us(lambda: edge(request, caller)),
    }
    leave(token)
    reference = statistics.median([await measured_us(nothing) for _ in range(3)])
    print(f"one awaited empty coroutine: {reference:.2f} us")
    for name, cost_us in rows.items():
        print(f"{name:28} {cost_us:6.2f} us   chain {cost_us - direct:6.2f} us")
    print(f"budget for the chain on a local call: {BUDGET_US} us")


async def nothing() -> None:
    """What an await costs at least."""


if __name__ == "__main__":
    asyncio.run(main())

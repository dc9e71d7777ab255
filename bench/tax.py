"""What telemetry and tokens cost: the shop as it is, beside one that neither records nor checks.

Both in this process, without sockets, in turns; the cheapest turn of each counts, as the
machine's noise only ever adds.
"""

import asyncio
import base64
import gc
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvloop

from emporion.chassis.auth.identity import ANONYMOUS, Identity, Kind
from emporion.chassis.calls.context import NO_TRACE, Trace
from emporion.chassis.calls.inbound import ServedMethod
from emporion.chassis.http.app import Edge, HttpApp
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.telemetry.sampling import TRACES_PER_S
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import AsgiClient
from emporion.platform.demo.seed import seed
from emporion.platform.front import http_app
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop

TURNS = 24
ORDERS_A_TURN = 256
IN_FLIGHT = 32
PERSON = {"email": "bench@example.test", "password": "a long enough password", "name": "Bench"}
BASKET = {
    "lines": [{"sku": "croissant", "quantity": 1}, {"sku": "baguette", "quantity": 1}],
    "payment_token": "tok_ok",
}
Turn = Callable[[], Awaitable[float]]


class Silent(Telemetry):
    """Telemetry that makes no ids; spans and metrics of calls are patched away."""

    def trace_of(self, header: str | None) -> Trace:
        return NO_TRACE

    def child_of(self, trace: Trace) -> Trace:
        return trace


async def tax_share() -> float:
    """The part of an order's CPU time that telemetry and tokens take."""
    async with buyers(_by_default, http_app) as taxed, buyers(Silent, _unguarded) as bare:
        with_us, without_us = [], []
        for _ in range(TURNS):
            with_us.append(await taxed())
            without_us.append(await _unrecorded(bare))
    return 1 - min(without_us) / min(with_us)


def _by_default(runtime: Runtime) -> Telemetry:
    return Telemetry(runtime, traces_per_s=TRACES_PER_S)


@asynccontextmanager
async def buyers(
    kind: Callable[[Runtime], Telemetry], app_of: Callable[[Shop, Callable[[], str]], HttpApp]
) -> AsyncIterator[Turn]:
    """A shop, and turns of orders on it that give the CPU time of one order (us)."""
    runtime = system_runtime()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=folder, has_subscribers=False)
        async with open_shop(settings, runtime, kind(runtime)) as shop:
            await shop.start()
            await seed(shop.directory.clients("platform", scopes=STAFF_SCOPES))
            client = AsgiClient(app_of(shop, str))
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
                return (time.process_time() - started_s) / ORDERS_A_TURN * 1e6

            yield turn
            await shop.stop()


async def signed_in(client: AsgiClient) -> str:
    await client.json("POST", "/api/users", PERSON)
    proof = {key: PERSON[key] for key in ("email", "password")}
    answer = await client.json("POST", "/api/users/sessions", proof)
    return f"Bearer {answer.json()['access_token']}"


async def _unrecorded(turn: Turn) -> float:
    served: Any = ServedMethod
    record, served.record = served.record, _nothing
    try:
        return await turn()
    finally:
        served.record = record


def _unguarded(shop: Shop, _closed: Callable[[], str]) -> HttpApp:
    return HttpApp(
        shop.directory.inbounds, Edge(shop.runtime, _believe, lambda _: NO_TRACE, _nothing)
    )


def _nothing(*_: object) -> None:
    """Record nothing."""


_believed: dict[bytes, Identity] = {}


def _believe(header: bytes | None) -> Identity:
    """Whoever the token says, without looking at its signature or its expiry."""
    if header is None:
        return ANONYMOUS
    if header not in _believed:
        claims = header.split(b".")[1]
        said = msgspec.json.decode(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))
        _believed[header] = Identity(Kind.PERSON, said["sub"], frozenset(said["scope"].split()))
    return _believed[header]


if __name__ == "__main__":
    share = uvloop.run(tax_share())
    print(f"telemetry and tokens: {100 * share:.1f} % of the CPU time of an order")

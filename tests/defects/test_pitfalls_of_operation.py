"""Pitfalls 6 to 10: retry storms, blocked loops, blind tests, toy operations, lock-in."""

import asyncio
import re
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from emporion.chassis.calls.context import current_call
from emporion.chassis.calls.outbound import RETRIES_MAX
from emporion.chassis.events.bus import ParkedStatus
from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.resilience.breaker import BreakerLimits
from emporion.chassis.resilience.budget import MEMORY_S, RETRIES_PER_S, RETRY_SHARE
from emporion.chassis.runtime.lag import LoopLag, Watchdog
from emporion.chassis.runtime.lifecycle import Lifecycle, Part
from emporion.contracts.inventory import InventoryService, Line, Reservation, Reserve
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import OrderId
from emporion.platform.front import http_app
from tests.defects.books import Mail
from tests.defects.people import slug_of
from tests.defects.whole_shop import CROISSANT, WholeShop

DAY_S = 86_400


# --- 6: retries ----------------------------------------------------------------------------------


class Storm:
    """Calls of the order service to an inventory that loses every third of its answers, or all."""

    _served: Any

    def __init__(self, shop: WholeShop, *, loses_all: bool = False) -> None:
        self.asked = 0
        self.client = shop.client(InventoryService, caller="order")
        self._shop = shop
        self._loses_all = loses_all
        self._served = shop.shop.assembly("inventory").implementation
        self._served.reserve = self._answer

    async def _answer(self, request: Reserve) -> Reservation:
        self.asked += 1
        reservation: Reservation = await type(self._served).reserve(self._served, request)
        if self._loses_all or int(request.order_id[-4:], 16) % 3 == 2:
            raise Unavailable("the answer was lost")
        return reservation

    async def blow(self, calls: int) -> None:
        """Make so many calls, in gusts of a hundred."""
        for start in range(0, calls, 100):
            gust = (self.call(number) for number in range(start, start + 100))
            await self._shop.live(asyncio.gather(*gust, return_exceptions=True))

    async def call(self, number: int) -> Reservation:
        """One call, for an order of its own."""
        lines = [Line(sku=CROISSANT, quantity=1)]
        request = Reserve(order_id=OrderId(f"ord_{number:032x}"), lines=lines)
        return await self._shop.live(self.client.reserve(request))


async def test_pitfall_06_retries_stay_within_their_budget(shop):
    await shop.stock("croissant", 10_000)
    storm = Storm(shop)
    calls, lost = 600, 200
    naive = calls + RETRIES_MAX * lost
    out_of_the_way: Any = storm.client.reserve
    out_of_the_way.__self__.breaker.limits = BreakerLimits(failures_min=10**9)
    began_s = shop.clock.monotonic_s()

    await storm.blow(calls)

    elapsed_s = shop.clock.monotonic_s() - began_s
    budget = RETRY_SHARE * calls + RETRIES_PER_S * (elapsed_s + MEMORY_S)
    assert calls + 100 <= storm.asked <= calls + budget < naive


async def test_pitfall_06_a_callee_that_is_down_is_left_alone(shop):
    await shop.stock("croissant", 10_000)
    storm = Storm(shop, loses_all=True)

    await storm.blow(500)
    asked = storm.asked
    with suppress(Unavailable):
        await storm.call(501)

    assert storm.asked == asked <= 100 + 100


@pytest.mark.parametrize("patience_s", [0.5, None])
async def test_pitfall_06_the_deadline_travels_to_every_service_even_where_none_was_set(
    shop, patience_s
):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    began_s, seen_s = shop.clock.monotonic_s(), []
    inventory: Any = shop.shop.assembly("inventory").implementation

    async def reserve(request: Reserve) -> Reservation:
        seen_s.append(current_call().deadline_s - began_s)
        reservation: Reservation = await type(inventory).reserve(inventory, request)
        return reservation

    async def charge(_: str) -> None:
        seen_s.append(current_call().deadline_s - began_s)

    inventory.reserve, shop.provider.before_charge = reserve, charge
    answer = await ada.send(
        "POST",
        "/api/orders",
        {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"},
        key="mine",
        **({"x-request-timeout-s": str(patience_s)} if patience_s else {}),
    )

    assert answer.status == 201
    assert len(seen_s) == 2
    assert max(seen_s) <= (patience_s or 10.0)


# --- 7: the loop ---------------------------------------------------------------------------------


async def test_pitfall_07_a_blocked_loop_sheds_what_is_optional_and_takes_orders(shop):
    ada, operator = await shop.customer("Ada"), await shop.operator()
    await shop.stock("croissant", 5)
    chain = shop.shop.directory.chain
    lag = LoopLag(shop.runtime)
    chain.follow(lag)
    limit = chain.limiter.limit
    assert (await operator.get("/api/mails")).status == 200
    shop.tasks.spawn("loop lag", lag.serve())
    await shop.pass_time(0.2)

    shop.clock.advance(3.0)  # the loop does not turn for three seconds
    await shop.pass_time(0.0)
    shed = await operator.get("/api/mails")
    order = await ada.order(("croissant", 1))
    assert lag.lag_s_max > 2.5
    assert chain.limiter.limit < limit
    await shop.pass_time(2)
    again = await operator.get("/api/mails")

    assert (shed.status, slug_of(shed)) == (429, "resource-exhausted")
    assert order.status == 201
    assert again.status == 200
    assert chain.limiter.limit >= limit


async def test_pitfall_07_the_watchdog_says_what_blocks_the_loop(shop, caplog):
    lag = LoopLag(shop.runtime)
    watchdog = Watchdog(lag, shop.clock)
    watchdog._watched = threading.get_ident()
    shop.tasks.spawn("loop lag", lag.serve())
    await shop.pass_time(0.2)

    def compute_for_ever() -> None:
        shop.clock.advance(3.0)
        watchdog.look()
        watchdog.look()

    compute_for_ever()

    assert watchdog.blockages == 1
    (said,) = [each.getMessage() for each in caplog.records if "has been blocked" in each.message]
    assert "compute_for_ever" in said


# --- 8: tests that can fail ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "meddling", "check"),
    [
        ("inventory", "UPDATE level SET on_hand = on_hand + 1", "stock movements = level"),
        ("payment", "UPDATE payment SET amount_minor = amount_minor + 1", "replay to the row"),
        ("order", "UPDATE orders SET status = 'pending'", "replay to the row"),
        ("order", "DELETE FROM outbox WHERE position = 2", "no gaps"),
        ("email", "DELETE FROM mail", "one confirmation"),
    ],
)
async def test_pitfall_08_the_checker_of_all_these_tests_is_not_blind(
    shop, service, meddling, check
):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    for _ in range(3):
        await ada.order(("croissant", 1))
    await shop.deliver()
    assert await shop.audit() == []

    await shop.write(service, meddling)

    assert any(check in found for found in await shop.audit())


# --- 9: operations -------------------------------------------------------------------------------


async def test_pitfall_09_liveness_does_not_ask_a_database(shop):
    stranger = shop.stranger()

    for database in shop.shop.databases.values():
        await database.close()

    assert (await stranger.get("/readyz")).status == 503
    assert (await stranger.get("/livez")).status == 200


async def test_pitfall_09_a_draining_process_finishes_what_it_accepted(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    lifecycle = Lifecycle(shop.runtime)
    app = http_app(shop.shop, lifecycle.why_closed)
    server = HttpServer(app, ServerSettings(port=0, drain_grace_s=0.0))
    lifecycle.add(Part("http", server.start, server.drain))
    await lifecycle.start()
    stopping, readiness = [], []

    async def stop_in_the_middle(_: str) -> None:
        lifecycle.ask_to_stop()
        stopping.append(asyncio.ensure_future(lifecycle.stop()))
        readiness.append(await shop.http_of(app).get("/readyz"))

    shop.provider.before_charge = stop_in_the_middle
    answer = await over_a_socket(server.port, ada.headers())
    await stopping[0]

    assert answer.startswith(b"HTTP/1.1 201")
    assert b"connection: close" in answer
    assert (readiness[0].status, readiness[0].json()["status"]) == (503, "draining")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await shop.deliver()
    assert await shop.audit() == []


async def over_a_socket(port: int, headers: dict[str, str]) -> bytes:
    """An order sent to a real server; the whole answer, until the server closes."""
    body = msgspec.json.encode(
        {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_ok"}
    )
    head = {
        **headers,
        "host": "shop.test",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "idempotency-key": "over-a-socket",
    }
    lines = ["POST /api/orders HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


async def test_pitfall_09_a_dead_letter_is_kept_and_can_be_redriven(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    await shop.break_mails()
    answer = await ada.order(("croissant", 1))
    await shop.deliver()
    await shop.pass_time(4 * DAY_S)
    await shop.deliver()
    bus = shop.shop.bus

    dead = (await bus.parked("email", status=ParkedStatus.DEAD)).events
    assert [(each.name, "broken" in each.last_error) for each in dead] == [("orders.created", True)]
    await shop.mend_mails()
    assert await shop.deliver() is None
    assert await bus.redrive("email") == 1
    await shop.deliver()

    order_id = answer.json()["order_id"]
    assert await shop.mails() == [Mail("order-confirmation", order_id, "queued")]
    assert await shop.audit() == []


async def test_pitfall_09_no_id_and_nothing_a_client_sends_is_a_metric_label(shop):
    ada = await shop.customer("Ada")
    await shop.stock("croissant", 5)
    order_id = (await ada.order(("croissant", 1))).json()["order_id"]
    await ada.get("/api/inventory/availability/croissant")
    await ada.get("/no/such/page")
    await ada.send("BREW", "/api/orders")
    labels = re.findall(r"\{(.*?)\}", shop.telemetry.metrics.exposition().decode())
    assert any("/api/inventory/availability/{sku" in label for label in labels)
    assert not [each for each in labels if re.search("croissant|no/such|BREW", each)]

    await ada.get(f"/api/orders/{order_id}")
    await shop.deliver()

    exposition = shop.telemetry.metrics.exposition().decode()
    assert not re.findall(r"[0-9a-f]{16}", exposition)


# --- 10: parts -----------------------------------------------------------------------------------

SAGA = """
import asyncio, sys, tempfile
from pathlib import Path
from emporion.chassis.saga.definition import Saga, local, step
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.port import Start
from emporion.chassis.testing.databases import sqlite_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import Message
from emporion.kernel.errors import FailedPrecondition

class Trip(Message): city: str
log = []
async def book(tx, trip): log.append("book " + trip.city)
async def unbook(tx, trip, why): log.append("unbook")
async def fly(trip): log.append("fly"); raise FailedPrecondition
async def stay(trip): log.append("stay home")

async def main():
    async with sqlite_database(Path(tempfile.mkdtemp())) as database:
        engine = SagaEngine("trips", database, manual_runtime())
        trip = Saga("trip", 1, Trip, (local("book", do=book, undo=unbook),
                                      step("fly", request=lambda t: t, do=fly, undo=stay)))
        engine.register([trip])
        outcome = await engine.run(trip, Start("1", Trip("Delos"), "k", b""), wait_s=1)
        print(outcome.state, log)

asyncio.run(main())
"""
EVENT_STORE = """
import asyncio, sys, tempfile
from pathlib import Path
import msgspec
from emporion.chassis.eventstore.store import EventStore
from emporion.chassis.testing.databases import sqlite_database

class Opened(msgspec.Struct): owner: str
store = EventStore({"opened": Opened})

async def main():
    async with sqlite_database(Path(tempfile.mkdtemp())) as database:
        await database.transaction(
            lambda tx: store.append(tx, "acc-1", [Opened("Ada")], expected_version=0, at_ms=1))
        print([each.event for each in await database.read(lambda tx: store.load(tx, "acc-1"))])

asyncio.run(main())
"""
BUS = """
import asyncio, sys, tempfile
from pathlib import Path
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.events.subscription import on
from emporion.chassis.testing.databases import sqlite_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import Event, EventSpec

class Rang(Event):
    SPEC = EventSpec("bell.rang", key="bell")
    bell: str
heard = []
async def hear(tx, received): heard.append(received.event.bell)

async def main():
    folder = Path(tempfile.mkdtemp())
    async with sqlite_database(folder, source="a") as a, sqlite_database(folder, source="b") as b:
        bus = InProcessBus(manual_runtime(), owner_of=lambda _: "a")
        bus.join("a", a)
        bus.join("b", b, [on(Rang, hear)])
        await a.transaction(lambda tx: tx.publish(Rang(bell="great")))
        await bus.deliver_due()
        print(heard)

asyncio.run(main())
"""
ALONE = """
taken = {name.split(".")[1] for name in sys.modules if name.startswith("emporion.")}
assert taken <= {"chassis", "contracts", "kernel"}, taken
assert not [each for each in sys.modules if each.startswith(("uvicorn", "aiohttp", "joserfc"))]
"""


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (SAGA, "refused ['book Delos', 'fly', 'unbook']"),
        (EVENT_STORE, "[Opened(owner='Ada')]"),
        (BUS, "['great']"),
    ],
    ids=["saga", "event store", "bus"],
)
def test_pitfall_10_each_part_is_usable_alone(program, printed):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + ALONE],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    complaint = done.stderr.strip().rpartition("\n")[2]
    assert (complaint, done.stdout.strip()) == ("", printed)

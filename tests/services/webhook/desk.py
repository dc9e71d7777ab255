"""A webhook service on a real database that sends over real connections to real endpoints."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.subscription import Received
from emporion.chassis.http.outgoing import Poster
from emporion.chassis.runtime.assembly import Assembly
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Event, Request
from emporion.contracts.order import OrderCancelled, OrderCreated
from emporion.contracts.webhook import (
    CreateHook,
    Delivery,
    DeliveryOf,
    DeliverySummary,
    Hook,
    HookOf,
    HookSecret,
    ListDeliveries,
    WebhookService,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import HookId, OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.webhook.adapters.http import HttpCourier
from emporion.services.webhook.ports import Courier
from emporion.services.webhook.service import WebhookNeeds, build

ADA = UserId("usr_" + "a" * 32)
STAFF = UserId("usr_" + "e" * 32)
EVENTS = (OrderCreated, OrderCancelled)
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Post:
    """A request that an endpoint got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Endpoint:
    """A merchant's server on this machine; answers what a test says, 204 when it says nothing.

    While `is_slow`, answers wait until the test lets them go.
    """

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    is_slow: bool = False
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Endpoint"]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        try:
            yield self
        finally:
            self.let_go.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posts.append(Post(request.path_qs, headers, await request.read()))
        if self.is_slow:
            await self.let_go.wait()
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@dataclass
class Desk:
    """What a test holds."""

    clock: ManualClock
    runtime: Runtime
    database: Database
    assembly: Assembly

    @property
    def service(self) -> WebhookService:
        return cast("WebhookService", self.assembly.implementation)

    async def ask(self, method: str, request: Request) -> Any:
        """Call the service as staff."""
        token = enter(Call(identity=Identity(Kind.PERSON, STAFF, frozenset())))
        try:
            return await getattr(self.service, method)(request)
        finally:
            leave(token)

    async def subscribe(self, url: str, *events: str, **but: Any) -> HookSecret:
        """A new subscription, by default to orders.created."""
        wanted = list(events) or [OrderCreated.SPEC.name]
        made: HookSecret = await self.ask("create_hook", CreateHook(url=url, events=wanted, **but))
        return made

    async def hook(self, hook_id: HookId) -> Hook:
        return await self.service.get_hook(HookOf(hook_id=hook_id))

    async def tell(self, *numbers: int, event: Event | None = None, at_ms: int = 0) -> None:
        """What the bus does: react to a batch of one kind in one transaction."""
        events = [event or self.paid(number) for number in numbers]
        received: list[Received[Any]] = [
            Received(each, event_id(number), at_ms or self.clock.now_ms(), "")
            for number, each in zip(numbers, events, strict=True)
        ]
        reactions = {row.event: row.react_many for row in self.assembly.subscriptions}
        react = reactions[type(events[0])]
        assert react is not None

        async def work(tx: Tx) -> None:
            await react(tx, received)

        await self.database.transaction(work)

    def paid(self, number: int) -> OrderCreated:
        return OrderCreated(
            order_id=OrderId(f"ord_{number:032x}"),
            user_id=ADA,
            amount=Money(1_000, "EUR"),
            lines=[],
            created_at=to_datetime(self.clock.now_ms()),
        )

    async def start_sending(self) -> int | None:
        """One run of the sender's alarm; its tries go on."""
        return await self.assembly.alarms[0]._run_due()

    async def send(self) -> None:
        """Send all that is due now, to its end."""
        await self.start_sending()
        while tries := self.tries():
            await asyncio.wait(tries)
            await self.start_sending()

    def tries(self) -> list["asyncio.Task[Any]"]:
        """The tries that are under way."""
        return [each for each in asyncio.all_tasks() if each.get_name().startswith("webhook ")]

    async def until_due(self, hook_id: HookId) -> int:
        """Move on to when the next delivery is due; how many seconds that is."""
        ((due_ms,),) = await self.rows(
            "SELECT min(next_at_ms) FROM hook_delivery WHERE status = 'waiting' AND hook_id = ?",
            hook_id,
        )
        wait_s = (int(due_ms) - self.clock.now_ms()) / 1_000
        self.clock.advance(wait_s)
        return round(wait_s)

    async def deliveries(self, hook_id: HookId) -> list[DeliverySummary]:
        """All of a subscription, the oldest first."""
        page = await self.service.list_deliveries(ListDeliveries(hook_id=hook_id, limit=200))
        return page.deliveries[::-1]

    async def delivery(self, hook_id: HookId, at: int = 0) -> Delivery:
        """One of them, with its attempts."""
        summary = (await self.deliveries(hook_id))[at]
        return await self.service.get_delivery(
            DeliveryOf(hook_id=hook_id, delivery_id=summary.delivery_id)
        )

    async def rows(self, sql: str, *args: Any) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql, *args)

        return await self.database.read(work)


def event_id(number: int) -> str:
    return f"evt_{number:032x}"


@asynccontextmanager
async def open_desk(
    folder: Path,
    engine: Engine,
    clock: ManualClock | None = None,
    courier: Courier | None = None,
) -> AsyncIterator[Desk]:
    """The service on the files of `folder`: opening it again is a restart."""
    clock = clock or ManualClock()
    runtime = manual_runtime(clock, seed=secrets.randbits(16))
    async with sql_database(
        engine, folder, [migrations_of("webhook", engine)], source="webhook", runtime=runtime
    ) as database:
        poster = Poster(lambda address: address.is_loopback)
        needs = WebhookNeeds(
            runtime=runtime,
            database=database,
            clients=cast("Any", None),
            sagas=cast("Any", None),
            courier=courier or HttpCourier(poster, clock, timeout_s=TIMEOUT_S),
            events=EVENTS,
            is_http_allowed=True,
        )
        desk = Desk(clock, runtime, database, build(needs))
        try:
            yield desk
        finally:
            for each in desk.tries():
                each.cancel()
            await asyncio.gather(*desk.tries(), return_exceptions=True)

"""A whole shop that a test holds in its hand: every service, real files, real bus, time by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from emporion.chassis.auth.tokens import TokenSigner
from emporion.chassis.calls.clients import S
from emporion.chassis.calls.directory import Binding
from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import App, AsgiClient
from emporion.chassis.testing.time import (
    ManualClock,
    ManualTasks,
    SeededRandomness,
    settle,
)
from emporion.contracts.catalog import CatalogService, PutProduct, Variant
from emporion.contracts.inventory import InventoryService, MoveStock, PutWarehouse
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.platform.front import http_app
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.services.user.domain import SCOPES, Role
from tests.defects.faults import Faults
from tests.defects.people import Person
from tests.defects.steered import SteeredMailer, SteeredProvider, TimedIds

T = TypeVar("T")
_ADD_ACCOUNT = (
    "INSERT INTO account (user_id, email, email_key, name, role, password_hash, locale, time_zone,"
    " wants_news, created_at_ms) VALUES (?, ?, ?, ?, ?, 'no password', 'en', 'UTC', 0, 0)"
    " ON CONFLICT DO NOTHING"
)
CROISSANT = Sku("croissant")


class Threads(ThreadPoolExecutor):
    """The loop's threads, which say what is under way: time must not pass for it meanwhile."""

    def __init__(self) -> None:
        super().__init__(max_workers=4, thread_name_prefix="aside")
        self.under_way: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See Executor.submit."""
        future = super().submit(fn, *args, **kwargs)
        self.under_way.add(future)
        return future

    async def until_idle(self) -> None:
        """Wait for all that is under way, however it ends."""
        seen = list(self.under_way)
        _ = await asyncio.gather(*map(asyncio.wrap_future, seen), return_exceptions=True)
        self.under_way.difference_update(seen)


class WholeShop(Faults):
    """All services in one process on a folder, driven over HTTP without a socket.

    Nothing runs by itself: events are delivered, mails sent and sagas taken up again when the
    test says so, unless it calls `start`. Time moves only while something waits for it.
    """

    def __init__(self, folder: Path, binding: Binding = Binding.LOCAL_STRICT) -> None:
        self.folder = folder
        self.binding = binding
        self.clock = ManualClock()
        self.tasks = ManualTasks(self.clock)
        self.runtime = Runtime(self.clock, TimedIds(self.clock), SeededRandomness(), self.tasks)
        self.closed = ""
        self.allows_faults = False
        self.shop: Shop
        self.http: AsgiClient
        self.provider: SteeredProvider
        self.mailer: SteeredMailer
        self._opened = AsyncExitStack()
        self._products: dict[str, str] = {}
        self._names: dict[str, UserId] = {}
        self._is_driven = False
        self._threads = Threads()

    # --- its life --------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the folder; a second later, so that it is past the instant it was opened."""
        asyncio.get_running_loop().set_default_executor(self._threads)
        self.telemetry = Telemetry(self.runtime)
        settings = Settings(data=str(self.folder), allow_faults=self.allows_faults)
        with mock.patch.multiple(
            "emporion.platform.services",
            RehearsalProvider=self._make_provider,
            KeptMailer=self._make_mailer,
        ):
            self.shop = await self._opened.enter_async_context(
                open_shop(settings, self.runtime, self.telemetry, binding=self.binding)
            )
        self.http = AsgiClient(http_app(self.shop, lambda: self.closed))
        ring: Any = self.shop.assembly("user").probes["signing keys"]
        self._key = await ring.__self__.signing()
        self.clock.advance(1.0)

    async def close(self) -> None:
        """What a crash leaves and what a stop leaves is the same here: what was committed."""
        await self.tasks.cancel_all()
        await self._opened.aclose()
        self.provider.close()

    async def restart(self) -> None:
        """Close, and open again on the same files."""
        await self.close()
        await self.open()

    async def start(self) -> None:
        """Let alarms, sagas and deliveries run by themselves, as in a real process."""
        await self.live(self.shop.start())
        self._opened.push_async_callback(self.shop.stop)

    # --- time ------------------------------------------------------------------------------------

    async def live(self, work: Awaitable[T]) -> T:
        """Run `work`; whenever everything waits, time moves on to whoever is due next."""
        if self._is_driven:
            return await work
        self._is_driven = True
        try:
            task = asyncio.ensure_future(work)
            while not task.done():
                await self._rest()
                due_s = self.clock.next_due_s()
                if task.done():
                    break
                if due_s is None:
                    await asyncio.wait((task,), timeout=10)
                    assert task.done(), "nothing moves any more"
                else:
                    self.clock.advance(max(0.0, due_s - self.clock.monotonic_s()))
            return await task
        finally:
            self._is_driven = False

    async def all(self, works: Iterable[Awaitable[T]]) -> list[T]:
        """Run all at once."""
        return await self.live(asyncio.gather(*works))

    async def pass_time(self, duration_s: float) -> None:
        """Let so much time pass, and whoever is due do its work."""
        await self.live(self.tasks.sleep(duration_s))

    async def _rest(self) -> None:
        """Until nothing moves but time."""
        await settle()
        while (busy := self._busy_databases()) or self._threads.under_way:
            for database in busy:
                with suppress(Unavailable):  # it was broken on purpose: then nothing waits for it
                    await database.transaction(_touch_nothing)
            await self._threads.until_idle()
            await settle()

    def _busy_databases(self) -> list[Any]:
        return [each for each in self.shop.databases.values() if each.waiting]

    # --- people ----------------------------------------------------------------------------------

    def http_of(self, app: App) -> AsgiClient:
        """A client of another application over the same services."""
        return AsgiClient(app)

    async def customer(self, name: str) -> Person:
        """Somebody with an account."""
        return await self._person(name, Role.CUSTOMER)

    async def operator(self) -> Person:
        """Somebody of the staff."""
        return await self._person("operator", Role.OPERATOR)

    def stranger(self) -> Person:
        """Somebody who is not signed in."""
        return Person(self, "stranger", UserId(""), dict)

    async def _person(self, name: str, role: Role) -> Person:
        user_id = self._names.setdefault(name, UserId(f"usr_{len(self._names) + 1:032x}"))
        address = f"{name}@example.test"
        await self.write("user", _ADD_ACCOUNT, user_id, address, address, name, role.value)
        signer = TokenSigner(self.clock, self.runtime.ids)

        def headers() -> dict[str, str]:
            token = signer.sign(self._key, subject=user_id, scopes=SCOPES[role])
            return {"authorization": f"Bearer {token}"}

        return Person(self, name, user_id, headers)

    # --- goods -----------------------------------------------------------------------------------

    async def sell(self, sku: str, *, price_minor: int = 250, currency: str = "EUR") -> None:
        """Put something on sale, or change its price."""
        product_id: Any = self._products.setdefault(sku, self.runtime.ids.new("prd"))
        variant = Variant(sku=Sku(sku), name=sku, price=Money(price_minor, currency))
        await self.live(
            self.client(CatalogService).put_product(
                PutProduct(product_id=product_id, name=sku, variants=[variant])
            )
        )

    async def stock(
        self, sku: str, units: int, *, at: str = "main", priority: int = 100, price_minor: int = 250
    ) -> None:
        """Put something on sale and so many units of it on a shelf."""
        if sku not in self._products:
            await self.sell(sku, price_minor=price_minor)
        inventory, shelf = self.client(InventoryService), WarehouseId(at)
        await self.live(
            inventory.put_warehouse(PutWarehouse(warehouse_id=shelf, name=at, priority=priority))
        )
        key = self.runtime.ids.new("mov")
        await self.live(
            inventory.move_stock(
                MoveStock(movement_key=key, sku=Sku(sku), warehouse_id=shelf, quantity=units)
            )
        )

    # --- what happens behind the counter ---------------------------------------------------------

    def client(self, contract: type[S], *, caller: str = "platform") -> S:
        """A client of a service; the platform's may do what staff may."""
        scopes = STAFF_SCOPES if caller == "platform" else frozenset[str]()
        return self.shop.directory.clients(caller, self.binding, scopes=scopes).get(contract)

    async def deliver(self) -> int | None:
        """Carry every event to its subscribers; when the next retry is due."""
        return await self.live(self.shop.bus.deliver_due())

    async def send_mails(self) -> None:
        """Let the sender of mails run once."""
        await self._run_alarm("email", "send mails")

    async def release_overdue_holds(self) -> None:
        """Let the alarm of overdue holds run once."""
        await self._run_alarm("inventory", "inventory: overdue holds")

    async def take_up_sagas(self) -> None:
        """What the engine does at a start: every open saga is due, and is driven on."""
        engine = self.shop.engines["order"]
        await self.live(engine.recover())
        await self.live(engine.run_due())

    async def _run_alarm(self, service: str, name: str) -> None:
        alarms = {alarm.name: alarm for alarm in self.shop.assembly(service).alarms}
        await self.live(alarms[name]._run_due())

    def _make_provider(self, *args: Any, **options: Any) -> SteeredProvider:
        self.provider = SteeredProvider(*args, **options)
        return self.provider

    def _make_mailer(self) -> SteeredMailer:
        self.mailer = SteeredMailer()
        return self.mailer


async def _touch_nothing(_: Tx) -> None:
    """Comes after the transactions that wait."""

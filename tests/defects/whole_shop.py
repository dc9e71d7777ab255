"""A whole shop that a test holds in its hand: every service, real files, real bus, time by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from unittest import mock

import apsw

from emporion.chassis.auth.tokens import TokenSigner
from emporion.chassis.calls.clients import S
from emporion.chassis.calls.directory import Binding
from emporion.chassis.data.database import Row, Tx, Value
from emporion.chassis.data.sqlite.connection import open_reader
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.asgi import Answer, App, AsgiClient
from emporion.chassis.testing.time import (
    ManualClock,
    ManualTasks,
    SeededRandomness,
    settle,
)
from emporion.contracts.catalog import CatalogService, PutProduct, Variant
from emporion.contracts.inventory import InventoryService, MoveStock, PutWarehouse
from emporion.kernel.errors import EmporionError, Unavailable
from emporion.kernel.ids import Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.platform.audit.run import look_once
from emporion.platform.front import http_app
from emporion.platform.settings import Settings
from emporion.platform.shop import STAFF_SCOPES, Shop, open_shop
from emporion.services.email.adapters.kept import KeptMailer
from emporion.services.email.ports import Letter, Verdict
from emporion.services.payment.adapters.book import entries_in
from emporion.services.payment.adapters.rehearsal import BOOK_FILE, RehearsalProvider
from emporion.services.payment.ports import Answer as ProviderAnswer
from emporion.services.payment.ports import Reversal
from emporion.services.user.domain import SCOPES, Role

T = TypeVar("T")
_ADD_ACCOUNT = (
    "INSERT INTO account VALUES (?, ?, ?, ?, ?, 'no password', 'en', 'UTC', 0, 0)"
    " ON CONFLICT DO NOTHING"
)
Line = tuple[str, int]
CROISSANT = Sku("croissant")


class Mail(NamedTuple):
    """A mail as the email service has it."""

    template: str
    order_id: str
    status: str


class TimedIds:
    """Ids that begin with the instant, like a process's own, and go on by counting."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._numbers = count(1)

    def new(self, prefix: str) -> str:
        """A new id."""
        return f"{prefix}_{self._clock.now_ms():012x}{next(self._numbers):020x}"


class SteeredProvider(RehearsalProvider):
    """The rehearsal provider, with what a test wants to go wrong.

    `before_charge` runs before money is taken, given the key; `asked` are the keys so far. While
    `is_charge_down` or `is_refund_down`, such requests are lost on their way.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[str] = []
        self.before_charge: Callable[[str], Awaitable[object]] = nothing_before
        self.is_charge_down = False
        self.is_refund_down = False

    def answer_after(self, late_s: float) -> None:
        """How late `tok_late` is."""
        self._late_s = late_s

    async def charge(self, *, key: str, amount: Money, token: str) -> ProviderAnswer:
        """See PaymentProvider."""
        self.asked.append(key)
        await self.before_charge(key)
        if self.is_charge_down:
            raise Unavailable("the request was lost")
        return await super().charge(key=key, amount=amount, token=token)

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        """See PaymentProvider."""
        if self.is_refund_down:
            raise Unavailable("the request was lost")
        return await super().refund(key=key, reference=reference, amount=amount)

    async def charge_and_tell(self, key: str, amount: Money) -> None:
        """A request that was believed lost arrives after all, and its answer comes on its own."""
        answer = self._take(key, amount)
        await self._tell(key, answer, after_s=0.0)


class SteeredMailer(KeptMailer):
    """The mailer of development; raises Unavailable while `is_down`."""

    def __init__(self) -> None:
        self.is_down = False
        self.sent: list[str] = []

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        """See Mailer."""
        if self.is_down:
            raise Unavailable("the mail server does not answer")
        self.sent += [letter.name for letter in letters]
        return await super().send(letters)


class WholeShop:
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
        self.shop: Shop
        self.http: AsgiClient
        self.provider: SteeredProvider
        self.mailer: SteeredMailer
        self._opened = AsyncExitStack()
        self._products: dict[str, str] = {}
        self._names: dict[str, UserId] = {}
        self._is_driven = False

    # --- its life --------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the folder; a second later, so that it is past the instant it was opened."""
        self.telemetry = Telemetry(self.runtime)
        settings = Settings(data=str(self.folder))
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
        while busy := [each for each in self.shop.databases.values() if each.waiting]:
            for database in busy:
                with suppress(Unavailable):  # it was broken on purpose: then nothing waits for it
                    await database.transaction(_touch_nothing)
            await settle()

    # --- people ----------------------------------------------------------------------------------

    def http_of(self, app: App) -> AsgiClient:
        """A client of another application over the same services."""
        return AsgiClient(app)

    async def customer(self, name: str) -> "Person":
        """Somebody with an account."""
        return await self._person(name, Role.CUSTOMER)

    async def operator(self) -> "Person":
        """Somebody of the staff."""
        return await self._person("operator", Role.OPERATOR)

    def stranger(self) -> "Person":
        """Somebody who is not signed in."""
        return Person(self, "stranger", UserId(""), dict)

    async def _person(self, name: str, role: Role) -> "Person":
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

    # --- faults ----------------------------------------------------------------------------------

    def refuse_step(self, name: str, refusal: Callable[[], EmporionError]) -> None:
        """From now on, until a restart, a step of the order sagas is refused."""

        async def refuse(*_: object) -> None:
            raise refusal()

        for saga in self.shop.assembly("order").sagas:
            for step in saga.steps:
                if step.name == name:
                    object.__setattr__(step, "do", refuse)

    async def break_mails(self) -> None:
        """From now on no mail can be queued: the reaction fails at its write."""
        await self.write(
            "email",
            "CREATE TRIGGER broken BEFORE INSERT ON mail BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )

    async def mend_mails(self) -> None:
        """Mails can be queued again."""
        await self.write("email", "DROP TRIGGER broken")

    def watch_commits(self, service: str, sql: str) -> list[Row]:
        """The first row of a query at the very instant after each commit of a service, to come."""
        database = self.shop.databases[service]
        assert isinstance(database, SqliteDatabase)
        seen: list[Row] = []
        reader = open_reader(database.path)

        def committed(connection: apsw.Connection, name: str, pages: int) -> int:
            seen.append(reader.execute(sql).fetchall()[0])
            return database._log_grew(connection, name, pages)

        database._connections[0].set_wal_hook(committed)
        self._opened.callback(reader.close)
        return seen

    # --- the books -------------------------------------------------------------------------------

    async def write(self, service: str, sql: str, *args: Value) -> None:
        """Meddle with a service's database."""

        async def work(tx: Tx) -> None:
            await tx.execute(sql, *args)

        await self.shop.databases[service].transaction(work)

    async def rows(self, service: str, sql: str, *args: Value) -> list[Row]:
        """What a service's database says."""
        return await self.shop.databases[service].read(lambda tx: tx.fetch(sql, *args))

    async def orders(self) -> dict[str, str]:
        """Every order's status."""
        return dict(await self.rows("order", "SELECT order_id, status FROM orders"))

    async def levels(self) -> dict[tuple[str, str], tuple[int, int]]:
        """On hand and reserved, by SKU and warehouse."""
        rows = await self.rows(
            "inventory", "SELECT sku, warehouse_id, on_hand, reserved FROM level"
        )
        return {(sku, at): (on_hand, reserved) for sku, at, on_hand, reserved in rows}

    async def mails(self) -> list[Mail]:
        """Every mail, in the order in which they were queued."""
        sql = "SELECT template, order_id, status FROM mail ORDER BY seq"
        return [Mail(*row) for row in await self.rows("email", sql)]

    def provider_book(self) -> list[tuple[str, str, int]]:
        """What the provider did: charge or refund, key, minor units."""
        return [
            (entry.kind, entry.key, entry.amount.amount_minor)
            for entry in entries_in(self.folder / BOOK_FILE)
        ]

    async def ledger(self) -> list[tuple[str, int]]:
        """Our own book of money: capture or refund, minor units."""
        return [
            (kind, amount_minor)
            for kind, amount_minor in await self.rows(
                "payment", "SELECT kind, amount_minor FROM ledger_transfer ORDER BY seq"
            )
        ]

    async def everything_stored(self) -> str:
        """Every row of every table, signing keys apart."""
        told = []
        for service in self.shop.databases:
            tables = await self.rows(service, "SELECT name FROM sqlite_schema WHERE type = 'table'")
            for (table,) in tables:
                if table != "signing_key":
                    told.append(f"{table} {await self.rows(service, f'SELECT * FROM {table}')}")
        return "\n".join(told)

    async def audit(self) -> list[str]:
        """Everything that does not add up, with the shop at rest; [] when all is well."""
        book = self.folder / BOOK_FILE
        findings = await look_once(self.shop.databases, [book], is_running=False)
        return [
            f"{found.check}: {found.subject}: {found.detail}"
            for finding in findings
            if not finding.is_warning
            for found in finding.violations
        ]

    def _make_provider(self, *args: Any, **options: Any) -> SteeredProvider:
        self.provider = SteeredProvider(*args, **options)
        return self.provider

    def _make_mailer(self) -> SteeredMailer:
        self.mailer = SteeredMailer()
        return self.mailer


class Person:
    """Somebody at the counter, over HTTP."""

    def __init__(
        self, shop: WholeShop, name: str, user_id: UserId, headers: Callable[[], dict[str, str]]
    ) -> None:
        self.name = name
        self.user_id = user_id
        self._shop = shop
        self.headers = headers
        self._keys = count(1)

    async def send(
        self, verb: str, target: str, content: object = None, *, key: str = "", **more: str
    ) -> Answer:
        """One request; `more` are further headers."""
        headers = {**self.headers(), **more}
        if key:
            headers["idempotency-key"] = key
        http = self._shop.http
        if content is None:
            return await self._shop.live(http.send(verb, target, headers=headers))
        return await self._shop.live(http.json(verb, target, content, headers=headers))

    async def get(self, target: str) -> Answer:
        """GET."""
        return await self.send("GET", target)

    async def order(self, *lines: Line, token: str = "tok_ok", key: str = "") -> Answer:
        """Buy; under a new key unless one is given."""
        content = {
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines],
            "payment_token": token,
        }
        return await self.send("POST", "/api/orders", content, key=key or self._new_key())

    async def add(self, sku: str, units: int = 1, *, key: str = "") -> Answer:
        """Put something into the cart."""
        content = {"sku": sku, "quantity": units}
        return await self.send("POST", "/api/cart/items", content, key=key or self._new_key())

    async def checkout(self, *, token: str = "tok_ok", key: str = "") -> Answer:
        """Buy what is in the cart."""
        content = {"payment_token": token}
        return await self.send("POST", "/api/cart/checkout", content, key=key or self._new_key())

    async def cart(self) -> dict[str, int]:
        """What is in the cart."""
        answer = await self.get("/api/cart")
        return {line["sku"]: line["quantity"] for line in answer.json()["lines"]}

    def _new_key(self) -> str:
        return f"{self.name}-{next(self._keys)}"


def slug_of(answer: Answer) -> str:
    """The name of the condition in a problem document; empty when the answer is none."""
    return str(answer.json().get("type", "")).rpartition(":")[2]


async def nothing_before(_: str) -> None:
    """Nothing happens before the money is taken."""


async def _touch_nothing(_: Tx) -> None:
    """Comes after the transactions that wait."""

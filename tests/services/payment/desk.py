"""A payment service on a real database, with a provider that is watched and keeps a book."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.runtime.assembly import Assembly
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.databases import Engine, SqlDatabase, migrations_of, sql_database
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime
from emporion.contracts.order import HoldNeeded, OrderOf
from emporion.contracts.payment import Charge, PaymentService, RefundPart
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.payment.adapters.book import Entry, entries_in
from emporion.services.payment.adapters.rehearsal import RehearsalProvider
from emporion.services.payment.ports import (
    Answer,
    Approval,
    Listener,
    Notice,
    PaymentProvider,
    Reversal,
    Standing,
)
from emporion.services.payment.service import PaymentNeeds, build
from tests.services.vaults import Vault, WithVault, open_vault

OTHER_USER = UserId("usr_" + "8" * 32)
USER = UserId("usr_" + "7" * 32)
SECRET = "whsec_of_the_tests"
Hook = Callable[[str], Awaitable[None]]


class Interrupted(Exception):
    """The process died here."""


class WatchedProvider:
    """A provider in front of another: counts calls, and lets a test act around each."""

    def __init__(self, real: PaymentProvider) -> None:
        self.real = real
        self.calls: list[str] = []
        self.before: Hook | None = None
        self.after: Hook | None = None

    @property
    def name(self) -> str:
        return self.real.name

    async def charge(self, *, key: str, amount: Money, token: str) -> Answer:
        await self._enter(f"charge {key}")
        answer = await self.real.charge(key=key, amount=amount, token=token)
        await self._leave(f"charge {key}")
        return answer

    async def authorise(self, *, key: str, amount: Money, token: str) -> Answer:
        await self._enter(f"authorise {key}")
        answer = await self.real.authorise(key=key, amount=amount, token=token)
        await self._leave(f"authorise {key}")
        return answer

    async def capture(self, *, key: str, reference: str, amount: Money) -> Approval:
        await self._enter(f"capture {key}")
        answer = await self.real.capture(key=key, reference=reference, amount=amount)
        await self._leave(f"capture {key}")
        return answer

    async def void(self, *, key: str, reference: str) -> None:
        await self._enter(f"void {key}")
        await self.real.void(key=key, reference=reference)
        await self._leave(f"void {key}")

    async def refund(self, *, key: str, reference: str, amount: Money) -> Reversal:
        await self._enter(f"refund {key}")
        answer = await self.real.refund(key=key, reference=reference, amount=amount)
        await self._leave(f"refund {key}")
        return answer

    async def find(self, *, key: str) -> Answer | None:
        await self._enter(f"find {key}")
        return await self.real.find(key=key)

    async def look(self, *, order_id: OrderId, reference: str) -> Standing | None:
        await self._enter(f"look {order_id}")
        standing = await self.real.look(order_id=order_id, reference=reference)
        await self._leave(f"look {order_id}")
        return standing

    def dealings(self, *, since_ms: int) -> AsyncIterator[Standing]:
        return self.real.dealings(since_ms=since_ms)

    def read_webhook(self, body: bytes, signature: str, *, now_ms: int) -> Notice:
        return self.real.read_webhook(body, signature, now_ms=now_ms)

    def listen(self, listener: Listener) -> None:
        self.real.listen(listener)

    async def _enter(self, call: str) -> None:
        self.calls.append(call)
        if self.before is not None:
            await self.before(call)

    async def _leave(self, call: str) -> None:
        if self.after is not None:
            await self.after(call)


class OrdersAside:
    """What the order service knows of its orders: all are paid, but those named otherwise."""

    def __init__(self) -> None:
        self.others: dict[OrderId, HoldNeeded] = {}

    def get(self, _: object) -> "OrdersAside":
        return self

    async def is_hold_needed(self, request: OrderOf) -> HoldNeeded:
        return self.others.get(request.order_id, HoldNeeded(is_needed=True, is_paid=True))

    def gone(self, number: int) -> None:
        """That order was called off, or never was."""
        self.others[order_id(number)] = HoldNeeded(is_needed=False, is_paid=False)

    def undecided(self, number: int) -> None:
        """The saga of that order is at work."""
        self.others[order_id(number)] = HoldNeeded(is_needed=True, is_paid=False)


@dataclass
class Desk:
    """What a test holds: the service, its database, its clock, and the provider's book."""

    folder: Path
    clock: ManualClock
    runtime: Runtime
    database: SqlDatabase
    provider: WatchedProvider
    orders: "OrdersAside"
    needs: PaymentNeeds
    assembly: Assembly
    vault: Vault

    @property
    def service(self) -> PaymentService:
        return cast("PaymentService", self.assembly.implementation)

    def beside(self) -> "Desk":
        """A second instance of the service, as in another process, on the same data."""
        assembly = build(replace(self.needs, is_sole_writer=False))
        return replace(self, assembly=assembly)

    async def recheck(self) -> int | None:
        """One run of the alarm that looks at voided payments again."""
        return await self.assembly.alarms[0]._run_due()

    async def act_upon_webhooks(self) -> int | None:
        """One run of the alarm that acts upon webhooks."""
        return await self.assembly.alarms[1]._run_due()

    def effects(self, kind: str = "") -> list[Entry]:
        """What the provider did."""
        book = entries_in(self.folder / "provider.log")
        return [entry for entry in book if kind in ("", entry.kind)]

    async def asked(self) -> None:
        """Wait until the provider was called."""
        while not self.provider.calls:
            await self.rows("SELECT 1")  # as long as an engine of its own process needs
            await asyncio.sleep(0)

    async def rows(self, sql: str, *args: Any) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql, *args)

        return await self.database.read(work)

    async def published(self) -> list[str]:
        """The names of the published events, in order."""
        return [row[0] for row in await self.rows("SELECT name FROM outbox ORDER BY position")]

    async def events(self) -> list[str]:
        """The stored names of the domain events, in order."""
        return [
            row[0] for row in await self.rows("SELECT type FROM event ORDER BY stream, version")
        ]

    async def transfers(self) -> list[Row]:
        return await self.rows("SELECT kind, amount_minor FROM ledger_transfer ORDER BY seq")


def order_id(number: int) -> OrderId:
    """An order made a millisecond after the service started."""
    return OrderId(f"ord_{START_MS + 1:012x}{number:020x}")


def number_of(order_id: OrderId) -> int:
    """The number of an order of `order_id`."""
    return int(order_id[-20:], 16)


def request(
    token: str | None = "tok_ok",
    *,
    order: int = 1,
    amount: Money | None = None,
    user: UserId = USER,
) -> Charge:
    """A charge of 12.50 EUR."""
    return Charge(
        order_id=order_id(order),
        user_id=user,
        amount=amount or Money(1250, "EUR"),
        payment_token=token,
    )


def part(
    refund_id: str, minor: int, *, order: int = 1, currency: str = "EUR", reason: str = "broken"
) -> RefundPart:
    """A part of the 12.50 EUR of `request()`."""
    return RefundPart(
        order_id=order_id(order),
        refund_id=refund_id,
        amount=Money(minor, currency),
        reason=reason,
    )


@asynccontextmanager
async def open_desk(
    folder: Path,
    engine: Engine,
    *,
    is_sole_writer: bool = False,
    real: PaymentProvider | None = None,
) -> AsyncIterator[Desk]:
    """The service on the files of `folder`: opening it again is a restart."""
    clock = ManualClock()
    runtime = manual_runtime(clock)
    rehearsed = RehearsalProvider(
        runtime.tasks, path=folder / "provider.log", webhook_secret=SECRET
    )
    async with (
        open_vault(folder, runtime) as vault,
        sql_database(
            engine, folder, [migrations_of("payment", engine)], source="payment", runtime=runtime
        ) as database,
    ):
        provider = WatchedProvider(real or rehearsed)
        orders = OrdersAside()
        needs = PaymentNeeds(
            runtime=runtime,
            database=database,
            clients=cast("Any", WithVault(vault, orders)),
            sagas=cast("Any", None),
            provider=provider,
            is_sole_writer=is_sole_writer,
        )
        yield Desk(folder, clock, runtime, database, provider, orders, needs, build(needs), vault)
    rehearsed.close()

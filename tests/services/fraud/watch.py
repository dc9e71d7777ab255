"""A fraud service on a real database, told events by a test."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.subscription import Received
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Empty, Event, Message, Request
from emporion.contracts.fraud import FraudService, Screening, ScreeningOf
from emporion.contracts.order import (
    CallOffOrder,
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    Refusal,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import EmporionError
from emporion.kernel.ids import OrderId, UserId
from emporion.kernel.money import Money
from emporion.services.fraud.domain.facts import Trail
from emporion.services.fraud.service import build
from tests.services.vaults import Vault, WithVault, open_vault

OFFICER = UserId("usr_" + "0" * 31 + "e")
"""Who decides."""
HOUR_S = 3_600
DAY_S = 86_400


def person(number: int, made_at_ms: int = 1) -> UserId:
    """Somebody whose account was made at that instant: the id begins with it."""
    return UserId(f"usr_{made_at_ms:012x}{number:020x}")


ADA = person(1)
BEA = person(2)


def order_id(number: int) -> OrderId:
    return OrderId(f"ord_{number:032x}")


@dataclass
class Orders:
    """The order service, as far as fraud needs it: what was called off, and how a test breaks it.

    `before` and `after` are raised in turn, before or after the effect; then all is well.
    """

    called_off: list[CallOffOrder] = field(default_factory=list)
    before: list[EmporionError] = field(default_factory=list)
    after: list[EmporionError] = field(default_factory=list)

    def get(self, contract: object) -> "Orders":
        """Stands for the clients too: beside the vault there is only this one service."""
        return self

    async def call_off(self, request: CallOffOrder) -> Empty:
        if self.before:
            raise self.before.pop(0)
        if request not in self.called_off:
            self.called_off.append(request)
        if self.after:
            raise self.after.pop(0)
        return Empty()


@dataclass
class Watch:
    """What a test holds."""

    orders: Orders
    engine: SagaEngine
    clock: ManualClock
    runtime: Runtime
    database: Database
    assembly: Assembly
    vault: Vault

    @property
    def service(self) -> FraudService:
        return cast("FraudService", self.assembly.implementation)

    async def deliver(self, *events: Event) -> None:
        """What the bus does: react to a batch of one kind in one transaction."""
        reactions = {row.event: row.react_many for row in self.assembly.subscriptions}
        react = reactions[type(events[0])]
        assert react is not None
        received: list[Received[Any]] = [Received(event, "evt_1", 0, "") for event in events]

        async def work(tx: Tx) -> None:
            await react(tx, received)

        await self.database.transaction(work)

    async def ask(self, method: str, request: Request) -> Any:
        """Call the service as the officer."""
        identity = Identity(Kind.PERSON, OFFICER, frozenset())
        token = enter(Call(identity=identity))
        try:
            return await getattr(self.service, method)(request)
        finally:
            leave(token)

    async def trail(self) -> Trail:
        """What is remembered of the first person."""
        (row,) = (await self.rows("SELECT trail FROM fraud_trail ORDER BY subject DESC"))[:1]
        return msgspec.msgpack.decode(row[0], type=Trail)

    async def screening(self, number: int) -> Screening:
        return await self.service.get_screening(ScreeningOf(order_id=order_id(number)))

    async def score(self, number: int) -> dict[str, int]:
        """Which rules counted for an order, and what each saw."""
        return {fired.name: fired.observed for fired in (await self.screening(number)).fired}

    async def announced(self, kind: type[Message]) -> list[Any]:
        """The events of a kind that were published, in order."""
        name = cast("type[Event]", kind).SPEC.name
        rows = await self.rows("SELECT payload FROM outbox WHERE name = ? ORDER BY position", name)
        return [
            msgspec.convert(msgspec.json.decode(payload)["data"], kind, strict=False)
            for (payload,) in rows
        ]

    async def rows(self, sql: str, *args: Any) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql, *args)

        return await self.database.read(work)

    def paid(self, number: int, user_id: UserId = ADA, **but: Any) -> OrderCreated:
        """An order that was paid just now."""
        return OrderCreated(
            order_id=order_id(number),
            user_id=user_id,
            amount=but.pop("amount", Money(1_000, "EUR")),
            lines=[],
            created_at=but.pop("at", to_datetime(self.clock.now_ms())),
            **but,
        )

    def declined(
        self, number: int, user_id: UserId = ADA, slug: str = "payment-declined", **but: Any
    ) -> OrderRejected:
        """An order whose payment was declined just now."""
        return OrderRejected(
            order_id=order_id(number),
            user_id=user_id,
            amount=Money(1_000, "EUR"),
            refusal=Refusal(slug=slug, detail="No"),
            rejected_at=to_datetime(self.clock.now_ms()),
            **but,
        )

    def cancelled(self, number: int, user_id: UserId = ADA) -> OrderCancelled:
        """An order that was called off just now."""
        return OrderCancelled(
            order_id=order_id(number),
            user_id=user_id,
            amount=Money(1_000, "EUR"),
            reason="changed my mind",
            cancelled_at=to_datetime(self.clock.now_ms()),
        )

    async def hold(self, *numbers: int, user_id: UserId | None = None) -> None:
        """Orders that the shipped rules hold: large, after many declined payments."""
        for number in numbers:
            who = user_id or person(10_000 + number)
            tries = [self.declined(number * 1_000_000 + each, who) for each in range(3)]
            await self.deliver(*tries)
            await self.deliver(self.paid(number, who, amount=Money(100_000, "EUR")))
            self.clock.advance(1)


@asynccontextmanager
async def open_watch(
    folder: Path,
    engine: Engine,
    clock: ManualClock | None = None,
    orders: Orders | None = None,
) -> AsyncIterator[Watch]:
    """The service on the files of `folder`: opening it again is a restart."""
    clock, orders = clock or ManualClock(), orders or Orders()
    runtime = manual_runtime(clock, seed=secrets.randbits(16))
    async with (
        open_vault(folder, runtime) as vault,
        sql_database(
            engine, folder, [migrations_of("fraud", engine)], source="fraud", runtime=runtime
        ) as database,
    ):
        sagas = SagaEngine("fraud", database, runtime)
        needs = Needs(
            runtime=runtime,
            database=database,
            clients=cast("Any", WithVault(vault, orders)),
            sagas=sagas,
        )
        assembly = build(needs)
        sagas.register(assembly.sagas)
        yield Watch(orders, sagas, clock, runtime, database, assembly, vault)

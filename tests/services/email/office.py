"""An email service on a real database, with a mailer and users that a test can break."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.subscription import Received
from emporion.chassis.runtime.assembly import Assembly
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.testing.databases import Engine, migrations_of, sql_database
from emporion.chassis.testing.time import START_MS, ManualClock, manual_runtime, settle
from emporion.contracts.contract import Event
from emporion.contracts.email import EmailService, ListMails, MailSummary
from emporion.contracts.inventory import Line
from emporion.contracts.order import (
    OrderCancelled,
    OrderCreated,
    OrderRefunded,
    OrderRejected,
    PricedLine,
    Refusal,
)
from emporion.contracts.order_returns import ReturnedLine
from emporion.contracts.shipping import ShipmentDelivered, ShipmentShipped
from emporion.contracts.user import Contact, Contacts, ContactsOf
from emporion.contracts.vault import VaultService
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import OrderId, ReturnId, ShipmentId, Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.services.email.ports import Fate, Letter, Mailer, Text, Verdict
from emporion.services.email.service import EmailNeeds, build
from tests.services.vaults import Vault, open_vault

ADA = UserId("usr_" + "a" * 32)
BEA = UserId("usr_" + "b" * 32)
NOBODY = UserId("usr_" + "0" * 32)
CONTACTS = {
    ADA: Contact(user_id=ADA, email="ada@example.test", name="Ada", locale="en", time_zone="UTC"),
    BEA: Contact(
        user_id=BEA,
        email="bea@example.test",
        name="Béa Müller",
        locale="de-AT",
        time_zone="Europe/Vienna",
    ),
}
TAKEN = Verdict(Fate.TAKEN)


@dataclass
class Users:
    """The user service, as far as mails need it."""

    vault: Vault
    contacts_by_id: dict[UserId, Contact] = field(default_factory=lambda: dict(CONTACTS))
    is_down: bool = False
    asked: list[list[UserId]] = field(default_factory=list)

    def get(self, contract: object) -> Any:
        """Stands for the clients too."""
        return self.vault if contract is VaultService else self

    async def contacts(self, request: ContactsOf) -> Contacts:
        if self.is_down:
            raise Unavailable
        self.asked.append(request.user_ids)
        known = [self.contacts_by_id.get(user_id) for user_id in request.user_ids]
        return Contacts(contacts=[contact for contact in known if contact is not None])


@dataclass
class Tray:
    """A mailer that writes every letter, keeps it, and answers what the test wants."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    is_down: bool = False
    sent: list[tuple[str, Text]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    async def send(self, letters: Sequence[Letter]) -> list[Verdict]:
        if self.is_down:
            raise Unavailable("the mail server does not take mails")
        self.batches.append(len(letters))
        answers = []
        for letter in letters:
            verdict = self.verdicts.get(letter.name, TAKEN)
            if verdict.fate is Fate.TAKEN:
                self.sent.append((letter.name, letter.write()))
            answers.append(verdict)
        return answers

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.sent]


@dataclass
class Office:
    """What a test holds."""

    clock: ManualClock
    runtime: Runtime
    database: Database
    users: Users
    assembly: Assembly

    @property
    def service(self) -> EmailService:
        return cast("EmailService", self.assembly.implementation)

    async def deliver(self, *events: Event) -> None:
        """What the bus does: react to a batch in one transaction."""
        reactions = {row.event: row.react for row in self.assembly.subscriptions}

        async def work(tx: Tx) -> None:
            for event in events:
                received: Received[Any] = Received(event, "evt_1", self.clock.now_ms(), "")
                await reactions[type(event)](tx, received)

        await self.database.transaction(work)

    async def run(self) -> int | None:
        """One run of the sender's alarm, for as long as it lingers."""
        alarm, _ = self.assembly.alarms
        running = self.runtime.tasks.spawn("run", self._keep(alarm._run_due()))
        while not running.done():
            await self._turn()
            await settle()
            if self.clock.next_due_s() is not None:
                await self.clock.run(0.05)
        await running
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    async def mails(self) -> list[MailSummary]:
        return (await self.service.list_mails(ListMails())).mails

    async def rows(self, sql: str) -> list[Row]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(sql)

        return await self.database.read(work)

    async def _keep(self, run: Any) -> None:
        self._outcome: int | Exception | None = None
        try:
            self._outcome = await run
        except Exception as error:  # noqa: BLE001 - raised again for the test
            self._outcome = error

    async def _turn(self) -> None:
        """Let a transaction on the writer's thread come back."""
        await self.database.transaction(_nothing)


async def _nothing(tx: Tx) -> None:
    """A transaction that ends after those before it."""


@asynccontextmanager
async def open_office(
    folder: Path, engine: Engine, mailer: Mailer, clock: ManualClock | None = None
) -> AsyncIterator[Office]:
    """The service on the files of `folder`: opening it again is a restart."""
    clock = clock or ManualClock()
    runtime = manual_runtime(clock)
    async with (
        sql_database(
            engine, folder, [migrations_of("email", engine)], source="email", runtime=runtime
        ) as database,
        open_vault(folder, runtime) as vault,
    ):
        users = Users(vault)
        needs = EmailNeeds(
            runtime=runtime,
            database=database,
            clients=cast("Any", users),
            sagas=cast("Any", None),
            mailer=mailer,
            settings={"shop": "The Corner Shop"},
        )
        yield Office(clock, runtime, database, users, build(needs))


def order_id(number: int) -> OrderId:
    return OrderId(f"ord_{number:032x}")


def confirmation(number: int) -> str:
    """The Message-ID's left side of an order's confirmation."""
    return f"order-confirmation.{order_id(number)}"


def created(number: int = 1, user_id: UserId = ADA, name: str = "Croissant") -> OrderCreated:
    line = PricedLine(
        sku=Sku("croissant"),
        name=name,
        quantity=3,
        unit_price=Money(41150, "EUR"),
        total=Money(123450, "EUR"),
    )
    return OrderCreated(
        order_id=order_id(number),
        user_id=user_id,
        amount=Money(123450, "EUR"),
        lines=[line],
        created_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
    )


def cancelled(number: int = 1, user_id: UserId = ADA) -> OrderCancelled:
    return OrderCancelled(
        order_id=order_id(number),
        user_id=user_id,
        amount=Money(123450, "EUR"),
        reason="changed my mind",
        cancelled_at=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
    )


def rejected(number: int = 1, user_id: UserId = ADA) -> OrderRejected:
    return OrderRejected(
        order_id=order_id(number),
        user_id=user_id,
        amount=Money(123450, "EUR"),
        refusal=Refusal(slug="out-of-stock", detail="Sold out"),
        rejected_at=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
    )


def shipped(number: int = 1, user_id: UserId = ADA, parcel: int = 1) -> ShipmentShipped:
    return ShipmentShipped(
        shipment_id=ShipmentId(f"shp_{parcel:032x}"),
        order_id=order_id(number),
        user_id=user_id,
        warehouse_id=WarehouseId("main"),
        lines=[Line(sku=Sku("croissant"), quantity=2)],
        carrier="DHL",
        tracking_number="0034",
        shipped_at=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
    )


def delivered(number: int = 1, user_id: UserId = ADA, parcel: int = 1) -> ShipmentDelivered:
    return ShipmentDelivered(
        shipment_id=ShipmentId(f"shp_{parcel:032x}"),
        order_id=order_id(number),
        user_id=user_id,
        lines=[Line(sku=Sku("croissant"), quantity=2)],
        carrier="DHL",
        tracking_number="0034",
        delivered_at=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
    )


def refunded(number: int = 1, user_id: UserId = ADA, return_: int = 1) -> OrderRefunded:
    line = ReturnedLine(
        sku=Sku("croissant"), quantity=1, is_restocked=False, refund=Money(41150, "EUR")
    )
    return OrderRefunded(
        order_id=order_id(number),
        user_id=user_id,
        return_id=ReturnId(f"ret_{return_:032x}"),
        amount=Money(41150, "EUR"),
        lines=[line],
        refunded_at=datetime.fromtimestamp(START_MS / 1000, tz=UTC),
    )

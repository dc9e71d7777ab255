"""The gift card service as built for production, asked by staff, customers and other services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.testing.databases import Engine, SqlDatabase, migrations_of, sql_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.giftcard import (
    FindGiftCards,
    GiftCardByCode,
    GiftCardOf,
    GiftCardShare,
    IssueGiftCard,
    ListGiftCardEntries,
    SpendGiftCards,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import UserId
from emporion.kernel.money import Money
from emporion.services.giftcard import audit
from emporion.services.giftcard.service import build

ADA = UserId("usr_" + "a" * 32)
BOB = UserId("usr_" + "b" * 32)
CLERK = "usr_" + "c" * 32
DAY_S = 24 * 3_600.0


def order(number: int) -> Any:
    """The id of an order."""
    return f"ord_{number:032x}"


class Till:
    """The service over a real database."""

    def __init__(self, database: SqlDatabase, runtime: Any, *, key: str = "a key") -> None:
        self.database = database
        self.clock = runtime.clock
        needs: Any = Needs(runtime, database, None, None, {"gift_card_key": key})  # type: ignore[arg-type]
        self.assembly = build(needs)
        self.api: Any = self.assembly.implementation

    async def issue(self, amount_minor: int = 1_000, *, days: int = 0, currency: str = "EUR"):
        """A new card, by a clerk; without days it is good for ever."""
        until = to_datetime(self.clock.now_ms() + days * 86_400_000) if days else None
        request = IssueGiftCard(amount=Money(amount_minor, currency), expires_at=until)
        return await self.as_clerk(self.api.issue_card(request))

    async def as_clerk(self, work: Any) -> Any:
        identity = Identity(Kind.PERSON, CLERK, frozenset({"giftcards:write"}))
        token = enter(Call(identity=identity))
        try:
            return await work
        finally:
            leave(token)

    def spending(self, number: int, *shares: tuple[Any, int]) -> SpendGiftCards:
        """What an order takes from cards."""
        return SpendGiftCards(
            order_id=order(number),
            user_id=ADA,
            shares=[
                GiftCardShare(card_id=issued.card.card_id, amount=Money(minor, "EUR"))
                for issued, minor in shares
            ],
        )

    async def spend(self, number: int, *shares: tuple[Any, int]) -> bool:
        return bool((await self.api.spend_cards(self.spending(number, *shares))).is_spent)

    async def undo(self, number: int, *shares: tuple[Any, int]) -> None:
        await self.api.undo_spending(self.spending(number, *shares))

    async def find(self, *codes: str, by: UserId = ADA) -> Any:
        return await self.api.find_cards(FindGiftCards(user_id=by, codes=list(codes)))

    async def card(self, issued: Any) -> Any:
        return await self.api.get_card(GiftCardOf(card_id=issued.card.card_id))

    async def balance_minor(self, issued: Any) -> int:
        told = await self.api.card_balance(GiftCardByCode(code=issued.code))
        return int(told.balance.amount_minor)

    async def entries(self, issued: Any) -> list[tuple[str, int, int]]:
        """Its ledger, the oldest first: kind, amount, balance."""
        page = await self.api.list_entries(ListGiftCardEntries(card_id=issued.card.card_id))
        return [
            (entry.kind.value, entry.amount.amount_minor, entry.balance.amount_minor)
            for entry in reversed(page.entries)
        ]

    async def time_passes(self, days: float) -> None:
        """And what is due is done."""
        self.clock.advance(days * DAY_S)
        (alarm,) = self.assembly.alarms
        await alarm._run_due()

    async def complaints(self) -> list[str]:
        """Of the audit."""
        return [found.check async for found in audit.violations(self.database)]

    async def stored(self) -> str:
        """Everything in the tables, as text."""

        async def work(tx: Tx) -> str:
            tables = ("gift_card", "gift_card_entry", "gift_card_order", "gift_card_spending")
            rows = [await tx.fetch(f"SELECT * FROM {table}") for table in tables]
            return str(rows)

        return str(await self.database.read(work))

    async def change(self, sql: str) -> None:
        """Edit the books behind the service's back."""

        async def work(tx: Tx) -> None:
            await tx.execute(sql)

        await self.database.transaction(work)


@asynccontextmanager
async def open_till(folder: Path, engine: Engine, *, key: str = "a key") -> AsyncIterator[Till]:
    """A till without cards."""
    runtime = manual_runtime()
    migrations = [migrations_of("giftcard", engine)]
    async with sql_database(
        engine, folder, migrations, source="giftcard", runtime=runtime
    ) as database:
        yield Till(database, runtime, key=key)

"""What a whole shop has written down: every service's tables, the provider's book, the audit."""

from pathlib import Path
from typing import NamedTuple

from emporion.chassis.data.database import Row, Tx, Value
from emporion.platform.audit.run import look_once
from emporion.platform.shop import Shop
from emporion.services.payment.adapters.book import entries_in
from emporion.services.payment.adapters.rehearsal import BOOK_FILE


class Mail(NamedTuple):
    """A mail as the email service has it."""

    template: str
    order_id: str
    status: str


class Books:
    """Reads, and where a test meddles writes, the databases of an open shop on a folder."""

    folder: Path
    shop: Shop

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

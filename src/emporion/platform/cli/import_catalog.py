"""`emporion import FILE`: a catalogue file into a running shop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emporion.platform.cli.options import (
    DEFAULT_URL,
    DEMO_OPERATOR_EMAIL,
    DEMO_OPERATOR_PASSWORD,
    OperatorEmail,
    OperatorPassword,
    Url,
)

if TYPE_CHECKING:
    from emporion.platform.catalog_import import ImportSummary


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file in UTF-8.")],
    *,
    url: Url = DEFAULT_URL,
    operator_email: OperatorEmail = DEMO_OPERATOR_EMAIL,
    operator_password: OperatorPassword = DEMO_OPERATOR_PASSWORD,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check; write nothing.")] = False,
) -> None:
    """Load products, prices and stock from a CSV file into a running shop.

    The first line names the columns: sku, product, price, currency and, if you like, variant,
    description, category, stock, warehouse. Lines with the same product are its variants. Every
    line is checked before anything is written; mistakes are shown as FILE:LINE: column: message.
    Importing the same file again changes nothing.

    For example:

      emporion import catalogue.csv
      emporion import catalogue.csv --dry-run
      emporion import catalogue.csv --url https://shop.example --operator-email ada@shop.example

    A file:

      sku;product;price;currency;variant;stock
      croissant;Croissant;2.50;EUR;;120
      coffee-small;Coffee;2.20;EUR;small;400
      coffee-large;Coffee;3.10;EUR;large;400
    """
    import asyncio

    from emporion.platform.catalog_file import read_catalog
    from emporion.platform.catalog_import import import_catalog
    from emporion.platform.cli.progress import Progress
    from emporion.platform.client.address import Address
    from emporion.platform.client.rest import RestClients

    address = Address.parse(url)
    catalog = read_catalog(file)

    async def run(progress: Progress) -> "ImportSummary":
        clients = RestClients(address)
        try:
            await clients.sign_in(operator_email, operator_password)
            return await import_catalog(clients, catalog, is_dry_run=dry_run, watch=progress.show)
        finally:
            clients.close()

    with Progress("lines") as progress:
        summary = asyncio.run(run(progress))
    _print(summary, str(file))


def _print(summary: "ImportSummary", file: str) -> None:
    from rich.console import Console
    from rich.table import Table

    done = "would be " if summary.is_dry_run else ""
    table = Table(title=f"{file}: {summary.lines:,} lines", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row(f"products {done}created", f"{summary.created:,}")
    table.add_row(f"products {done}updated", f"{summary.updated:,}")
    table.add_row("products unchanged", f"{summary.unchanged:,}")
    if not summary.is_dry_run:
        table.add_row("warehouses created", f"{summary.warehouses_created:,}")
        table.add_row("stock in place", f"{summary.units:,} units in {summary.receipts:,} lines")
    Console().print(table)

"""Puts the catalog together from what the platform hands in."""

from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.contracts.catalog import CatalogService
from emporion.services.catalog.adapters.sql import SqlProductStore
from emporion.services.catalog.api import CatalogApi
from emporion.services.catalog.commands import ProductCommands
from emporion.services.catalog.queries import ProductQueries


def build(needs: Needs) -> Assembly:
    """The catalog on the database handed in."""
    store = SqlProductStore(needs.database)

    async def read_a_price(tx: Tx) -> None:
        await tx.fetch_one("SELECT 1 FROM variant LIMIT 1")

    async def probe() -> None:
        await needs.database.read(read_a_price)

    return Assembly(
        contract=CatalogService,
        implementation=CatalogApi(
            ProductCommands(store, needs.runtime.ids, needs.runtime.clock), ProductQueries(store)
        ),
        probes={"prices": probe},
    )

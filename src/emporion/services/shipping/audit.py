"""Gives the facts about shipments that inventory's books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row, Tx
from emporion.services.shipping.adapters.sql import lines_of

PAGE_SIZE = 1_000
_LEFT = (
    "SELECT shipment_id, order_id, lines FROM shipment WHERE shipment_id > ?"
    " AND status IN ('shipped', 'delivered') ORDER BY shipment_id LIMIT ?"
)


class Left(NamedTuple):
    """Units of a SKU that left with a shipment."""

    shipment_id: str
    order_id: str
    sku: str
    units: int


async def left(database: Database) -> AsyncIterator[Left]:
    """What left, by rising shipment and SKU, read in pages of 1000 shipments."""
    last = ""
    while rows := await _page(database, last):
        for shipment_id, order_id, lines in rows:
            for sku, units in sorted(lines_of(lines)):
                yield Left(shipment_id, order_id, sku, units)
        last = rows[-1][0]


async def _page(database: Database, after: str) -> list[Row]:
    async def work(tx: Tx) -> list[Row]:
        return await tx.fetch(_LEFT, after, PAGE_SIZE)

    return await database.read(work)

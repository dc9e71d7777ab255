"""FigureStore in SQL that SQLite and PostgreSQL share."""

from collections.abc import Iterable, Sequence

import msgspec

from emporion.chassis.data.database import Database, Row, Tx
from emporion.services.analytics.domain.buckets import Run
from emporion.services.analytics.domain.facts import (
    SOLD,
    Fact,
    Sum,
    Told,
    settle,
    tally,
    tally_products,
)
from emporion.services.analytics.ports import Counted, ProductSold

_LOCK = "analytics"
_KNOWN = (
    "SELECT key, what, part, at_ms, label, units, amount_minor FROM fact"
    " WHERE key IN (SELECT value FROM json_each(?))"
)
_KEEP = (
    "INSERT INTO fact (key, what, part, at_ms, label, units, amount_minor)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_TALLY = (
    "INSERT INTO tally (grain_s, at_s, what, label, number, units, amount_minor)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (grain_s, at_s, what, label) DO UPDATE SET"
    " number = tally.number + excluded.number, units = tally.units + excluded.units,"
    " amount_minor = tally.amount_minor + excluded.amount_minor"
)
_TALLY_PRODUCT = (
    "INSERT INTO product_tally (at_s, currency, sku, number, units, amount_minor)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (at_s, currency, sku) DO UPDATE SET"
    " number = product_tally.number + excluded.number,"
    " units = product_tally.units + excluded.units,"
    " amount_minor = product_tally.amount_minor + excluded.amount_minor"
)
_COUNTED = (
    "SELECT (at_s - ?3) / ?4, what, label, CAST(sum(number) AS BIGINT),"
    " CAST(sum(units) AS BIGINT), CAST(sum(amount_minor) AS BIGINT)"
    " FROM tally WHERE grain_s = ?1 AND at_s >= ?3 AND at_s < ?2 GROUP BY 1, 2, 3"
)
# One statement by units, one by amount: what an ORDER BY sorts by cannot be a parameter.
_PRODUCTS = (
    "SELECT currency, sku, number, units, amount_minor FROM (SELECT currency, sku, number, units,"
    " amount_minor, row_number() OVER (PARTITION BY currency ORDER BY {by} DESC, sku) AS place"
    " FROM (SELECT currency, sku, CAST(sum(number) AS BIGINT) AS number,"
    " CAST(sum(units) AS BIGINT) AS units, CAST(sum(amount_minor) AS BIGINT) AS amount_minor"
    " FROM product_tally WHERE at_s >= ? AND at_s < ? AND (currency = ? OR ? = '')"
    " GROUP BY currency, sku) AS sold) AS placed WHERE place <= ? ORDER BY currency, place"
)
_BY_UNITS = _PRODUCTS.format(by="units")
_BY_AMOUNT = _PRODUCTS.format(by="amount_minor")
_encode = msgspec.json.Encoder().encode


class SqlFigures:
    """The port, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, tx: Tx, told: Sequence[Told]) -> None:
        # One after the other: an order's sale and its refund come from different publishers, and
        # whichever is second must see the first.
        await tx.lock(_LOCK)
        keys = _encode([one.fact.key for one in told]).decode()
        known = [Fact(*row) for row in await tx.fetch(_KNOWN, keys)]
        settled = settle([one.fact for one in told], known)
        await tx.execute_many(_KEEP, settled.new)
        await self._count(tx, settled.counting)
        sold = [fact for fact in settled.counting if fact.what == SOLD]
        products = tally_products(sold, {one.fact.key: one.lines for one in told if one.lines})
        await tx.execute_many(
            _TALLY_PRODUCT, [(*shelf, *added) for shelf, added in products.items()]
        )

    async def _count(self, tx: Tx, facts: Iterable[Fact]) -> None:
        rows = [(*place, *added) for place, added in tally(facts).items()]
        await tx.execute_many(_TALLY, rows)

    async def counted(self, runs: Sequence[Run], *, grain_s: int) -> list[Counted]:
        async def work(tx: Tx) -> list[Counted]:
            return [
                Counted(run.first + number, what, label, Sum(*sums))
                for run in runs
                for number, what, label, *sums in await self._sums(tx, run, grain_s)
            ]

        return await self._database.read(work)

    async def _sums(self, tx: Tx, run: Run, grain_s: int) -> list[Row]:
        return await tx.fetch(_COUNTED, grain_s, run.end_s, run.start_s, run.length_s)

    async def products(
        self, since_s: int, until_s: int, *, by_units: bool, currency: str | None, limit: int
    ) -> list[ProductSold]:
        sql, only = _BY_UNITS if by_units else _BY_AMOUNT, currency or ""
        rows = await self._database.read(
            lambda tx: tx.fetch(sql, since_s, until_s, only, only, limit)
        )
        return [ProductSold(money, sku, Sum(*sums)) for money, sku, *sums in rows]

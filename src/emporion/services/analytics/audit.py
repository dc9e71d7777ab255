"""Proves that analytics adds up, and gives the facts that the orders' books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database, Row
from emporion.kernel.ids import OrderId

PAGE_SIZE = 1_000
MINUTES = "figures by minute = what happened"
QUARTERS = "figures by quarter of an hour = what happened"
PRODUCTS = "units by product = units sold"
_SUMS = (
    "SELECT what, label, CAST(sum(number) AS BIGINT), CAST(sum(amount_minor) AS BIGINT)"
    " FROM (SELECT what, label, number, units, amount_minor FROM tally WHERE grain_s = ?"
    " UNION ALL SELECT what, label, -1, -units, -amount_minor FROM fact WHERE what <> 'refunded'"
    " OR EXISTS (SELECT 1 FROM fact AS sale WHERE sale.key = fact.key AND sale.what = 'sold'))"
    " AS both_books GROUP BY what, label"
    " HAVING sum(number) <> 0 OR sum(units) <> 0 OR sum(amount_minor) <> 0"
)
_MEASURED = (
    "SELECT what, label, CAST(sum(number) AS BIGINT), CAST(sum(amount_minor) AS BIGINT)"
    " FROM (SELECT what, label, number, units, amount_minor FROM measure"
    " WHERE at >= to_timestamp(CAST(?1 AS BIGINT))"
    " UNION ALL SELECT what, label, -1, -units, -amount_minor FROM fact"
    " WHERE at_ms >= 1000 * CAST(?1 AS BIGINT) AND (what <> 'refunded'"
    " OR EXISTS (SELECT 1 FROM fact AS sale WHERE sale.key = fact.key AND sale.what = 'sold')))"
    " AS both_books GROUP BY what, label"
    " HAVING sum(number) <> 0 OR sum(units) <> 0 OR sum(amount_minor) <> 0"
)
_KEPT_SINCE_S = "SELECT CAST(date_part('epoch', date_trunc('day', now())) AS BIGINT) - 790 * 86400"
"""On TimescaleDB, where what was measured is not kept for ever, but the sums of it."""
_PRODUCTS = (
    "SELECT currency, CAST(sum(units) AS BIGINT) FROM"
    " (SELECT currency, units FROM product_tally UNION ALL"
    " SELECT label, -units FROM fact WHERE what = 'sold') AS both_books"
    " GROUP BY currency HAVING sum(units) <> 0"
)
_SALES = (
    "SELECT key, amount_minor, label FROM fact WHERE key > ? AND what = 'sold' ORDER BY key LIMIT ?"
)


class Violation(NamedTuple):
    """A check that failed: `subject` says which figures."""

    check: str
    subject: str
    detail: str


class Sale(NamedTuple):
    """An order that was counted as sold."""

    order_id: OrderId
    amount_minor: int
    currency: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over all figures; nothing comes when they add up."""
    for check, rows in (await _wrong_sums(database)).items():
        for what, label, number, amount_minor in rows:
            detail = f"{number:+} counted, {amount_minor:+} minor units, against what happened"
            yield Violation(check, f"{what} {label}".strip(), detail)
    for currency, units in await _rows(database, _PRODUCTS):
        yield Violation(PRODUCTS, currency, f"{units:+} units, against the orders")


async def _wrong_sums(database: Database) -> dict[str, list[Row]]:
    """By check, what was counted more or less often than it happened."""
    if database.engine == "timescale":
        ((since_s,),) = await _rows(database, _KEPT_SINCE_S)
        return {MINUTES: await _rows(database, _MEASURED, since_s)}
    return {
        MINUTES: await _rows(database, _SUMS, 60),
        QUARTERS: await _rows(database, _SUMS, 900),
    }


async def sales(database: Database) -> AsyncIterator[Sale]:
    """Every order counted as sold, by rising id, read in pages of 1000."""
    last = ""
    while page := await _rows(database, _SALES, last, PAGE_SIZE):
        for order_id, amount_minor, currency in page:
            yield Sale(OrderId(order_id), amount_minor, currency)
        last = page[-1][0]


async def _rows(database: Database, sql: str, *args: str | int) -> list[Row]:
    return await database.read(lambda tx: tx.fetch(sql, *args))

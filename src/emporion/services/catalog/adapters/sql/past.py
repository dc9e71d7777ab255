"""What prices and rules were, in SQL: a row for each change, which holds until the next one."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Database, Row, Tx
from emporion.kernel.ids import Sku
from emporion.kernel.money import Money
from emporion.services.catalog.domain.basket import Delivery, Taxes
from emporion.services.catalog.domain.product import Product
from emporion.services.catalog.domain.promotion import Promotion
from emporion.services.catalog.ports import ListPrice, Rule, RuleThen

CHANGES_MAX = 100
"""So many changes of a price are looked through for the one since which it is the same."""
_NOTE_PRICE = """
INSERT INTO price_change (sku, at_ms, amount_minor, currency, category, is_on_sale)
SELECT CAST(?1 AS TEXT), CAST(?2 AS BIGINT), CAST(?3 AS BIGINT), CAST(?4 AS TEXT),
    CAST(?5 AS TEXT), CAST(?6 AS INTEGER)
WHERE NOT EXISTS (
    SELECT 1 FROM variant JOIN product ON product.product_id = variant.product_id
    WHERE sku = ?1 AND amount_minor = ?3 AND currency = ?4 AND category = ?5 AND is_on_sale = ?6)
ON CONFLICT (sku, at_ms) DO UPDATE SET amount_minor = excluded.amount_minor,
    currency = excluded.currency, category = excluded.category, is_on_sale = excluded.is_on_sale"""
_NOTE_END = """
INSERT INTO price_change (sku, at_ms, amount_minor, currency, category, is_on_sale)
SELECT sku, CAST(? AS BIGINT), amount_minor, currency, '', 0 FROM variant
WHERE product_id = ? AND is_on_sale = 1 AND sku NOT IN (SELECT value FROM json_each(?))
ON CONFLICT (sku, at_ms) DO UPDATE SET is_on_sale = 0"""
_PRICES = f"""
SELECT at_ms, amount_minor, currency, category, is_on_sale FROM price_change
WHERE sku = ? AND at_ms <= ? ORDER BY at_ms DESC LIMIT {CHANGES_MAX}"""  # noqa: S608 - a constant
_NOTE_RULE = """
INSERT INTO pricing_rule_change (kind, ref, at_ms, definition) VALUES (?, ?, ?, ?)
ON CONFLICT (kind, ref, at_ms) DO UPDATE SET definition = excluded.definition"""
_RULE = """
SELECT definition, at_ms FROM pricing_rule_change WHERE kind = ? AND ref = ? AND at_ms <= ?
ORDER BY at_ms DESC LIMIT 1"""
_KINDS: dict[type[Rule], str] = {Promotion: "promotion", Taxes: "tax", Delivery: "delivery"}
_encode = msgspec.json.Encoder().encode


async def note_prices(tx: Tx, product: Product) -> None:
    """Write down what changes with a product, before it is written."""
    at_ms, is_on_sale = product.updated_at_ms, int(not product.is_archived)
    await tx.execute_many(
        _NOTE_PRICE,
        [
            (sku, at_ms, price.amount_minor, price.currency, product.category, is_on_sale)
            for sku, _, price in product.variants
        ],
    )
    kept = _encode([variant.sku for variant in product.variants]).decode()
    await tx.execute(_NOTE_END, at_ms, product.product_id, kept)


async def note_rule(tx: Tx, rule: Rule, ref: str, *, at_ms: int) -> None:
    """Write down what a rule is from now on, unless it is that already."""
    kind, definition = _KINDS[type(rule)], _encode(rule)
    before = await tx.fetch_one(_RULE, kind, ref, at_ms)
    if before is None or before[0] != definition:
        await tx.execute(_NOTE_RULE, kind, ref, at_ms, definition)


class SqlPastPrices:
    """PastPrices (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prices(self, skus: Sequence[Sku], at_ms: int) -> dict[Sku, list[ListPrice]]:
        async def work(tx: Tx) -> dict[Sku, list[ListPrice]]:
            return {
                sku: [_price(row) for row in await tx.fetch(_PRICES, sku, at_ms)] for sku in skus
            }

        return await self._database.read(work)

    async def rule(self, kind: type[Rule], ref: str, at_ms: int) -> RuleThen | None:
        row = await self._database.read(lambda tx: tx.fetch_one(_RULE, _KINDS[kind], ref, at_ms))
        if row is None:
            return None
        return RuleThen(msgspec.json.decode(row[0], type=kind), row[1] or None)


def _price(row: Row) -> ListPrice:
    at_ms, amount_minor, currency, category, is_on_sale = row
    return ListPrice(Money(amount_minor, currency), category, bool(is_on_sale), at_ms)

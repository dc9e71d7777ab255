"""Products in SQL."""

from collections.abc import Iterable, Sequence

import msgspec

from emporion.chassis.data.database import Database, Row, Tx, Value
from emporion.contracts.catalog import ProductChanged, Quote
from emporion.kernel.clock import to_datetime
from emporion.kernel.ids import ProductId, Sku
from emporion.kernel.money import Money
from emporion.services.catalog.adapters.sql.past import note_prices
from emporion.services.catalog.domain.product import (
    Product,
    Variant,
    label,
    search_key,
    search_text,
    sort_name,
)
from emporion.services.catalog.ports import Decide, T

_QUOTES = """
SELECT sku, label, amount_minor, currency, category FROM variant
JOIN product ON product.product_id = variant.product_id
WHERE is_on_sale = 1 AND sku IN (SELECT value FROM json_each(?))"""
_PRODUCT = """
SELECT product_id, name, description, category, is_archived, updated_at_ms FROM product
WHERE product_id = ?"""
_PRODUCT_TO_CHANGE = f"{_PRODUCT} /* for update */"
_VARIANTS = """
SELECT sku, name, amount_minor, currency FROM variant WHERE product_id = ? ORDER BY position"""
_OWNER = "SELECT product_id FROM variant WHERE sku = ?"
_OLDEST_OF_NAME = """
SELECT product_id FROM product WHERE sort_name = ? AND name = ? ORDER BY product_id LIMIT 1"""
_PAGE = """
SELECT product_id, name, description, category, is_archived, updated_at_ms FROM product
WHERE is_archived = 0 AND (sort_name, product_id) > (?, ?)"""
_PUT = """
INSERT INTO product
(product_id, name, sort_name, description, category, search_text, is_archived, updated_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (product_id) DO UPDATE SET name = excluded.name, sort_name = excluded.sort_name,
    description = excluded.description, category = excluded.category,
    search_text = excluded.search_text, is_archived = excluded.is_archived,
    updated_at_ms = excluded.updated_at_ms"""
_DROP_VARIANTS = "DELETE FROM variant WHERE product_id = ?"
_ADD_VARIANT = """
INSERT INTO variant (sku, product_id, position, name, label, amount_minor, currency, is_on_sale)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


QUOTES_KEPT_MAX = 10_000


class SqlProductStore:
    """ProductStore (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._quotes: dict[Sku, Quote] = {}
        self._quotes_revision = -1

    async def change(
        self,
        decide: Decide[T],
        *,
        ids: Sequence[ProductId] = (),
        skus: Sequence[Sku] = (),
        names: Sequence[str] = (),
    ) -> T:
        async def work(tx: Tx) -> T:
            if names:
                await tx.lock("product names")
            wanted = dict.fromkeys(ids)
            wanted.update(dict.fromkeys(await _owners(tx, skus)))
            wanted.update(dict.fromkeys(await _named(tx, names)))
            found = [await _find(tx, product_id, _PRODUCT_TO_CHANGE) for product_id in wanted]
            products, answer = decide([product for product in found if product])
            await _write(tx, products)
            return answer

        return await self._database.transaction(work)

    async def find(self, product_id: ProductId) -> Product | None:
        async def work(tx: Tx) -> Product | None:
            return await _find(tx, product_id)

        return await self._database.read(work)

    async def page(
        self, *, search: str, category: str, after: str, limit: int
    ) -> list[Product] | None:
        sql, args = _PAGE, list[Value]()
        if category:
            sql, args = f"{sql} AND category = ?", [*args, category]
        if search:
            sql, args = f"{sql} AND instr(search_text, ?) > 0", [*args, search_key(search)]
        sql = f"{sql} ORDER BY sort_name, product_id LIMIT ?"

        async def work(tx: Tx) -> list[Product] | None:
            last = await _find(tx, ProductId(after)) if after else None
            if after and last is None:
                return None
            key = (sort_name(last.name), last.product_id) if last else ("", "")
            rows = await tx.fetch(sql, *key, *args, limit)
            return [await _with_variants(tx, row) for row in rows]

        return await self._database.read(work)

    async def quotes(self, skus: Sequence[Sku]) -> list[Quote | None]:
        quotes = self._standing_quotes()
        missing = [sku for sku in skus if sku not in quotes]
        if missing:
            quotes.update(await self._read_quotes(missing))
        return [quotes.get(sku) for sku in skus]

    def _standing_quotes(self) -> dict[Sku, Quote]:
        """The prices looked up since anything changed last."""
        revision = self._database.revision
        if revision != self._quotes_revision or len(self._quotes) > QUOTES_KEPT_MAX:
            self._quotes, self._quotes_revision = {}, revision
        return self._quotes

    async def _read_quotes(self, skus: Sequence[Sku]) -> dict[Sku, Quote]:
        wanted = msgspec.json.encode(skus).decode()
        rows = await self._database.read(lambda tx: tx.fetch(_QUOTES, wanted))
        return {row[0]: _quote(row) for row in rows}


def _quote(row: Row) -> Quote:
    sku, label, amount_minor, currency, category = row
    price = Money(amount_minor, currency)
    return Quote(sku=sku, name=label, price=price, category=category)


async def _owners(tx: Tx, skus: Iterable[Sku]) -> list[ProductId]:
    rows = [await tx.fetch_one(_OWNER, sku) for sku in skus]
    return [row[0] for row in rows if row]


async def _named(tx: Tx, names: Iterable[str]) -> list[ProductId]:
    rows = [await tx.fetch_one(_OLDEST_OF_NAME, sort_name(name), name) for name in names]
    return [row[0] for row in rows if row]


async def _find(tx: Tx, product_id: ProductId, sql: str = _PRODUCT) -> Product | None:
    row = await tx.fetch_one(sql, product_id)
    return await _with_variants(tx, row) if row else None


async def _with_variants(tx: Tx, row: Row) -> Product:
    product_id, name, description, category, is_archived, updated_at_ms = row
    variants = tuple(
        Variant(sku, variant_name, Money(amount_minor, currency))
        for sku, variant_name, amount_minor, currency in await tx.fetch(_VARIANTS, product_id)
    )
    return Product(
        product_id, name, description, category, variants, bool(is_archived), updated_at_ms
    )


async def _write(tx: Tx, products: Sequence[Product]) -> None:
    for product in products:
        await note_prices(tx, product)
        await tx.execute(_PUT, *_row(product))
        await tx.execute(_DROP_VARIANTS, product.product_id)
        await tx.execute_many(_ADD_VARIANT, list(_variant_rows(product)))
        await tx.publish(
            ProductChanged(
                product_id=product.product_id,
                skus=[variant.sku for variant in product.variants],
                is_archived=product.is_archived,
                changed_at=to_datetime(product.updated_at_ms),
            )
        )


def _row(product: Product) -> tuple[Value, ...]:
    return (
        product.product_id,
        product.name,
        sort_name(product.name),
        product.description,
        product.category,
        search_text(product),
        int(product.is_archived),
        product.updated_at_ms,
    )


def _variant_rows(product: Product) -> Iterable[tuple[Value, ...]]:
    for position, variant in enumerate(product.variants):
        yield (
            variant.sku,
            product.product_id,
            position,
            variant.name,
            label(product.name, variant.name),
            variant.price.amount_minor,
            variant.price.currency,
            int(not product.is_archived),
        )

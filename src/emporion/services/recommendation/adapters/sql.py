"""CountStore in SQL that SQLite and PostgreSQL share."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Database, Tx
from emporion.kernel.ids import OrderId, Sku
from emporion.services.recommendation.domain import Basket, Tally, Together
from emporion.services.recommendation.ports import Evidence, Seller

_STORED = (
    "SELECT order_id, items FROM basket"
    " WHERE order_id IN (SELECT value FROM json_each(?)) /* for update */"
)
_PUT = "INSERT INTO basket (order_id, items) VALUES (?, ?)"
_TAKE_OUT = "UPDATE basket SET items = NULL WHERE order_id = ?"
# One row that every transaction changes first: no two of them can wait for each other's others.
_COUNT_ORDERS = "UPDATE basket_total SET orders = orders + ?"
_COUNT_ITEM = (
    "INSERT INTO basket_item (sku, orders) VALUES (?, ?)"
    " ON CONFLICT (sku) DO UPDATE SET orders = basket_item.orders + excluded.orders"
)
_COUNT_PAIR = (
    "INSERT INTO basket_pair (sku, other, orders) VALUES (?, ?, ?)"
    " ON CONFLICT (sku, other) DO UPDATE SET orders = basket_pair.orders + excluded.orders"
)
_FORGET_ITEM = "DELETE FROM basket_item WHERE sku = ? AND orders = 0"
_FORGET_PAIR = "DELETE FROM basket_pair WHERE sku = ? AND other = ? AND orders = 0"
_ORDERS = "SELECT orders FROM basket_total"
_SELLERS = "SELECT sku, orders FROM basket_item ORDER BY orders DESC, sku LIMIT ?"
# A pair is stored once, in rising order: what goes with a SKU is found from either end.
_TOGETHER = (
    "SELECT one.sku, two.sku, basket_pair.orders, one.orders, two.orders,"
    " CAST(basket_pair.orders AS DOUBLE PRECISION) / one.orders / two.orders AS strength"
    " FROM basket_item AS one"
    " JOIN basket_pair ON basket_pair.sku = one.sku"
    " JOIN basket_item AS two ON two.sku = basket_pair.other"
    " WHERE one.sku IN (SELECT value FROM json_each(?1)) AND basket_pair.orders >= ?2"
    " UNION ALL"
    " SELECT one.sku, two.sku, basket_pair.orders, one.orders, two.orders,"
    " CAST(basket_pair.orders AS DOUBLE PRECISION) / one.orders / two.orders"
    " FROM basket_item AS one"
    " JOIN basket_pair ON basket_pair.other = one.sku"
    " JOIN basket_item AS two ON two.sku = basket_pair.sku"
    " WHERE one.sku IN (SELECT value FROM json_each(?1)) AND basket_pair.orders >= ?2"
    " ORDER BY strength DESC, 3 DESC, 2, 1 LIMIT ?3"
)
_text = msgspec.json.Encoder().encode
_items = msgspec.json.Decoder(tuple[Sku, ...]).decode


class SqlCounts:
    """The port, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tx: Tx, baskets: Sequence[Basket]) -> None:
        stored = await self._stored(tx, [basket.order_id for basket in baskets])
        new = {basket.order_id: basket for basket in baskets if basket.order_id not in stored}
        if not new:
            return
        rows = [(order_id, _json(basket.items)) for order_id, basket in new.items()]
        await tx.execute_many(_PUT, rows)
        await self._count(tx, _tally([basket.items for basket in new.values()]), sign=1)

    async def take_out(self, tx: Tx, order_ids: Sequence[OrderId]) -> None:
        stored = await self._stored(tx, order_ids)
        early = dict.fromkeys(order_id for order_id in order_ids if order_id not in stored)
        await tx.execute_many(_PUT, [(order_id, None) for order_id in early])
        counted = {order_id: items for order_id, items in stored.items() if items is not None}
        if not counted:
            return
        await tx.execute_many(_TAKE_OUT, [(order_id,) for order_id in counted])
        tally = _tally([_items(items) for items in counted.values()])
        await self._count(tx, tally, sign=-1)
        await tx.execute_many(_FORGET_ITEM, [(sku,) for sku in sorted(tally.items)])
        await tx.execute_many(_FORGET_PAIR, sorted(tally.pairs))

    async def evidence(self, skus: Sequence[Sku], *, min_orders: int, limit: int) -> Evidence:
        async def work(tx: Tx) -> Evidence:
            ((orders,),) = await tx.fetch(_ORDERS)
            sellers = await tx.fetch(_SELLERS, limit)
            together = await tx.fetch(_TOGETHER, _json(skus), min_orders, limit * len(skus))
            return Evidence(
                orders,
                [Together(*row[:-1]) for row in together],
                [Seller(*row) for row in sellers],
            )

        return await self._database.read(work)

    async def _stored(self, tx: Tx, order_ids: Sequence[OrderId]) -> dict[str, str | None]:
        """What is known of these orders: the items that count, or that they were taken out."""
        return dict(await tx.fetch(_STORED, _json(order_ids)))

    async def _count(self, tx: Tx, tally: Tally, *, sign: int) -> None:
        await tx.execute(_COUNT_ORDERS, sign * tally.orders)
        items = [(sku, sign * orders) for sku, orders in sorted(tally.items.items())]
        await tx.execute_many(_COUNT_ITEM, items)
        pairs = [(*pair, sign * orders) for pair, orders in sorted(tally.pairs.items())]
        await tx.execute_many(_COUNT_PAIR, pairs)


def _tally(baskets: Sequence[Sequence[Sku]]) -> Tally:
    tally = Tally()
    tally.add(baskets)
    return tally


def _json(texts: Sequence[str]) -> str:
    return _text(texts).decode()

"""What staff set up about prices, in SQL."""

import msgspec

from emporion.chassis.data.database import Database, Row, Tx
from emporion.contracts.pricing import BadPromotion
from emporion.services.catalog.adapters.sql.past import note_rule
from emporion.services.catalog.domain.basket import Delivery, Taxes
from emporion.services.catalog.domain.promotion import Promotion
from emporion.services.catalog.ports import Rules

_OPEN = "SELECT definition FROM promotion WHERE is_archived = 0 ORDER BY promotion_id"
_TAXES = "SELECT definition FROM country_tax ORDER BY country"
_DELIVERIES = "SELECT definition FROM delivery ORDER BY delivery_id"
_PROMOTION = "SELECT definition, uses FROM promotion WHERE promotion_id = ?"
_PROMOTIONS = """
SELECT definition, uses FROM promotion WHERE is_archived = ? AND promotion_id > ?
ORDER BY promotion_id LIMIT ?"""
_PUT_PROMOTION = """
INSERT INTO promotion (promotion_id, definition, is_archived) VALUES (?, ?, ?)
ON CONFLICT (promotion_id) DO UPDATE SET definition = excluded.definition,
    is_archived = excluded.is_archived"""
_PUT_TAXES = """
INSERT INTO country_tax (country, definition) VALUES (?, ?)
ON CONFLICT (country) DO UPDATE SET definition = excluded.definition"""
_PUT_DELIVERY = """
INSERT INTO delivery (delivery_id, definition) VALUES (?, ?)
ON CONFLICT (delivery_id) DO UPDATE SET definition = excluded.definition"""
_encode = msgspec.json.Encoder().encode
_promotion = msgspec.json.Decoder(Promotion).decode
_taxes = msgspec.json.Decoder(Taxes).decode
_delivery = msgspec.json.Decoder(Delivery).decode


class SqlRulesStore:
    """RulesStore (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> Rules:
        async def work(tx: Tx) -> Rules:
            taxes = [_taxes(row[0]) for row in await tx.fetch(_TAXES)]
            deliveries = [_delivery(row[0]) for row in await tx.fetch(_DELIVERIES)]
            return Rules(
                tuple(_promotion(row[0]) for row in await tx.fetch(_OPEN)),
                {one.country: one for one in taxes},
                {one.delivery_id: one for one in deliveries},
            )

        return await self._database.read(work)

    async def put_promotion(self, promotion: Promotion, *, open_max: int, at_ms: int) -> int:
        async def work(tx: Tx) -> int:
            await tx.lock("promotions")
            others = [
                one
                for one in (_promotion(row[0]) for row in await tx.fetch(_OPEN))
                if one.promotion_id != promotion.promotion_id
            ]
            if len(others) >= open_max:
                raise BadPromotion(
                    f"{open_max} promotions are open; archive one first", field="promotion_id"
                )
            if promotion.code and any(one.code == promotion.code for one in others):
                raise BadPromotion("another promotion has this code", field="code")
            await _put(tx, promotion, at_ms=at_ms)
            found = await tx.fetch_one(_PROMOTION, promotion.promotion_id)
            return int(found[1]) if found else 0

        return await self._database.transaction(work)

    async def archive_promotion(
        self, promotion_id: str, *, at_ms: int
    ) -> tuple[Promotion, int] | None:
        async def work(tx: Tx) -> tuple[Promotion, int] | None:
            found = await tx.fetch_one(f"{_PROMOTION} /* for update */", promotion_id)
            if found is None:
                return None
            promotion, uses = _read(found)
            archived = msgspec.structs.replace(promotion, is_archived=True)
            await _put(tx, archived, at_ms=at_ms)
            return archived, uses

        return await self._database.transaction(work)

    async def promotion(self, promotion_id: str) -> tuple[Promotion, int] | None:
        async def work(tx: Tx) -> Row | None:
            return await tx.fetch_one(_PROMOTION, promotion_id)

        found = await self._database.read(work)
        return _read(found) if found else None

    async def promotions(
        self, *, is_archived: bool, after: str, limit: int
    ) -> list[tuple[Promotion, int]]:
        async def work(tx: Tx) -> list[Row]:
            return await tx.fetch(_PROMOTIONS, int(is_archived), after, limit)

        return [_read(row) for row in await self._database.read(work)]

    async def put_taxes(self, taxes: Taxes, *, at_ms: int) -> None:
        async def work(tx: Tx) -> None:
            await note_rule(tx, taxes, taxes.country, at_ms=at_ms)
            await tx.execute(_PUT_TAXES, taxes.country, _encode(taxes))

        await self._database.transaction(work)

    async def put_delivery(self, delivery: Delivery, *, at_ms: int) -> None:
        async def work(tx: Tx) -> None:
            await note_rule(tx, delivery, delivery.delivery_id, at_ms=at_ms)
            await tx.execute(_PUT_DELIVERY, delivery.delivery_id, _encode(delivery))

        await self._database.transaction(work)


async def _put(tx: Tx, promotion: Promotion, *, at_ms: int) -> None:
    await note_rule(tx, promotion, promotion.promotion_id, at_ms=at_ms)
    definition, is_archived = _encode(promotion), int(promotion.is_archived)
    await tx.execute(_PUT_PROMOTION, promotion.promotion_id, definition, is_archived)


def _read(row: Row) -> tuple[Promotion, int]:
    return _promotion(row[0]), int(row[1])

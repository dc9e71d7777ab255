"""How often promotions were used, in SQL: a row each, and the count beside the promotion."""

from collections.abc import Sequence

import msgspec

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.pricing import CodeUsedUp
from emporion.kernel.ids import UserId
from emporion.services.catalog.domain.promotion import Promotion
from emporion.services.catalog.ports import Uses

_PROMOTION = "SELECT definition, uses FROM promotion WHERE promotion_id = ? /* for update */"
_USES = "SELECT uses FROM promotion WHERE promotion_id = ?"
_USES_OF_USER = "SELECT count(*) FROM promotion_use WHERE promotion_id = ? AND user_id = ?"
_ORDER = "SELECT is_used FROM promotion_order WHERE order_id = ?"
_ADD_ORDER = "INSERT INTO promotion_order (order_id, is_used) VALUES (?, ?)"
_FREE_ORDER = "UPDATE promotion_order SET is_used = 0 WHERE order_id = ?"
_ADD_USE = "INSERT INTO promotion_use (promotion_id, order_id, user_id) VALUES (?, ?, ?)"
_DROP_USE = "DELETE FROM promotion_use WHERE promotion_id = ? AND order_id = ?"
_COUNT = "UPDATE promotion SET uses = uses + ? WHERE promotion_id = ?"
_decode = msgspec.json.Decoder(Promotion).decode


class SqlUseStore:
    """UseStore (the port) over the chassis's database.

    Whoever changes the uses of a promotion holds its row first, in the order of ids: so orders
    that use the same ones wait for each other, and a count never passes its limit.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def uses(self, promotion_ids: Sequence[str], user_id: UserId | None) -> dict[str, Uses]:
        async def work(tx: Tx) -> dict[str, Uses]:
            found = dict[str, Uses]()
            for promotion_id in promotion_ids:
                row = await tx.fetch_one(_USES, promotion_id)
                own = await tx.fetch_one(_USES_OF_USER, promotion_id, user_id) if user_id else None
                found[promotion_id] = Uses(int(row[0]) if row else 0, int(own[0]) if own else 0)
            return found

        return await self._database.read(work)

    async def use(self, order_id: str, user_id: UserId, promotion_ids: Sequence[str]) -> bool:
        async def work(tx: Tx) -> bool:
            held = await _hold(tx, promotion_ids)
            known = await tx.fetch_one(_ORDER, order_id)
            if known is not None:
                return bool(known[0])
            for promotion, uses in held:
                await _refuse_beyond(tx, promotion, uses=uses, user_id=user_id)
                await tx.execute(_ADD_USE, promotion.promotion_id, order_id, user_id)
                await tx.execute(_COUNT, 1, promotion.promotion_id)
            await tx.execute(_ADD_ORDER, order_id, 1)
            return True

        return await self._database.transaction(work)

    async def free(self, order_id: str, promotion_ids: Sequence[str]) -> None:
        async def work(tx: Tx) -> None:
            held = await _hold(tx, promotion_ids)
            known = await tx.fetch_one(_ORDER, order_id)
            if known is None:
                await tx.execute(_ADD_ORDER, order_id, 0)
            elif known[0]:
                for promotion, _ in held:
                    dropped = await tx.execute(_DROP_USE, promotion.promotion_id, order_id)
                    await tx.execute(_COUNT, -dropped, promotion.promotion_id)
                await tx.execute(_FREE_ORDER, order_id)

        await self._database.transaction(work)


async def _hold(tx: Tx, promotion_ids: Sequence[str]) -> list[tuple[Promotion, int]]:
    rows = [await tx.fetch_one(_PROMOTION, one) for one in sorted(set(promotion_ids))]
    return [(_decode(row[0]), int(row[1])) for row in rows if row]


async def _refuse_beyond(tx: Tx, promotion: Promotion, *, uses: int, user_id: UserId) -> None:
    own = 0
    if promotion.uses_per_user_max:
        row = await tx.fetch_one(_USES_OF_USER, promotion.promotion_id, user_id)
        own = int(row[0]) if row else 0
    if promotion.is_used_up(uses, own):
        raise CodeUsedUp(
            f"{promotion.name} was used as often as it may be", promotion_id=promotion.promotion_id
        )

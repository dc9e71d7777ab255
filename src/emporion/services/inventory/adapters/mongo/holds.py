"""Holds on stock as documents: one an order, changed together with the levels it holds."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.documents import (
    Change,
    Document,
    Find,
    documents,
    documents_of,
)
from emporion.chassis.data.gathered import Gathered
from emporion.contracts.inventory import (
    ReservationStatus,
    StockReleased,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Unavailable
from emporion.kernel.ids import OrderId, Sku
from emporion.services.inventory.adapters.mongo.levels import giving_back, shelves, taking
from emporion.services.inventory.adapters.mongo.plans import carry_out, settled
from emporion.services.inventory.adapters.mongo.records import (
    HOLD,
    find_hold,
    hold_from,
    keys_of,
    put,
)
from emporion.services.inventory.adapters.mongo.reserving import Asked, Reserving
from emporion.services.inventory.adapters.refusals import out_of_stock
from emporion.services.inventory.adapters.trail import read, remembering, written
from emporion.services.inventory.domain import (
    OPEN,
    Action,
    Effect,
    Hold,
    HoldChange,
    Status,
    Verdict,
    after,
    allocate,
    effect,
)


class MongoHoldStore:
    """HoldStore (the port) over a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)
        self._gathered = Gathered(Reserving(self._database).reserve, database=self._database)

    async def reserve(
        self, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int, expires_at_ms: int
    ) -> Hold:
        line = written(Status.HELD, now_ms)
        return await self._gathered.run(Asked(order_id, wanted, now_ms, expires_at_ms, line))

    async def release(self, order_id: OrderId, *, now_ms: int) -> Hold:
        async def plan() -> Hold:
            stored = await self.find(order_id)
            if stored is None:
                tombstone = Hold(order_id, Status.RELEASED, [], now_ms, None)
                line = written(tombstone.status, now_ms)
                await self._carry_out([put(None, tombstone, line)], tombstone)
                return tombstone
            ended = _ended(stored, Action.RELEASE)
            if ended.status is not stored.status:
                await self._carry_out(*_ending(stored, ended, now_ms=now_ms))
            return ended

        return await settled(plan)

    async def commit_held(self, tx: Tx, order_ids: Sequence[OrderId], *, now_ms: int) -> bool:
        held = {"_id": {"$in": list(order_ids)}, "status": "held"}
        committed: Document = {
            "$set": {"status": "committed"},
            "$unset": {"expires_at_ms": ""},
            "$push": {"trail": written(Status.COMMITTED, now_ms)},
        }
        return await documents_of(tx).update_all(HOLD, held, committed) == len(order_ids)

    async def commit(
        self, tx: Tx, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int
    ) -> None:
        books = documents_of(tx)
        stored = await find_hold(books, order_id)
        before = stored.status if stored else Status.ABSENT
        status = after(before, Action.COMMIT) or before
        if status is before:
            return
        hold = Hold(order_id, status, [], now_ms, None)
        if stored is not None:
            hold = replace(stored, status=status, expires_at_ms=None)
        takes = effect(before, status) is Effect.TAKE
        if takes:
            allocations, shortages = allocate(wanted, await shelves(books, wanted))
            if shortages:
                raise out_of_stock(shortages)
            hold = replace(hold, allocations=allocations)
        taken = taking(hold.allocations) if takes else []
        line = written(status, now_ms)
        if takes and stored is not None:
            line = remembering(line, stored.allocations)
        if not await books.write([*taken, put(stored, hold, line)]):
            raise Unavailable(f"the stock for {order_id} changed while it was being allocated")

    async def due(self, *, now_ms: int, limit: int) -> list[OrderId]:
        what = Find(HOLD, {"expires_at_ms": {"$lte": now_ms}}, [("expires_at_ms", 1)], limit)
        return [OrderId(found["_id"]) for found in await self._read(what)]

    async def settle(self, verdicts: Sequence[Verdict], *, now_ms: int) -> None:
        by_order = {verdict.order_id: verdict for verdict in verdicts}
        still_due = {"_id": {"$in": list(by_order)}, "expires_at_ms": {"$lte": now_ms}}

        async def plan() -> None:
            changes: list[Change] = []
            events: list[StockReleased] = []
            holds = [hold_from(found) for found in await self._read(Find(HOLD, still_due))]
            for hold in holds:
                _, action, expires_at_ms = by_order[hold.order_id]
                if action is Action.EXPIRE:
                    some, _, told = _ending(hold, _ended(hold, action), now_ms=now_ms)
                    changes += some
                    events += told
                else:
                    status = after(hold.status, action) or hold.status
                    changed = replace(hold, status=status, expires_at_ms=expires_at_ms)
                    changes.append(put(hold, changed, written(status, now_ms)))
            if changes:
                await carry_out(self._database, changes, keys=keys_of(holds), events=events)

        await settled(plan)

    async def next_expiry_ms(self) -> int | None:
        what = Find(HOLD, {"expires_at_ms": {"$gt": 0}}, [("expires_at_ms", 1)], 1)
        return next((found["expires_at_ms"] for found in await self._read(what)), None)

    async def find(self, order_id: OrderId) -> Hold | None:
        return await self._database.read(lambda tx: find_hold(tx, order_id))

    async def history(self, order_id: OrderId) -> tuple[Hold, list[HoldChange]] | None:
        found = await self._read(Find(HOLD, {"_id": order_id}, limit=1))
        if not found:
            return None
        hold = hold_from(found[0])
        return hold, read(hold, found[0].get("trail", ()))

    async def holding(self, sku: Sku, *, before: str, limit: int) -> list[Hold]:
        chosen: dict[str, object] = {
            "status": {"$in": [status.value for status in OPEN]},
            "allocations.sku": sku,
        }
        if before:
            chosen["_id"] = {"$lt": before}
        found = await self._read(Find(HOLD, chosen, [("_id", -1)], limit))
        return [hold_from(each) for each in found]

    async def page(self, *, status: Status | None, before: str, limit: int) -> list[Hold]:
        chosen: dict[str, object] = {} if status is None else {"status": status.value}
        if before:
            chosen["_id"] = {"$lt": before}
        what = Find(HOLD, chosen, [("_id", -1)], limit)
        return [hold_from(found) for found in await self._read(what)]

    async def _read(self, what: Find) -> list[Document]:
        return await self._database.read(lambda tx: tx.find(what))

    async def _carry_out(
        self, changes: Sequence[Change], hold: Hold, events: Sequence[StockReleased] = ()
    ) -> None:
        await carry_out(self._database, changes, keys=keys_of([hold]), events=events)


def _ended(hold: Hold, action: Action) -> Hold:
    return replace(hold, status=after(hold.status, action) or hold.status, expires_at_ms=None)


def _ending(
    hold: Hold, ended: Hold, *, now_ms: int
) -> tuple[list[Change], Hold, list[StockReleased]]:
    """The changes that end a hold; announced only when units are given back."""
    change = put(hold, ended, written(ended.status, now_ms))
    if effect(hold.status, ended.status) is not Effect.GIVE_BACK:
        return [change], ended, []
    event = StockReleased(
        order_id=hold.order_id,
        status=ReservationStatus(ended.status.value),
        released_at=to_datetime(now_ms),
    )
    return [change, *giving_back(hold.allocations)], ended, [event]

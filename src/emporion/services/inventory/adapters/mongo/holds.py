"""Holds on stock as documents: one an order, changed together with the levels it holds."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.documents import (
    Change,
    Document,
    DocumentTx,
    Find,
    Insert,
    Update,
    documents,
    documents_of,
)
from emporion.contracts.inventory import (
    ReservationReleased,
    ReservationStatus,
    StockReleased,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Conflict, Unavailable
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory.adapters.mongo.levels import giving_back, shelves, taking
from emporion.services.inventory.adapters.mongo.plans import carry_out, settled
from emporion.services.inventory.adapters.refusals import out_of_stock
from emporion.services.inventory.domain import (
    Action,
    Allocation,
    Effect,
    Hold,
    Status,
    Verdict,
    after,
    allocate,
    effect,
    is_same_request,
)

HOLD = "hold"
_COMMITTED: Document = {"$set": {"status": "committed"}, "$unset": {"expires_at_ms": ""}}


class MongoHoldStore:
    """HoldStore (the port) over a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)

    async def reserve(
        self, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int, expires_at_ms: int
    ) -> Hold:
        is_first = True

        async def plan() -> Hold:
            nonlocal is_first
            free = await self._database.read(lambda tx: shelves(tx, wanted))
            allocations, shortages = allocate(wanted, free)
            stored = None
            if shortages or not is_first:
                stored = await self.find(order_id)
            is_first = False
            if stored is not None and _is_done(stored, wanted):
                return stored
            if shortages:
                raise out_of_stock(shortages)
            hold = Hold(order_id, Status.HELD, allocations, now_ms, expires_at_ms)
            if stored is not None:
                hold = replace(hold, created_at_ms=stored.created_at_ms)
            await self._carry_out([*taking(allocations), _put(stored, hold)], hold)
            return hold

        return await settled(plan)

    async def release(self, order_id: OrderId, *, now_ms: int) -> Hold:
        async def plan() -> Hold:
            stored = await self.find(order_id)
            if stored is None:
                tombstone = Hold(order_id, Status.RELEASED, [], now_ms, None)
                await self._carry_out([_put(None, tombstone)], tombstone)
                return tombstone
            ended = _ended(stored, Action.RELEASE)
            if ended.status is not stored.status:
                await self._carry_out(*_ending(stored, ended, now_ms=now_ms))
            return ended

        return await settled(plan)

    async def commit_held(self, tx: Tx, order_ids: Sequence[OrderId]) -> bool:
        held = {"_id": {"$in": list(order_ids)}, "status": "held"}
        return await documents_of(tx).update_all(HOLD, held, _COMMITTED) == len(order_ids)

    async def commit(
        self, tx: Tx, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int
    ) -> None:
        books = documents_of(tx)
        stored = await _find(books, order_id)
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
        if not await books.write([*taken, _put(stored, hold)]):
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
            holds = [_hold(found) for found in await self._read(Find(HOLD, still_due))]
            for hold in holds:
                _, action, expires_at_ms = by_order[hold.order_id]
                if action is Action.EXPIRE:
                    some, _, told = _ending(hold, _ended(hold, action), now_ms=now_ms)
                    changes += some
                    events += told
                else:
                    status = after(hold.status, action) or hold.status
                    changed = replace(hold, status=status, expires_at_ms=expires_at_ms)
                    changes.append(_put(hold, changed))
            if changes:
                await carry_out(self._database, changes, keys=_keys(holds), events=events)

        await settled(plan)

    async def next_expiry_ms(self) -> int | None:
        what = Find(HOLD, {"expires_at_ms": {"$gt": 0}}, [("expires_at_ms", 1)], 1)
        return next((found["expires_at_ms"] for found in await self._read(what)), None)

    async def find(self, order_id: OrderId) -> Hold | None:
        return await self._database.read(lambda tx: _find(tx, order_id))

    async def page(self, *, status: Status | None, before: str, limit: int) -> list[Hold]:
        chosen: dict[str, object] = {} if status is None else {"status": status.value}
        if before:
            chosen["_id"] = {"$lt": before}
        what = Find(HOLD, chosen, [("_id", -1)], limit)
        return [_hold(found) for found in await self._read(what)]

    async def _read(self, what: Find) -> list[Document]:
        return await self._database.read(lambda tx: tx.find(what))

    async def _carry_out(
        self, changes: Sequence[Change], hold: Hold, events: Sequence[StockReleased] = ()
    ) -> None:
        await carry_out(self._database, changes, keys=_keys([hold]), events=events)


def _is_done(stored: Hold, wanted: Mapping[Sku, int]) -> bool:
    """Whether a repeated request finds its hold, or has to take it again: it expired.

    Raises ReservationReleased and Conflict.
    """
    status = after(stored.status, Action.RESERVE)
    if status is None:
        raise ReservationReleased(f"the reservation of {stored.order_id} was released")
    if not is_same_request(stored, wanted):
        raise Conflict(f"{stored.order_id} already has a reservation of other units")
    return effect(stored.status, status) is not Effect.TAKE


def _ended(hold: Hold, action: Action) -> Hold:
    return replace(hold, status=after(hold.status, action) or hold.status, expires_at_ms=None)


def _ending(
    hold: Hold, ended: Hold, *, now_ms: int
) -> tuple[list[Change], Hold, list[StockReleased]]:
    """The changes that end a hold; announced only when units are given back."""
    change = _put(hold, ended)
    if effect(hold.status, ended.status) is not Effect.GIVE_BACK:
        return [change], ended, []
    event = StockReleased(
        order_id=hold.order_id,
        status=ReservationStatus(ended.status.value),
        released_at=to_datetime(now_ms),
    )
    return [change, *giving_back(hold.allocations)], ended, [event]


def _put(stored: Hold | None, hold: Hold) -> Change:
    """Make the hold, or change it if it still is what was read."""
    if stored is None:
        return Insert(HOLD, {"_id": hold.order_id, **_columns(hold)})
    columns = _columns(hold)
    change: dict[str, object] = {"$set": columns}
    if hold.expires_at_ms is None:
        change["$unset"] = {"expires_at_ms": ""}
    guard = {"_id": stored.order_id, "status": stored.status.value}
    if stored.expires_at_ms is not None:
        guard["expires_at_ms"] = stored.expires_at_ms  # type: ignore[assignment]
    return Update(HOLD, guard, change)


def _columns(hold: Hold) -> dict[str, object]:
    columns: dict[str, object] = {
        "status": hold.status.value,
        "allocations": [each._asdict() for each in hold.allocations],
        "created_at_ms": hold.created_at_ms,
    }
    if hold.expires_at_ms is not None:
        columns["expires_at_ms"] = hold.expires_at_ms  # absent where it never ends: few are due
    return columns


async def _find(tx: DocumentTx, order_id: OrderId) -> Hold | None:
    found = await tx.find(Find(HOLD, {"_id": order_id}, limit=1))
    return _hold(found[0]) if found else None


def _hold(found: Document) -> Hold:
    return Hold(
        OrderId(found["_id"]),
        Status(found["status"]),
        [
            Allocation(Sku(each["sku"]), WarehouseId(each["warehouse_id"]), each["quantity"])
            for each in found["allocations"]
        ],
        found["created_at_ms"],
        found.get("expires_at_ms"),
    )


def _keys(holds: Iterable[Hold]) -> set[str]:
    """What the change of a hold writes: itself, and the levels of its SKUs."""
    keys: set[str] = set()
    for hold in holds:
        keys.add(hold.order_id)
        keys.update(sku for sku, _, _ in hold.allocations)
    return keys

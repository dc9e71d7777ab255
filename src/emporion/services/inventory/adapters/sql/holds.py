"""Holds on stock in SQL: one row an order, taken and released together with the levels."""

from collections.abc import Awaitable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.data.together import Together
from emporion.contracts.inventory import (
    ReservationReleased,
    ReservationStatus,
    StockReleased,
)
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Conflict
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory.adapters.refusals import out_of_stock
from emporion.services.inventory.adapters.sql.levels import Usual, give_back, take, take_for_each
from emporion.services.inventory.adapters.sql.pages import HOLDING, PAGE, PAGE_OF
from emporion.services.inventory.adapters.sql.records import hold_from, row_of
from emporion.services.inventory.adapters.trail import read, remembering, written
from emporion.services.inventory.domain import (
    Action,
    Allocation,
    Effect,
    Hold,
    HoldChange,
    Shortage,
    Status,
    Verdict,
    after,
    effect,
    is_same_request,
    units_per_sku,
)

_FIND = """
SELECT order_id, status, allocations, created_at_ms, expires_at_ms FROM hold WHERE order_id = ?"""
_TO_CHANGE = f"{_FIND} /* for update */"
_ADD = """
INSERT INTO hold (order_id, status, allocations, created_at_ms, expires_at_ms, trail)
VALUES (?, ?, ?, ?, ?, ?)"""
_ADD_IF_NEW = f"{_ADD} ON CONFLICT DO NOTHING"
_CHANGE = """
UPDATE hold SET status = ?, allocations = ?, expires_at_ms = ?, trail = trail || ?
WHERE order_id = ?"""
_TRAIL = "SELECT trail FROM hold WHERE order_id = ?"
_COMMIT = """
UPDATE hold SET status = 'committed', expires_at_ms = NULL, trail = trail || ?
WHERE order_id = ? AND status = 'held'"""
_COMMIT_HELD = """
UPDATE hold SET status = 'committed', expires_at_ms = NULL, trail = trail || ?
WHERE order_id IN (SELECT value FROM json_each(?)) AND status = 'held'"""
_DUE = """
SELECT order_id FROM hold WHERE status = 'held' AND expires_at_ms <= ?
ORDER BY expires_at_ms LIMIT ?"""
_NEXT_EXPIRY = "SELECT MIN(expires_at_ms) FROM hold WHERE status = 'held'"
_ABOVE_ALL = "~"  # sorts after every order id

_HELD = Status.HELD
_encode = msgspec.json.Encoder().encode


class _Asked(NamedTuple):
    """A hold that is to be taken."""

    order_id: OrderId
    wanted: Mapping[Sku, int]
    now_ms: int
    expires_at_ms: int
    line: str  # for the trail, made where it is known who asks

    def held(self, allocations: Sequence[Allocation]) -> Hold:
        return Hold(self.order_id, _HELD, allocations, self.now_ms, self.expires_at_ms)

    def held_in(self, warehouse_id: WarehouseId) -> Hold:
        return self.held([Allocation(sku, warehouse_id, n) for sku, n in self.wanted.items()])


class SqlHoldStore:
    """HoldStore (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._usual = Usual()
        self._together = Together(database, self._reserve)

    async def reserve(
        self, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int, expires_at_ms: int
    ) -> Hold:
        asked = _Asked(order_id, wanted, now_ms, expires_at_ms, written(_HELD, now_ms))
        outcome = await self._together.run(asked)
        if isinstance(outcome, Hold):
            return outcome
        raise out_of_stock(outcome)

    async def _reserve(self, tx: Tx, asked: Sequence[_Asked]) -> Sequence[Hold | list[Shortage]]:
        """Several holds with one update of each level; a hold that is there raises."""
        if len(asked) == 1:
            return [await self._reserve_alone(tx, asked[0])]
        wanted = units_per_sku(chain.from_iterable(each.wanted.items() for each in asked))
        if self._usual.has(wanted):
            taken = await self._usual.take(tx, wanted)
            if len(taken) == len(wanted):
                held = [each.held_in(self._usual.warehouse_id) for each in asked]
                await _insert_all(tx, asked, held)
                return held
            await give_back(tx, taken)
        found = await take_for_each(tx, [each.wanted for each in asked])
        served = {
            place: each.held(taken)
            for place, (each, (taken, _)) in enumerate(zip(asked, found, strict=True))
            if taken
        }
        await _insert_all(tx, [asked[place] for place in served], list(served.values()))
        # What there is too little for may be held already.
        return [
            served.get(place) or await self._reserve_alone(tx, each)
            for place, each in enumerate(asked)
        ]

    async def _reserve_alone(self, tx: Tx, asked: _Asked) -> Hold | list[Shortage]:
        wanted = asked.wanted
        taken = await self._usual.take(tx, wanted) if self._usual.has(wanted) else []
        hold = asked.held(taken)
        if len(taken) == len(wanted) and await tx.execute(_ADD_IF_NEW, *row_of(hold, asked.line)):
            return hold
        # Undone by hand: raising here would roll back the neighbours in the commit.
        await give_back(tx, taken)
        stored = await _find(tx, asked.order_id, _TO_CHANGE)
        if stored is not None:
            return await _reserve_again(tx, stored, asked)
        taken, shortages = await take(tx, wanted)
        if shortages:
            return shortages
        self._usual.warehouse_id = taken[-1].warehouse_id
        hold = asked.held(taken)
        await _insert(tx, hold, asked.line)
        return hold

    async def release(self, order_id: OrderId, *, now_ms: int) -> Hold:
        async def work(tx: Tx) -> Hold:
            stored = await _find(tx, order_id, _TO_CHANGE)
            if stored is None:
                tombstone = Hold(order_id, Status.RELEASED, [], now_ms, None)
                await _insert(tx, tombstone, written(tombstone.status, now_ms))
                return tombstone
            return await _end(tx, stored, Action.RELEASE, now_ms=now_ms)

        return await self._database.transaction(work)

    async def commit_held(self, tx: Tx, order_ids: Sequence[OrderId], *, now_ms: int) -> bool:
        line, ids = written(Status.COMMITTED, now_ms), _encode(order_ids).decode()
        return await tx.execute(_COMMIT_HELD, line, ids) == len(order_ids)

    async def commit(
        self, tx: Tx, order_id: OrderId, wanted: Mapping[Sku, int], *, now_ms: int
    ) -> None:
        line = written(Status.COMMITTED, now_ms)
        if await tx.execute(_COMMIT, line, order_id):
            return
        stored = await _find(tx, order_id, _TO_CHANGE)
        before = stored.status if stored else Status.ABSENT
        if effect(before, after(before, Action.COMMIT) or before) is not Effect.TAKE:
            return
        allocations, shortages = await take(tx, wanted)
        if shortages:
            raise out_of_stock(shortages)
        if stored is None:
            await _insert(tx, Hold(order_id, Status.COMMITTED, allocations, now_ms, None), line)
        else:
            again = replace(stored, status=Status.COMMITTED, allocations=allocations)
            await change_hold(tx, again, remembering(line, stored.allocations))

    async def due(self, *, now_ms: int, limit: int) -> list[OrderId]:
        async def work(tx: Tx) -> list[OrderId]:
            return [order_id for (order_id,) in await tx.fetch(_DUE, now_ms, limit)]

        return await self._database.read(work)

    async def settle(self, verdicts: Sequence[Verdict], *, now_ms: int) -> None:
        async def work(tx: Tx) -> None:
            for order_id, action, expires_at_ms in verdicts:
                hold = await _find(tx, order_id, _TO_CHANGE)
                if hold is None or hold.expires_at_ms is None or hold.expires_at_ms > now_ms:
                    continue  # released, committed or extended since it was due
                if action is Action.EXPIRE:
                    await _end(tx, hold, action, now_ms=now_ms)
                else:
                    status = after(hold.status, action) or hold.status
                    changed = replace(hold, status=status, expires_at_ms=expires_at_ms)
                    await change_hold(tx, changed, written(status, now_ms))

        await self._database.transaction(work)

    async def next_expiry_ms(self) -> int | None:
        async def work(tx: Tx) -> int | None:
            row = await tx.fetch_one(_NEXT_EXPIRY)
            return row[0] if row else None

        return await self._database.read(work)

    async def find(self, order_id: OrderId) -> Hold | None:
        async def work(tx: Tx) -> Hold | None:
            return await _find(tx, order_id)

        return await self._database.read(work)

    async def history(self, order_id: OrderId) -> tuple[Hold, list[HoldChange]] | None:
        async def work(tx: Tx) -> tuple[Hold, list[HoldChange]] | None:
            hold = await _find(tx, order_id)
            row = await tx.fetch_one(_TRAIL, order_id)
            return (hold, read(hold, row[0].splitlines())) if hold and row else None

        return await self._database.read(work)

    async def holding(self, sku: Sku, *, before: str, limit: int) -> list[Hold]:
        named = f'%"{sku}"%'  # `_` stands for any character: the caller looks again

        async def work(tx: Tx) -> list[Hold]:
            rows = await tx.fetch(HOLDING, named, before or _ABOVE_ALL, limit)
            return [hold_from(row) for row in rows]

        return await self._database.read(work)

    async def page(self, *, status: Status | None, before: str, limit: int) -> list[Hold]:
        sql = PAGE if status is None else PAGE_OF[status]

        async def work(tx: Tx) -> list[Hold]:
            return [hold_from(row) for row in await tx.fetch(sql, before or _ABOVE_ALL, limit)]

        return await self._database.read(work)


async def hold_to_change(tx: Tx, order_id: OrderId) -> Hold | None:
    """The hold of an order, kept from being changed by others until the transaction ends."""
    return await _find(tx, order_id, _TO_CHANGE)


async def _find(tx: Tx, order_id: OrderId, sql: str = _FIND) -> Hold | None:
    row = await tx.fetch_one(sql, order_id)
    return hold_from(row) if row else None


def _insert_all(tx: Tx, asked: Sequence[_Asked], held: Sequence[Hold]) -> Awaitable[None]:
    """Raises UniqueViolation when an order has a hold."""
    return tx.execute_many(_ADD, list(map(row_of, held, [each.line for each in asked])))


def _insert(tx: Tx, hold: Hold, line: str) -> Awaitable[int]:
    """Raises UniqueViolation when the order got a hold meanwhile."""
    return tx.execute(_ADD, *row_of(hold, line))


async def change_hold(tx: Tx, hold: Hold, line: str) -> Hold:
    """Write down what became of a hold; `line` is for its trail."""
    stored = _encode(hold.allocations).decode()
    await tx.execute(_CHANGE, hold.status, stored, hold.expires_at_ms, line, hold.order_id)
    return hold


async def _reserve_again(tx: Tx, stored: Hold, asked: _Asked) -> Hold | list[Shortage]:
    wanted, expires_at_ms = asked.wanted, asked.expires_at_ms
    status = after(stored.status, Action.RESERVE)
    if status is None:
        raise ReservationReleased(f"the reservation of {stored.order_id} was released")
    if not is_same_request(stored, wanted):
        raise Conflict(f"{stored.order_id} already has a reservation of other units")
    if effect(stored.status, status) is not Effect.TAKE:
        return stored
    allocations, shortages = await take(tx, wanted)
    if shortages:
        return shortages
    return await change_hold(
        tx,
        replace(stored, status=status, allocations=allocations, expires_at_ms=expires_at_ms),
        remembering(asked.line, stored.allocations),
    )


async def _end(tx: Tx, hold: Hold, action: Action, *, now_ms: int) -> Hold:
    """Release or expire a hold; announced only when units were given back."""
    status = after(hold.status, action) or hold.status
    if status is hold.status:
        return hold
    if effect(hold.status, status) is Effect.GIVE_BACK:
        await give_back(tx, hold.allocations)
        await tx.publish(
            StockReleased(
                order_id=hold.order_id,
                status=ReservationStatus(status.value),
                released_at=to_datetime(now_ms),
            )
        )
    ended = replace(hold, status=status, expires_at_ms=None)
    return await change_hold(tx, ended, written(status, now_ms))

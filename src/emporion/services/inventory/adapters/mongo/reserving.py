"""Takes holds for many orders at once: one read, one list of changes, one commit for all.

What all of them want of a level is one guarded update. An order that this does not settle (it has
a hold already, or others were first) is decided about alone.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from emporion.chassis.data.documents import Change, DocumentDatabase, Find
from emporion.contracts.inventory import ReservationReleased
from emporion.kernel.errors import Conflict
from emporion.kernel.ids import OrderId, Sku, WarehouseId
from emporion.services.inventory.adapters.mongo.levels import shelves, taking
from emporion.services.inventory.adapters.mongo.plans import PlanIsStale, carry_out, settled
from emporion.services.inventory.adapters.mongo.records import HOLD, find_hold, keys_of, put
from emporion.services.inventory.adapters.refusals import out_of_stock
from emporion.services.inventory.adapters.trail import remembering
from emporion.services.inventory.domain import (
    Action,
    Allocation,
    Effect,
    Hold,
    Shelf,
    Shortage,
    Status,
    after,
    allocate,
    effect,
    is_same_request,
)

Outcome = Hold | Exception
_Shelves = dict[Sku, list[Shelf]]


class Asked(NamedTuple):
    """A hold that is to be taken."""

    order_id: OrderId
    wanted: Mapping[Sku, int]
    now_ms: int
    expires_at_ms: int
    line: str
    """For the trail: made where it is known who asks."""

    def held(self, allocations: Sequence[Allocation]) -> Hold:
        """The hold with these units."""
        return Hold(self.order_id, Status.HELD, allocations, self.now_ms, self.expires_at_ms)


class Reserving:
    """The part of a hold store that takes holds."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._database = database

    async def reserve(self, asked: Sequence[Asked]) -> list[Outcome]:
        """A hold, or the refusal, for each. Raises what the database raises: then for all."""
        done: dict[int, Outcome] = {}
        if len(asked) > 1:
            done = await self._together(asked)
        rest = [at for at in range(len(asked)) if at not in done]
        alone = await asyncio.gather(*(self._outcome(asked[at]) for at in rest))
        done.update(zip(rest, alone, strict=True))
        return [done[at] for at in range(len(asked))]

    async def _together(self, asked: Sequence[Asked]) -> dict[int, Outcome]:
        """What could be settled in one transaction, by its place; without those to be done alone.

        What one of them takes is not there for the next, so a shortage counts only when all that
        came before it was really taken.
        """
        free = await self._free(each.wanted for each in asked)
        held: dict[int, Hold] = {}
        short: dict[int, Sequence[Shortage]] = {}
        first_of = {each.order_id: at for at, each in reversed(list(enumerate(asked)))}
        for at in sorted(first_of.values()):
            allocations, shortages = allocate(asked[at].wanted, free)
            if shortages:
                short[at] = shortages
            else:
                held[at] = asked[at].held(allocations)
                _empty(free, allocations)
        puts = [put(None, hold, asked[at].line) for at, hold in held.items()]
        changes = [*taking(_summed(held.values())), *puts]
        try:
            if changes:
                await carry_out(self._database, changes, keys=keys_of(held.values()))
        except PlanIsStale:
            return {}
        known = await self._known([asked[at].order_id for at in short])
        refused = {
            at: out_of_stock(shortages)
            for at, shortages in short.items()
            if asked[at].order_id not in known
        }
        return {**held, **refused}

    async def _outcome(self, asked: Asked) -> Outcome:
        try:
            return await self._alone(asked)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            return error

    async def _alone(self, asked: Asked) -> Hold:
        is_first = True

        async def plan() -> Hold:
            nonlocal is_first
            allocations, shortages = allocate(asked.wanted, await self._free([asked.wanted]))
            stored = None
            if shortages or not is_first:
                stored = await self._database.read(lambda tx: find_hold(tx, asked.order_id))
            is_first = False
            if stored is not None and _is_done(stored, asked.wanted):
                return stored
            if shortages:
                raise out_of_stock(shortages)
            hold = asked.held(allocations)
            line = asked.line
            if stored is not None:
                hold = replace(hold, created_at_ms=stored.created_at_ms)
                line = remembering(line, stored.allocations)
            changes: list[Change] = [*taking(allocations), put(stored, hold, line)]
            await carry_out(self._database, changes, keys=keys_of([hold]))
            return hold

        return await settled(plan)

    async def _free(self, wanted: Iterable[Mapping[Sku, int]]) -> _Shelves:
        skus = sorted({sku for each in wanted for sku in each})
        return await self._database.read(lambda tx: shelves(tx, skus))

    async def _known(self, order_ids: Sequence[OrderId]) -> set[str]:
        """Which of the orders have a hold."""
        if not order_ids:
            return set()
        what = Find(HOLD, {"_id": {"$in": list(order_ids)}})
        return {found["_id"] for found in await self._database.read(lambda tx: tx.find(what))}


def _empty(free: _Shelves, allocations: Iterable[Allocation]) -> None:
    """Take the units off the shelves that the next order is allocated from."""
    for sku, warehouse_id, quantity, _ in allocations:
        free[sku] = [
            shelf._replace(available=shelf.available - quantity)
            if shelf.warehouse_id == warehouse_id
            else shelf
            for shelf in free[sku]
        ]


def _summed(holds: Iterable[Hold]) -> list[Allocation]:
    """What all of them take of each level, in the order of the levels."""
    totals: dict[tuple[Sku, WarehouseId], int] = {}
    for hold in holds:
        for sku, warehouse_id, quantity, _ in hold.allocations:
            totals[sku, warehouse_id] = totals.get((sku, warehouse_id), 0) + quantity
    return [Allocation(sku, place, totals[sku, place]) for sku, place in sorted(totals)]


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

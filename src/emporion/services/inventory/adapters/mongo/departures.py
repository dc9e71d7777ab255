"""Held units that leave, as documents: hold, levels and movements in one guarded write."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from msgspec.structs import replace

from emporion.chassis.data.database import Database
from emporion.chassis.data.documents import Change, Document, DocumentTx, Find, Insert, documents
from emporion.contracts.inventory import Movement, MoveStock
from emporion.contracts.refusals import KeyReused
from emporion.services.inventory.adapters.mongo.levels import taking_away
from emporion.services.inventory.adapters.mongo.movements import (
    COUNTER,
    MOVEMENT,
    count,
    movement_from,
    movement_record,
)
from emporion.services.inventory.adapters.mongo.plans import carry_out, settled
from emporion.services.inventory.adapters.mongo.records import find_hold, keys_of, put
from emporion.services.inventory.adapters.refusals import same_movement, units_not_held
from emporion.services.inventory.adapters.trail import remembering, written
from emporion.services.inventory.domain import Hold, after_departure
from emporion.services.inventory.ports import Departure


class MongoDepartureStore:
    """DepartureStore (the port) over a database of documents."""

    def __init__(self, database: Database) -> None:
        self._database = documents(database)

    async def depart(self, leaving: Departure, *, now_ms: int) -> list[Movement]:
        moves = leaving.moves()

        async def plan() -> list[Movement]:
            found = await self._database.read(lambda tx: _Found.read(tx, leaving, moves))
            if found.stored:
                return [same_movement(found.stored[move.movement_key], move) for move in moves]
            hold, changes, records = found.changes(leaving, moves, now_ms=now_ms)
            await carry_out(self._database, changes, keys={MOVEMENT, *keys_of([hold])})
            return [movement_from(record) for record in records]

        return await settled(plan)


class _Found(NamedTuple):
    """What a departure is decided on."""

    hold: Hold | None
    stored: Mapping[str, Movement]
    counted: Document

    @classmethod
    async def read(cls, tx: DocumentTx, leaving: Departure, moves: Sequence[MoveStock]) -> Self:
        """What stands there now. Raises KeyReused when the shipment left with other SKUs."""
        keys = [move.movement_key for move in moves]
        stored = await tx.find(Find(MOVEMENT, {"_id": {"$in": keys}}))
        if stored and len(stored) != len(moves):
            raise KeyReused(f"{leaving.shipment_id} left with other units")
        return cls(
            await find_hold(tx, leaving.order_id),
            {each["_id"]: movement_from(each) for each in stored},
            (await tx.find(Find(COUNTER, {"_id": MOVEMENT})))[0],
        )

    def changes(
        self, leaving: Departure, moves: Sequence[MoveStock], *, now_ms: int
    ) -> tuple[Hold, list[Change], list[dict[str, object]]]:
        """The hold as it was, all changes, and the movements. Raises UnitsNotHeld."""
        hold, place = self.hold, leaving.warehouse_id
        changed = after_departure(hold, place, leaving.units) if hold else None
        if hold is None or changed is None:
            raise units_not_held(leaving.order_id, place)
        line = remembering(written(hold.status, now_ms), hold.allocations)
        first = self.counted["value"] + 1
        records = [
            movement_record(move, seq=seq, now_ms=now_ms) for seq, move in enumerate(moves, first)
        ]
        changes: list[Change] = [
            count(MOVEMENT, self.counted, len(records)),
            *taking_away(place, leaving.units),
            put(hold, replace(hold, allocations=changed), line),
            *(Insert(MOVEMENT, record) for record in records),
        ]
        return hold, changes, records

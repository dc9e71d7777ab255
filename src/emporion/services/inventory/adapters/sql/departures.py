"""Held units that leave, in SQL: movement, level and hold in one transaction."""

from msgspec.structs import replace

from emporion.chassis.data.database import Database, Tx
from emporion.contracts.inventory import Movement
from emporion.contracts.refusals import KeyReused
from emporion.services.inventory.adapters.refusals import units_not_held
from emporion.services.inventory.adapters.sql.holds import change_hold, hold_to_change
from emporion.services.inventory.adapters.sql.levels import take_away
from emporion.services.inventory.adapters.sql.stock import record_movement
from emporion.services.inventory.adapters.trail import remembering, written
from emporion.services.inventory.domain import after_departure
from emporion.services.inventory.ports import Departure


class SqlDepartureStore:
    """DepartureStore (the port) over the chassis's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def depart(self, leaving: Departure, *, now_ms: int) -> list[Movement]:
        async def work(tx: Tx) -> list[Movement]:
            hold = await hold_to_change(tx, leaving.order_id)
            recorded = [await record_movement(tx, move, now_ms) for move in leaving.moves()]
            movements = [movement for movement, _ in recorded]
            if not any(is_new for _, is_new in recorded):
                return movements
            if not all(is_new for _, is_new in recorded):
                raise KeyReused(f"{leaving.shipment_id} left with other units")
            changed = after_departure(hold, leaving.warehouse_id, leaving.units) if hold else None
            if hold is None or changed is None:
                raise units_not_held(leaving.order_id, leaving.warehouse_id)
            await take_away(tx, leaving.warehouse_id, leaving.units)
            left = replace(hold, allocations=changed)
            await change_hold(tx, left, remembering(written(left.status, now_ms), hold.allocations))
            return movements

        return await self._database.transaction(work)

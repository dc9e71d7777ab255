"""What staff do: release a fulfilment, send a shipment, note that it arrived."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emporion.chassis.auth.identity import Identity
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import KeyConflict, Outcome, Sagas, SagaState, Start
from emporion.chassis.sealing.notes import SealedNotes
from emporion.contracts import shipping as contract
from emporion.contracts.inventory import Line
from emporion.contracts.refusals import KeyReused
from emporion.contracts.shipping import FulfilmentOver, NotShipped, ReleaseFulfilment, Ship
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import Internal, NotFound
from emporion.kernel.ids import SHIPMENT, OrderId, ShipmentId
from emporion.services.shipping.commands.steps import (
    SendShipment,
    moved_on,
    not_there,
    require_shippable,
)
from emporion.services.shipping.domain import (
    LEFT,
    Action,
    Allocation,
    Fulfilment,
    Shipment,
    ShipmentState,
    Status,
    after,
    still_there,
    summed,
)
from emporion.services.shipping.ports import Allocations, FulfilmentStore, ShipmentStore

WAIT_S = 8.0
"""How long a repeated request waits for the first one before it answers `leaving`."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Books:
    """The stores of this service, their database, and what seals the notes of staff."""

    database: Database
    fulfilments: FulfilmentStore
    shipments: ShipmentStore
    notes: SealedNotes


class Commands:
    """Fulfilments and shipments, for staff."""

    def __init__(
        self,
        books: Books,
        runtime: Runtime,
        sagas: Sagas,
        *,
        send: Saga[SendShipment],
        allocations: Allocations,
    ) -> None:
        self._books = books
        self._runtime = runtime
        self._sagas = sagas
        self._send = send
        self._allocations = allocations

    async def release(self, request: ReleaseFulfilment, caller: Identity) -> None:
        """See ShippingService.release."""
        now_ms = self._runtime.clock.now_ms()
        found = await self._found(request.order_id)
        reason = await self._books.notes.sealed(found.user_id, request.reason)

        async def work(tx: Tx) -> None:
            found = await self._books.fulfilments.find_to_change(tx, request.order_id)
            if found is None or not found.user_id:
                raise NotFound
            if found.status is Status.CANCELLED:
                raise FulfilmentOver(f"{found.order_id} is cancelled")
            status = after(found.status, Action.RELEASE)
            if status is None:
                return  # released before, or never held
            released = found._replace(
                status=status,
                released_by=caller.subject,
                release_reason=reason,
                updated_at_ms=now_ms,
            )
            await self._books.fulfilments.save(tx, released)

        await self._books.database.transaction(work)

    async def ship(self, request: Ship) -> ShipmentId:
        """See ShippingService.ship; the id of the shipment."""
        key = f"ship:{request.order_id}:{request.idempotency_key}"
        fingerprint = hashlib.sha256(_encode(request)).digest()
        try:
            known = await self._sagas.join(key, fingerprint, wait_s=WAIT_S)
            if known is None:
                sending = await self._sending(request)
                start = Start(sending.shipment_id, sending, key, fingerprint)
                known = await self._sagas.run(self._send, start, wait_s=WAIT_S)
        except KeyConflict as error:
            raise KeyReused from error
        return _told(known)

    async def deliver(self, shipment_id: ShipmentId) -> None:
        """See ShippingService.deliver."""
        now_ms = self._runtime.clock.now_ms()

        async def work(tx: Tx) -> None:
            found = await self._books.shipments.find(tx, shipment_id)
            if found is None:
                raise NotFound
            # Locked in this order by everybody: first the fulfilment, then its shipments.
            fulfilment = await self._books.fulfilments.find_to_change(tx, found.order_id)
            shipment = await self._books.shipments.find(tx, shipment_id)
            if fulfilment is None or shipment is None:
                raise Internal(f"{shipment_id} or its fulfilment vanished")
            if shipment.status not in LEFT:
                raise NotShipped(f"{shipment_id} is {shipment.status}", status=shipment.status)
            if shipment.status is ShipmentState.SHIPPED:
                await self._arrive(tx, fulfilment, shipment, now_ms=now_ms)

        await self._books.database.transaction(work)

    async def _arrive(
        self, tx: Tx, fulfilment: Fulfilment, shipment: Shipment, *, now_ms: int
    ) -> None:
        arrived = shipment._replace(status=ShipmentState.DELIVERED, delivered_at_ms=now_ms)
        await self._books.shipments.save(tx, arrived)
        all_ = await self._books.shipments.of_order(tx, shipment.order_id)
        moved = moved_on(fulfilment, all_, is_arrival=True, at_ms=now_ms)
        await self._books.fulfilments.save(tx, moved)
        await tx.publish(
            contract.ShipmentDelivered(
                shipment_id=shipment.shipment_id,
                order_id=shipment.order_id,
                user_id=shipment.user_id,
                lines=[Line(sku=sku, quantity=units) for sku, units in shipment.lines],
                carrier=shipment.carrier,
                tracking_number=shipment.tracking_number,
                delivered_at=to_datetime(now_ms),
            )
        )

    async def _sending(self, request: Ship) -> SendShipment:
        """A new shipment, its units named. Raises what `ship` does before anything is stored."""
        fulfilment = await self.allocated(request.order_id)
        require_shippable(fulfilment)
        shipments = await self._books.database.read(
            lambda tx: self._books.shipments.of_order(tx, request.order_id)
        )
        there = still_there(fulfilment.allocations or (), shipments)
        wanted = summed((line.sku, line.quantity) for line in request.lines)
        chosen = wanted or summed(there.get(request.warehouse_id, {}).items())
        if not chosen:
            raise not_there(request.warehouse_id)
        return SendShipment(
            shipment_id=ShipmentId(self._runtime.ids.new(SHIPMENT)),
            order_id=request.order_id,
            user_id=fulfilment.user_id,
            warehouse_id=request.warehouse_id,
            lines=[Line(sku=sku, quantity=units) for sku, units in chosen],
            carrier=request.carrier,
            tracking_number=request.tracking_number,
            created_at_ms=self._runtime.clock.now_ms(),
        )

    async def allocated(self, order_id: OrderId) -> Fulfilment:
        """The fulfilment with what inventory holds for it, asked for once and kept.

        Raises NotFound, StockNotSettled, and what calls raise.
        """
        found = await self._found(order_id)
        if found.allocations is not None or found.status is Status.CANCELLED:
            return found
        return await self._keep(order_id, await self._allocations.of(order_id))

    async def _found(self, order_id: OrderId) -> Fulfilment:
        found = await self._books.database.read(
            lambda tx: self._books.fulfilments.find(tx, order_id)
        )
        if found is None or not found.user_id:
            raise NotFound
        return found

    async def _keep(self, order_id: OrderId, held: Sequence[Allocation]) -> Fulfilment:
        async def work(tx: Tx) -> Fulfilment:
            found = await self._books.fulfilments.find_to_change(tx, order_id)
            if found is None:
                raise NotFound
            kept = found._replace(allocations=held)
            await self._books.fulfilments.save(tx, kept)
            return kept

        return await self._books.database.transaction(work)


def _told(outcome: Outcome) -> ShipmentId:
    if outcome.state is SagaState.REFUSED and outcome.refusal is not None:
        raise outcome.refusal
    return ShipmentId(outcome.saga_id)

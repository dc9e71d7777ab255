"""A loading dock: shipping as built for production, among an order and a stock in memory."""

import secrets
from typing import Any, cast

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.subscription import Received
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.testing.time import START_MS
from emporion.contracts.contract import Empty, Event, Service
from emporion.contracts.fraud import Decision, ReviewDecided, ScreeningCompleted, Verdict
from emporion.contracts.inventory import (
    Allocation,
    Depart,
    InventoryService,
    Line,
    Movements,
    Reservation,
    ReservationOf,
    ReservationStatus,
    UnitsNotHeld,
)
from emporion.contracts.order import (
    ClearShipment,
    OrderCancelled,
    OrderCreated,
    OrderService,
    PricedLine,
)
from emporion.contracts.shipping import FulfilmentOf, Ship, ShipmentOf, ShippingService
from emporion.kernel.aggregate import NotInThisState
from emporion.kernel.clock import to_datetime
from emporion.kernel.errors import NotFound, Unavailable
from emporion.kernel.ids import OrderId, ShipmentId, Sku, UserId, WarehouseId
from emporion.kernel.money import Money
from emporion.services.shipping.service import build
from tests.services.vaults import Vault, WithVault

ADA = UserId("usr_" + "a" * 32)
BOB = UserId("usr_" + "b" * 32)
STAFF = UserId("usr_" + "5" * 32)
NOW = to_datetime(START_MS)
STAFF_SCOPES = frozenset({"shipping:read", "shipping:write"})


class Orders:
    """The order service as far as shipping asks it."""

    def __init__(self) -> None:
        self.cancelled: set[OrderId] = set()
        self.cleared: list[ShipmentId] = []
        self.outages = 0

    async def clear_shipment(self, request: ClearShipment) -> Empty:
        if self.outages:
            self.outages -= 1
            raise Unavailable
        if request.order_id in self.cancelled:
            raise NotInThisState("it is cancelled")
        if request.shipment_id not in self.cleared:
            self.cleared.append(request.shipment_id)
        return Empty()


class Stock:
    """Inventory as far as shipping asks it: holds, and what left of them."""

    def __init__(self) -> None:
        self.holds: dict[OrderId, list[Allocation]] = {}
        self.status = ReservationStatus.COMMITTED
        self.left: dict[ShipmentId, Depart] = {}
        self.outages = 0

    async def hold_of(self, request: ReservationOf) -> Reservation:
        if request.order_id not in self.holds:
            raise NotFound
        return Reservation(
            order_id=request.order_id,
            status=self.status,
            allocations=self.holds[request.order_id],
            created_at=NOW,
            expires_at=None,
        )

    async def depart(self, request: Depart) -> Movements:
        if self.outages:
            self.outages -= 1
            raise Unavailable
        if request.order_id not in self.holds:
            raise UnitsNotHeld
        self.left[request.shipment_id] = request
        return Movements(movements=[])


class Dock:
    """Short words for tests around the built service."""

    def __init__(self, database: Database, runtime: Runtime, vault: Vault) -> None:
        self.database = database
        self.runtime = runtime
        self.vault = vault
        self.orders, self.stock = Orders(), Stock()
        self.engine = SagaEngine("shipping", database, runtime)
        self.assembly = build(
            Needs(runtime, database, cast("Any", WithVault(vault, self)), self.engine)
        )
        self.engine.register(self.assembly.sagas)
        self.api = cast("ShippingService", self.assembly.implementation)

    def get(self, contract: type[Service]) -> Any:
        """Stands in for Clients."""
        return {OrderService: self.orders, InventoryService: self.stock}[contract]

    async def hear(self, *events: Event) -> None:
        """Deliver events as the bus does: each batch in a transaction of its own."""
        (subscription,) = [s for s in self.assembly.subscriptions if s.event is type(events[0])]
        received = [Received(event, f"evt_{n}", START_MS, "") for n, event in enumerate(events)]
        react_many = subscription.react_many
        assert react_many is not None
        await self.database.transaction(lambda tx: react_many(tx, received))

    def order_id(self) -> OrderId:
        return OrderId(self.runtime.ids.new("ord"))

    async def paid(self, *allocations: tuple[str, str, int], is_clear: bool = True) -> OrderId:
        """A paid order whose stock lies so: (SKU, warehouse, units)."""
        order_id = self.order_id()
        self.stock.holds[order_id] = [
            Allocation(sku=Sku(sku), warehouse_id=WarehouseId(place), quantity=units)
            for sku, place, units in allocations or [("bread", "main", 2)]
        ]
        await self.hear(created(order_id))
        if is_clear:
            await self.hear(screened(order_id))
        return order_id

    async def ship(self, order_id: OrderId, at: str = "main", key: str = "", **units: int) -> Any:
        request = Ship(
            idempotency_key=key or secrets.token_hex(8),
            order_id=order_id,
            warehouse_id=WarehouseId(at),
            lines=[Line(sku=Sku(sku), quantity=number) for sku, number in units.items()],
            carrier="DHL",
            tracking_number="0034",
        )
        return await self.as_staff(self.api.ship(request))

    async def deliver(self, shipment_id: ShipmentId) -> Any:
        return await self.as_staff(self.api.deliver(ShipmentOf(shipment_id=shipment_id)))

    async def fulfilment(self, order_id: OrderId) -> Any:
        return await self.as_staff(self.api.get_fulfilment(FulfilmentOf(order_id=order_id)))

    async def status(self, order_id: OrderId) -> str:
        return str((await self.fulfilment(order_id)).status)

    async def rows(self, sql: str) -> list[Row]:
        return await self.database.read(lambda tx: tx.fetch(sql))

    async def as_staff(self, work: Any) -> Any:
        return await self.as_user(STAFF, work, *STAFF_SCOPES)

    async def as_user(self, user: UserId, work: Any, *scopes: str) -> Any:
        granted = frozenset({"orders:read", *scopes})
        token = enter(Call(identity=Identity(Kind.PERSON, user, granted)))
        try:
            return await work
        finally:
            leave(token)

    async def published(self) -> list[tuple[str, str]]:
        """Name and key of what was announced, in order."""

        async def work(tx: Tx) -> list[tuple[str, str]]:
            return [
                (name, key)
                for name, key in await tx.fetch("SELECT name, key FROM outbox ORDER BY position")
            ]

        return await self.database.read(work)


def created(order_id: OrderId, user_id: UserId = ADA) -> OrderCreated:
    line = PricedLine(
        sku=Sku("bread"),
        name="Bread",
        quantity=2,
        unit_price=Money(250, "EUR"),
        total=Money(500, "EUR"),
    )
    return OrderCreated(
        order_id=order_id,
        user_id=user_id,
        amount=Money(500, "EUR"),
        lines=[line],
        created_at=NOW,
    )


def cancelled(order_id: OrderId) -> OrderCancelled:
    return OrderCancelled(
        order_id=order_id,
        user_id=ADA,
        amount=Money(500, "EUR"),
        reason="",
        cancelled_at=NOW,
    )


def screened(order_id: OrderId, verdict: Verdict = Verdict.CLEAR) -> ScreeningCompleted:
    return ScreeningCompleted(order_id=order_id, verdict=verdict, score=0, screened_at=NOW)


def decided(order_id: OrderId, decision: Decision) -> ReviewDecided:
    return ReviewDecided(order_id=order_id, decision=decision, decided_at=NOW)

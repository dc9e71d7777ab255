"""The order service as built for production, among in-memory neighbours."""

from typing import Any, cast

from emporion.chassis.calls.context import enter, leave
from emporion.chassis.data.database import Database, Tx
from emporion.chassis.events.subscription import Received
from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.engine import SagaEngine
from emporion.contracts.catalog import CatalogService
from emporion.contracts.contract import Event, Service
from emporion.contracts.giftcard import GiftCardService
from emporion.contracts.inventory import InventoryService, Line
from emporion.contracts.order import OrderService, PlaceOrder
from emporion.contracts.order_carts import AddToCart, GetCart
from emporion.contracts.payment import PaymentService
from emporion.contracts.vault import VaultService
from emporion.kernel.ids import Sku, UserId
from emporion.services.order import audit
from emporion.services.order.service import build
from tests.services.order.cards import gift_cards
from tests.services.order.fakes import ADA, NOW, neighbours, signed_in
from tests.services.vaults import Vault


class Shop:
    """The order service over a real database, among in-memory neighbours."""

    def __init__(self, database: Database, runtime: Runtime, vault: Vault) -> None:
        self.database = database
        self.runtime = runtime
        self.vault = vault
        self.catalog, self.inventory, self.payments = neighbours()
        self.cards = gift_cards()
        self.engine = SagaEngine("order", database, runtime)
        self.assembly = build(Needs(runtime, database, self, self.engine))
        self.engine.register(self.assembly.sagas)
        self.api = cast("OrderService", self.assembly.implementation)

    def get(self, contract: type[Service]) -> Any:
        """Stands in for Clients."""
        return {
            CatalogService: self.catalog,
            InventoryService: self.inventory,
            PaymentService: self.payments,
            VaultService: self.vault,
            GiftCardService: self.cards,
        }[contract]

    async def place(
        self,
        key: str = "k",
        *,
        user: UserId = ADA,
        lines: dict[str, int] | None = None,
        token: str = "tok_ok",
    ):
        wanted = [Line(sku=Sku(s), quantity=q) for s, q in (lines or {"bread": 2}).items()]
        request = PlaceOrder(idempotency_key=key, lines=wanted, payment_token=token)
        return await self.as_user(user, self.api.place_order(request))

    async def as_user(self, user: UserId, work: Any) -> Any:
        token = enter(signed_in(user))
        try:
            return await work
        finally:
            leave(token)

    async def cart(self, user: UserId = ADA) -> dict[str, int]:
        cart = await self.as_user(user, self.api.get_cart(GetCart()))
        return {line.sku: line.quantity for line in cart.lines}

    async def add(self, sku: str, quantity: int = 1, key: str = "", user: UserId = ADA) -> Any:
        request = AddToCart(idempotency_key=key, sku=Sku(sku), quantity=quantity)
        return await self.as_user(user, self.api.add_to_cart(request))

    async def hear(self, event: Event) -> None:
        """Deliver an event as the bus does: the reaction in a transaction of its own."""
        (subscription,) = [s for s in self.assembly.subscriptions if s.event is type(event)]
        received = Received(event, "evt_1", round(NOW.timestamp() * 1000), "")
        await self.database.transaction(lambda tx: subscription.react(tx, received))

    async def published(self) -> list[str]:
        async def work(tx: Tx) -> list[str]:
            return [n for (n,) in await tx.fetch("SELECT name FROM outbox ORDER BY position")]

        return await self.database.read(work)

    async def books_balance(self) -> bool:
        return [v async for v in audit.violations(self.database)] == []

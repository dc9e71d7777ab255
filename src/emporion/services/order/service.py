"""Puts the order service together from what the platform hands in."""

from emporion.chassis.calls.clients import Clients
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.people import People
from emporion.contracts.catalog import CatalogService
from emporion.contracts.giftcard import GiftCardService
from emporion.contracts.inventory import InventoryService
from emporion.contracts.order import OrderService
from emporion.contracts.payment import PaymentService
from emporion.contracts.vault import VaultService
from emporion.services.order.adapters.notes import SealedNotes
from emporion.services.order.adapters.returns import SqlReturnStore
from emporion.services.order.adapters.sql import SqlCartStore, SqlOrderStore
from emporion.services.order.api import OrderApi, Parts
from emporion.services.order.commands.cancelling import Cancellations
from emporion.services.order.commands.carts import CartCommands, CheckoutCommands
from emporion.services.order.commands.orders import OrderCommands
from emporion.services.order.commands.pricing import Pricing
from emporion.services.order.commands.return_steps import ReturnSagas, ReturnSteps
from emporion.services.order.commands.returns import ReturnBooks, ReturnCommands
from emporion.services.order.commands.shipments import ShipmentCommands
from emporion.services.order.commands.steps import OrderSagas, OrderSteps, PaymentMethods
from emporion.services.order.events import Reactions, subscriptions
from emporion.services.order.queries.orders import OrderQueries
from emporion.services.order.queries.prices import PriceQueries
from emporion.services.order.queries.returns import ReturnQueries
from emporion.services.order.sagas import (
    cancel_gift_card_order,
    cancel_order,
    create_gift_card_order,
    create_order,
    create_promoted_order,
    refund_gift_card_return,
    refund_return,
)


def build(needs: Needs) -> Assembly:
    """The order service on the database handed in.

    The setting `payment_method_key` is what payment methods are named with in events.
    """
    clock = needs.runtime.clock
    catalog = needs.clients.get(CatalogService)
    inventory = needs.clients.get(InventoryService)
    cards = needs.clients.get(GiftCardService)
    is_sole_writer = needs.database.engine == "sqlite"
    store, cart_store = SqlOrderStore(is_sole_writer=is_sole_writer), SqlCartStore()
    methods = PaymentMethods(needs.settings.get("payment_method_key", ""))
    steps = OrderSteps(store, cart_store, clock, methods=methods)
    sagas = _sagas(steps, needs.clients)
    notes = SealedNotes(People(needs.clients.get(VaultService), clock))
    queries = OrderQueries(needs.database, store, cart_store, clock=clock, notes=notes)
    pricing = Pricing(needs.runtime, catalog, cards)
    orders = OrderCommands(needs.runtime, needs.sagas, pricing, queries=queries, definitions=sagas)
    carts = CartCommands(needs.database, cart_store, catalog=catalog, clock=clock)
    books = ReturnBooks(needs.database, store, SqlReturnStore(), notes)
    steps_of_returns = ReturnSteps(store, books.returns, clock)
    settle = refund_return(steps_of_returns, inventory, needs.clients.get(PaymentService))
    settles = ReturnSagas(settle, refund_gift_card_return(settle, cards))
    return Assembly(
        contract=OrderService,
        implementation=OrderApi(
            Parts(
                orders,
                carts,
                CheckoutCommands(carts, orders),
                Cancellations(books, orders, steps=steps, queries=queries),
                ShipmentCommands(needs.database, store, clock),
                ReturnCommands(
                    books, needs.runtime, needs.sagas, settles=settles, inventory=inventory
                ),
                queries,
                ReturnQueries(needs.database, store, books.returns, notes=notes),
                PriceQueries(queries, catalog),
            )
        ),
        subscriptions=subscriptions(Reactions(store, cart_store, clock)),
        sagas=(*sagas.all, settle, settles.refund_gift_card_return),
    )


def _sagas(steps: OrderSteps, clients: Clients) -> OrderSagas:
    catalog, cards = clients.get(CatalogService), clients.get(GiftCardService)
    inventory, payment = clients.get(InventoryService), clients.get(PaymentService)
    create = create_order(steps, inventory, payment)
    promoted = create_promoted_order(create, steps, catalog=catalog, payment=payment)
    cancel = cancel_order(steps, inventory, payment)
    return OrderSagas(
        steps,
        create,
        promoted,
        create_gift_card_order(promoted, steps, catalog=catalog, cards=cards, payment=payment),
        cancel,
        cancel_gift_card_order(cancel, payment, cards),
    )

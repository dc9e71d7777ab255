"""Puts the shipping service together from what the platform hands in."""

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.notes import SealedNotes
from emporion.chassis.sealing.people import People
from emporion.contracts.inventory import InventoryService
from emporion.contracts.order import OrderService
from emporion.contracts.shipping import ShippingService
from emporion.contracts.vault import VaultService
from emporion.services.shipping.adapters.inventory import InventoryAllocations
from emporion.services.shipping.adapters.sql import SqlFulfilmentStore, SqlShipmentStore
from emporion.services.shipping.api import ShippingApi
from emporion.services.shipping.commands.shipments import Books, Commands
from emporion.services.shipping.commands.steps import ShipmentSteps
from emporion.services.shipping.events import Reactions, subscriptions
from emporion.services.shipping.queries import Queries
from emporion.services.shipping.sagas import send_shipment

RELEASES = "shipping.release"
"""The field of the reasons of releases, as it is authenticated with what is sealed: for ever."""


def build(needs: Needs) -> Assembly:
    """The service, not started."""
    clock = needs.runtime.clock
    inventory = needs.clients.get(InventoryService)
    fulfilments, shipments = SqlFulfilmentStore(), SqlShipmentStore()
    steps = ShipmentSteps(fulfilments, shipments, clock)
    send = send_shipment(steps, needs.clients.get(OrderService), inventory)
    notes = SealedNotes(People(needs.clients.get(VaultService), clock), RELEASES)
    commands = Commands(
        Books(needs.database, fulfilments, shipments, notes),
        needs.runtime,
        needs.sagas,
        send=send,
        allocations=InventoryAllocations(inventory),
    )
    return Assembly(
        contract=ShippingService,
        implementation=ShippingApi(
            commands, Queries(needs.database, fulfilments, shipments, notes=notes)
        ),
        subscriptions=subscriptions(Reactions(fulfilments, clock)),
        sagas=(send,),
        shed_first=True,
    )

"""Puts the payment service together."""

from dataclasses import dataclass

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.notes import SealedNotes
from emporion.chassis.sealing.people import People
from emporion.contracts.order import OrderService
from emporion.contracts.payment import PaymentService
from emporion.contracts.vault import VaultService
from emporion.services.payment.adapters.sql import SqlPayments
from emporion.services.payment.adapters.webhooks import SqlWebhooks
from emporion.services.payment.api import PaymentApi
from emporion.services.payment.commands.charges import Commands
from emporion.services.payment.commands.detectors import Detectors, PaymentBooks
from emporion.services.payment.commands.recorder import Recorder
from emporion.services.payment.commands.webhooks import Webhooks
from emporion.services.payment.events import announcements
from emporion.services.payment.ports import PaymentProvider
from emporion.services.payment.queries import Queries

HEALINGS = "payment.healing"
"""The field of the reasons of healings, as it is authenticated with what is sealed: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNeeds(Needs):
    """What payment needs beside the usual: who moves the money.

    `is_sole_writer`: no other process writes the database, as with SQLite; saves a look.
    """

    provider: PaymentProvider
    is_sole_writer: bool = False


def build(needs: PaymentNeeds) -> Assembly:
    """The service, not started."""
    store = SqlPayments()
    recorder = Recorder(needs.database, store, clock=needs.runtime.clock, announce=announcements)
    commands = Commands(
        recorder, needs.provider, needs.runtime, is_sole_writer=needs.is_sole_writer
    )
    webhooks = Webhooks(needs.database, SqlWebhooks(), commands.strays, runtime=needs.runtime)
    needs.provider.listen(commands.strays.hear)
    people = People(needs.clients.get(VaultService), needs.runtime.clock)
    notes = SealedNotes(people, HEALINGS)
    detectors = Detectors(
        PaymentBooks(needs.database, store, notes),
        commands,
        runtime=needs.runtime,
        orders=needs.clients.get(OrderService),
    )
    queries = Queries(needs.database, store, needs.runtime, notes=notes)
    return Assembly(
        contract=PaymentService,
        implementation=PaymentApi(commands, webhooks, detectors, queries=queries),
        alarms=(commands.strays.rechecks, webhooks.alarm),
    )

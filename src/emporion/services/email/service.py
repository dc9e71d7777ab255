"""Puts the email service together."""

from dataclasses import dataclass

from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.sealing.people import People
from emporion.contracts.email import EmailService
from emporion.contracts.user import UserService
from emporion.contracts.vault import VaultService
from emporion.services.email.adapters.jinja import JinjaWriter
from emporion.services.email.adapters.seals import ContactSeals
from emporion.services.email.adapters.sql import SqlMails
from emporion.services.email.api import EmailApi
from emporion.services.email.commands import LateSealing, Letters, Sender
from emporion.services.email.events import Reactions, subscriptions
from emporion.services.email.ports import Mailer
from emporion.services.email.queries import Queries

DEFAULT_SHOP = "Emporion"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailNeeds(Needs):
    """What email needs beside the usual: who carries the mails.

    The setting `shop` is the name that mails are signed with.
    """

    mailer: Mailer


def build(needs: EmailNeeds) -> Assembly:
    """The service, not started.

    Its alarm is to be poked after each committed batch of reactions: then mails leave at once.
    """
    store = SqlMails(needs.database)
    users = needs.clients.get(UserService)
    writer = JinjaWriter(shop=needs.settings.get("shop", DEFAULT_SHOP))
    people = People(needs.clients.get(VaultService), needs.runtime.clock)
    seals = ContactSeals(people)
    sender = Sender(
        store,
        users=users,
        mailer=needs.mailer,
        letters=Letters(writer, seals),
        runtime=needs.runtime,
    )
    queries = Queries(store, users=users, writer=writer, seals=seals)
    return Assembly(
        contract=EmailService,
        implementation=EmailApi(queries),
        subscriptions=subscriptions(Reactions(store, needs.runtime.clock)),
        alarms=(sender.alarm, LateSealing(store, seals, needs.runtime).alarm),
        shed_first=True,
    )

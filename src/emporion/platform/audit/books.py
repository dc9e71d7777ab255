"""Where the audit's facts come from: each service's own audit, under one set of names."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from emporion.chassis.data.database import Database
from emporion.kernel.errors import Unavailable
from emporion.platform.audit.deliveries import Delivery, traffic_of, unread_orders
from emporion.platform.audit.facts import (
    Finding,
    HoldFact,
    MailFact,
    OrderFact,
    PaymentFact,
    SaleFact,
    ScreeningFact,
    SpendingFact,
    Violation,
)
from emporion.platform.audit.merge import Books
from emporion.platform.audit.traffic import OpenSaga
from emporion.services.analytics import audit as analytics
from emporion.services.email import audit as email
from emporion.services.fraud import audit as fraud
from emporion.services.giftcard import audit as giftcard
from emporion.services.inventory import audit as inventory
from emporion.services.order import audit as order
from emporion.services.payment import audit as payment
from emporion.services.payment.adapters.book import Entry, entries_in
from emporion.services.shipping import audit as shipping
from emporion.services.webhook import audit as webhook

TOLD_OF_ORDERS = ("inventory", "email", "analytics", "fraud")
"""The subscribers of `orders.created` whose books the rules look at."""
Found = tuple[str, str, str]
"""What every service's own audit yields: check, subject, detail."""


@dataclass(frozen=True, slots=True)
class OwnBooks:
    """What one service proves alone: its checks, each with the table of what it looks at."""

    service: str
    violations: Callable[[Database], AsyncIterator[Found]]
    examined: Mapping[str, str]


OWN_BOOKS = (
    OwnBooks(
        "inventory",
        inventory.violations,
        {
            "stock movements = level": "movement",
            "reserved = open holds": "hold",
            "0 <= reserved <= on hand": "level",
        },
    ),
    OwnBooks(
        "order",
        order.violations,
        {
            order.REPLAY: "orders",
            order.RETURNS: "order_return",
            order.CHAIN: "event",
            order.ANNOUNCED: "orders",
        },
    ),
    OwnBooks(
        "payment",
        payment.violations,
        {
            payment.REPLAY: "payment",
            payment.CHAIN: "event",
            payment.SNAPSHOT: "snapshot",
            payment.LEDGER: "ledger_transfer",
        },
    ),
    OwnBooks(
        "email",
        email.violations,
        dict.fromkeys((email.SENT, email.QUEUED), "mail"),
    ),
    OwnBooks(
        "analytics",
        analytics.violations,
        dict.fromkeys((analytics.MINUTES, analytics.QUARTERS, analytics.PRODUCTS), "fact"),
    ),
    OwnBooks(
        "fraud",
        fraud.violations,
        {fraud.VERDICT: "screening", fraud.REVIEWED: "screening", fraud.DECIDED: "review"},
    ),
    OwnBooks(
        "giftcard",
        giftcard.violations,
        {
            giftcard.LEDGER: "gift_card",
            giftcard.RUNNING: "gift_card_entry",
            giftcard.SPENT: "gift_card_spending",
            giftcard.RETURNED: "gift_card_spending",
            giftcard.OWNED: "gift_card_spending",
        },
    ),
    OwnBooks(
        "shipping",
        shipping.violations,
        {shipping.FOLLOWS: "fulfilment", shipping.DATED: "shipment"},
    ),
    OwnBooks(
        "webhook",
        webhook.violations,
        dict.fromkeys((webhook.MESSAGE, webhook.ANSWERED, webhook.STANDING), "hook_delivery"),
    ),
)


async def own_findings(own: OwnBooks, database: Database) -> list[Finding]:
    """Every check of one service, also those that found nothing."""
    traffic = traffic_of(database)
    findings = {
        check: Finding(f"{own.service}: {check}", await traffic.count(table), [], 0)
        for check, table in own.examined.items()
    }
    async for check, subject, detail in own.violations(database):
        name = f"{own.service}: {check}"
        finding = findings.setdefault(check, Finding(name, None, [], 0))
        finding.add(Violation(name, subject, detail))
    return list(findings.values())


async def provider_finding(database: Database, books: Sequence[Path]) -> Finding:
    """Whether the rehearsal provider's books say what our payments say.

    There may be several; together they are one provider's. Raises Unavailable when one cannot be
    read.
    """
    name = f"payment: {payment.BOOK}"
    entries = [entry for book in books for entry in _entries(book)]
    finding = Finding(name, len(entries), [], 0)
    async for _, subject, detail in payment.differences(database, entries):
        finding.add(Violation(name, subject, detail))
    return finding


def _entries(book: Path) -> Iterator[Entry]:
    try:
        yield from entries_in(book)
    except (OSError, msgspec.MsgspecError) as error:
        raise Unavailable(f"cannot read the provider's book {book}: {error}") from error


def books_of(
    databases: Mapping[str, Database], open_: Sequence[OpenSaga], found: Sequence[Delivery]
) -> Books:
    """The books of all services, ready to be joined."""
    return Books(
        orders=_orders(databases["order"]),
        payments=_payments(databases["payment"]),
        holds=_holds(databases["inventory"]),
        mails=_mails(databases["email"]),
        sales=_sales(databases["analytics"]),
        screenings=_screenings(databases["fraud"]),
        spendings=_spendings(databases["giftcard"]),
        open_sagas=frozenset(saga.order_id for saga in open_),
        unread={name: unread_orders(found, name) for name in TOLD_OF_ORDERS},
    )


async def _orders(database: Database) -> AsyncIterator[OrderFact]:
    async for row in order.orders(database):
        yield OrderFact(row.order_id, row.status, row.total_minor, row.currency)


async def _payments(database: Database) -> AsyncIterator[PaymentFact]:
    async for fact in payment.payments(database):
        yield PaymentFact(*fact)


async def _holds(database: Database) -> AsyncIterator[HoldFact]:
    async for hold in inventory.open_holds(database):
        yield HoldFact(hold.order_id, hold.status)


async def _mails(database: Database) -> AsyncIterator[MailFact]:
    async for told in email.confirmations(database):
        yield MailFact(told.order_id, told.confirmations)


async def _sales(database: Database) -> AsyncIterator[SaleFact]:
    async for sale in analytics.sales(database):
        yield SaleFact(*sale)


async def _screenings(database: Database) -> AsyncIterator[ScreeningFact]:
    async for order_id in fraud.screened(database):
        yield ScreeningFact(order_id)


async def _spendings(database: Database) -> AsyncIterator[SpendingFact]:
    async for spent in giftcard.spendings(database):
        yield SpendingFact(*spent)

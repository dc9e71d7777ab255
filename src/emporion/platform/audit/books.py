"""Where the audit's facts come from: each service's own audit, under one set of names."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from emporion.chassis.data.database import Database
from emporion.platform.audit.facts import (
    Finding,
    HoldFact,
    MailFact,
    OrderFact,
    PaymentFact,
    Violation,
)
from emporion.platform.audit.merge import Books
from emporion.platform.audit.traffic import OpenSaga, rows, unread_orders
from emporion.services.email import audit as email
from emporion.services.inventory import audit as inventory
from emporion.services.order import audit as order

PAGE = 1_000
TOLD_OF_ORDERS = ("inventory", "email")
"""The subscribers of `orders.created` whose books the rules look at."""
_PAYMENTS = (
    "SELECT order_id, status, amount_minor, refunded_minor, currency FROM payment "
    "WHERE order_id > ? ORDER BY order_id LIMIT ?"
)
_MONEY_TAKEN = frozenset({"captured", "refunded"})
Found = tuple[str, str, str]
"""What every service's own audit yields: check, subject, detail."""


@dataclass(frozen=True, slots=True)
class OwnBooks:
    """What one service proves alone: its checks, each with a count of what it looks at."""

    service: str
    violations: Callable[[Database], AsyncIterator[Found]]
    examined: Mapping[str, str]


OWN_BOOKS = (
    OwnBooks(
        "inventory",
        inventory.violations,
        {
            "stock movements = level": "SELECT count(*) FROM movement",
            "reserved = open holds": "SELECT count(*) FROM hold",
            "0 <= reserved <= on hand": "SELECT count(*) FROM level",
        },
    ),
    OwnBooks(
        "order",
        order.violations,
        {
            order.REPLAY: "SELECT count(*) FROM orders",
            order.CHAIN: "SELECT count(*) FROM event",
        },
    ),
    OwnBooks(
        "email",
        email.violations,
        dict.fromkeys((email.SENT, email.QUEUED), "SELECT count(*) FROM mail"),
    ),
)


async def own_findings(own: OwnBooks, database: Database) -> list[Finding]:
    """Every check of one service, also those that found nothing."""
    findings = {
        check: Finding(f"{own.service}: {check}", (await rows(database, sql))[0][0], [], 0)
        for check, sql in own.examined.items()
    }
    async for check, subject, detail in own.violations(database):
        name = f"{own.service}: {check}"
        finding = findings.setdefault(check, Finding(name, None, [], 0))
        finding.add(Violation(name, subject, detail))
    return list(findings.values())


async def books_of(databases: Mapping[str, Database], open_: list[OpenSaga]) -> Books:
    """The books of all services, ready to be joined."""
    return Books(
        orders=_orders(databases["order"]),
        payments=_payments(databases["payment"]),
        holds=_holds(databases["inventory"]),
        mails=_mails(databases["email"]),
        open_sagas=frozenset(saga.order_id for saga in open_),
        unread={name: await unread_orders(databases, name) for name in TOLD_OF_ORDERS},
    )


async def _orders(database: Database) -> AsyncIterator[OrderFact]:
    async for row in order.orders(database):
        yield OrderFact(row.order_id, row.status, row.total_minor, row.currency)


async def _payments(database: Database) -> AsyncIterator[PaymentFact]:
    last = ""
    while page := await rows(database, _PAYMENTS, last, PAGE):
        for order_id, status, amount_minor, refunded_minor, currency in page:
            captured_minor = amount_minor if status in _MONEY_TAKEN else 0
            yield PaymentFact(order_id, status, captured_minor, refunded_minor, currency)
        last = page[-1][0]


async def _holds(database: Database) -> AsyncIterator[HoldFact]:
    async for hold in inventory.open_holds(database):
        yield HoldFact(hold.order_id, hold.status)


async def _mails(database: Database) -> AsyncIterator[MailFact]:
    async for told in email.confirmations(database):
        yield MailFact(told.order_id, told.confirmations)

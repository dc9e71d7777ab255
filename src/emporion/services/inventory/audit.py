"""Proves inventory's own books, and gives the facts that others' books are compared with."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from emporion.chassis.data.database import Database
from emporion.services.inventory.adapters.mongo import MongoBooks
from emporion.services.inventory.adapters.sql import SqlBooks
from emporion.services.inventory.ports import Books, Moved, OpenHold

VIOLATIONS_MAX = 1_000
"""Told for each check; more of them say nothing new."""
PAGE_SIZE = 1_000

MOVED = "stock movements = level"
HELD = "reserved = open holds"
POSSIBLE = "0 <= reserved <= on hand"
_TEXTS = {
    MOVED: "{} on hand, its movements sum to {}",
    HELD: "{} reserved, its open holds sum to {}",
    POSSIBLE: "{} on hand, {} reserved",
}


class Violation(NamedTuple):
    """A check that failed: `subject` is the offending level, `<sku>/<warehouse>`."""

    check: str
    subject: str
    detail: str


async def violations(database: Database) -> AsyncIterator[Violation]:
    """Every check over the whole of the books; nothing comes when they balance.

    Each check is one question, so it sees one instant of a running shop. At most 1000 come for
    each. Raises ResourceExhausted when the database's limit for reads is too low for its size.
    """
    books = _books(database)
    for check, ask in (
        (MOVED, books.unexplained),
        (HELD, books.unheld),
        (POSSIBLE, books.impossible),
    ):
        for sku, warehouse_id, *figures in await ask(VIOLATIONS_MAX):
            yield Violation(check, f"{sku}/{warehouse_id}", _TEXTS[check].format(*figures))


async def open_holds(database: Database) -> AsyncIterator[OpenHold]:
    """Every open hold by rising order id, read in pages of 1000.

    Beside a running shop each page is of its own instant: a hold that is taken or ends meanwhile
    may or may not be among them.
    """
    books = _books(database)
    last = ""
    while page := await books.open_holds(after=last, limit=PAGE_SIZE):
        for hold in page:
            yield hold
        last = page[-1].order_id


async def moved(database: Database, kind: str) -> AsyncIterator[Moved]:
    """What left with shipments, or came back with returns, by rising key, in pages of 1000."""
    books = _books(database)
    last, below = f"{kind}/", f"{kind}0"  # "0" sorts right after "/"
    while page := await books.moved(after=last, below=below, limit=PAGE_SIZE):
        for each in page:
            yield each
        last = page[-1].key


def _books(database: Database) -> Books:
    if database.engine == "mongodb":
        return MongoBooks(database)
    return SqlBooks(database)

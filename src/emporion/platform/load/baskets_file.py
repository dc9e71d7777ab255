"""Baskets from the till: a CSV of Date, Time, Transaction, Item becomes orders."""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from emporion.platform.table_file import Table

COLUMNS = ("date", "time", "transaction", "item")
NOT_SALES = frozenset({"none", "adjustment"})
"""Items that are till notes: such a line is not a sale."""
LINES_PER_BASKET_MAX = 200
UNITS_PER_LINE_MAX = 10_000
PRICE_MINOR_MIN = 100
PRICE_MINOR_MAX = 999
_ITEM_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class TillFile:
    """What a till file says.

    Args:
        baskets: per transaction with at least one sale, the units of each SKU.
        names: the item's name behind each SKU.
        lines: records read, those that are no sale included.
    """

    baskets: list[dict[str, int]]
    names: dict[str, str]
    lines: int

    def units_by_sku(self) -> Counter[str]:
        """How many units of each SKU all baskets need together."""
        units: Counter[str] = Counter()
        for basket in self.baskets:
            units.update(basket)
        return units


def read_baskets(path: Path) -> TillFile:
    """Read a till file; equal items of a transaction are summed. Raises BadFile."""
    table = Table(path, required=COLUMNS, optional=())
    baskets: dict[str, dict[str, int]] = {}
    sku_of: dict[str, str] = {}
    lines = 0
    for row in table:
        lines += 1
        moment, transaction, item = row.cells["date"], row.cells["transaction"], row.cells["item"]
        if not _is_moment(moment, row.cells["time"]):
            table.report(row.line, "date", "write date and time as 2016-10-30 and 09:58:11")
        if not transaction:
            table.report(row.line, "transaction", "is empty")
        if not 1 <= len(item) <= _ITEM_CHARS_MAX:
            table.report(row.line, "item", f"must have 1..{_ITEM_CHARS_MAX} characters")
        if not item or item.lower() in NOT_SALES:
            continue
        sku = sku_of.get(item) or sku_of.setdefault(item, _free_slug(item, sku_of))
        basket = baskets.setdefault(transaction, {})
        basket[sku] = basket.get(sku, 0) + 1
        if len(basket) > LINES_PER_BASKET_MAX or basket[sku] > UNITS_PER_LINE_MAX:
            table.report(row.line, "transaction", "an order has 1..200 lines of 1..10,000 units")
    if not baskets and not table.mistakes:
        table.report(0, "", "there is no sale in it")
    table.raise_mistakes()
    names = {sku: item for item, sku in sku_of.items()}
    return TillFile(list(baskets.values()), names, lines)


def slug(name: str) -> str:
    """A SKU made of a name: `Hot chocolate` -> `hot-chocolate`; 1..64 letters, digits, `-`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:48].rstrip("-")
    return words or f"item-{_digest(name)[:8]}"


def price_minor(name: str) -> int:
    """A price for a product that has none: the same name always costs the same, 1.00..9.99."""
    span = PRICE_MINOR_MAX - PRICE_MINOR_MIN + 1
    return PRICE_MINOR_MIN + int(_digest(name)[:12], 16) % span


def _free_slug(name: str, sku_of: dict[str, str]) -> str:
    wanted = slug(name)
    return wanted if wanted not in sku_of.values() else f"{wanted}-{_digest(name)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_moment(day: str, clock: str) -> bool:
    try:
        date.fromisoformat(day)
        time.fromisoformat(clock)
    except ValueError:
        return False
    return True

"""Baskets of a real bakery as events: of the whole file where it lies, else of one made like it."""

import csv
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from emporion.contracts.order import OrderCancelled, OrderCreated, PricedLine
from emporion.kernel.ids import OrderId, Sku, UserId
from emporion.kernel.money import Money
from emporion.platform.load.baskets_file import NOT_SALES, price_minor, slug

FILE = Path("shared/data/bakery-lines.csv")
"""Beside the checkout, or above."""
ADA = UserId("usr_" + "a" * 32)
MADE_BASKETS, MADE_ITEMS = 2_000, 40


class Sale(NamedTuple):
    """A line of the till: one unit of one thing."""

    basket: str
    at: datetime
    item: str


def sales() -> list[Sale]:
    """Every sale of the bakery's file; where there is none, as many of a file that is made up."""
    for folder in Path(__file__).parents:
        if (folder / FILE).is_file():
            with (folder / FILE).open(newline="", encoding="utf-8") as lines:
                return [
                    Sale(row["Transaction"], _moment(row["Date"], row["Time"]), row["Item"])
                    for row in csv.DictReader(lines)
                    if row["Item"].lower() not in NOT_SALES
                ]
    return made_sales(MADE_BASKETS)


def made_sales(baskets: int, *, seed: int = 1) -> list[Sale]:
    """Baskets of 1..8 things, some of them wanted far more than others."""
    chance = random.Random(seed)
    found = []
    for basket in range(baskets):
        at = datetime.fromtimestamp(1_477_821_600 + 420 * basket, tz=UTC)
        for _ in range(chance.randint(1, 8)):
            number = min(int(chance.expovariate(0.1)), MADE_ITEMS)
            found.append(Sale(str(basket), at, f"Thing {number}"))
    return found


def orders(lines: Sequence[Sale]) -> list[OrderCreated]:
    """The baskets as orders, in the order of the file; equal things of a basket are one line."""
    baskets: dict[str, dict[str, int]] = {}
    moments: dict[str, datetime] = {}
    for sale in lines:
        units = baskets.setdefault(sale.basket, {})
        units[sale.item] = units.get(sale.item, 0) + 1
        moments.setdefault(sale.basket, sale.at)
    return [
        _order(order_id(number), moments[basket], units)
        for number, (basket, units) in enumerate(baskets.items(), 1)
    ]


def order_id(number: int) -> OrderId:
    """The id of the order of that number."""
    return OrderId(f"ord_{number:032x}")


def order(number: int, *skus: str, at: datetime | None = None) -> OrderCreated:
    """An order of one unit of each."""
    units = dict.fromkeys(skus, 1)
    return _order(order_id(number), at or datetime(2026, 1, 1, 12, tzinfo=UTC), units)


def cancellation(created: OrderCreated) -> OrderCancelled:
    """An order called off an hour later."""
    return OrderCancelled(
        order_id=created.order_id,
        user_id=created.user_id,
        amount=created.amount,
        reason="changed my mind",
        cancelled_at=created.created_at.replace(minute=59),
    )


def _order(order_id_: OrderId, at: datetime, units: dict[str, int]) -> OrderCreated:
    lines = [
        PricedLine(
            sku=Sku(slug(item)),
            name=item,
            quantity=quantity,
            unit_price=Money(price_minor(item), "GBP"),
            total=Money(price_minor(item) * quantity, "GBP"),
        )
        for item, quantity in units.items()
    ]
    amount = Money(sum(line.total.amount_minor for line in lines), "GBP")
    return OrderCreated(order_id=order_id_, user_id=ADA, amount=amount, lines=lines, created_at=at)


def _moment(date: str, time: str) -> datetime:
    return datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC)

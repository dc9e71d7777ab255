"""What happened, once each, and what it adds to which minute and quarter of an hour."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

SOLD: Final = "sold"
CANCELLED: Final = "cancelled"
REJECTED: Final = "rejected"
REFUNDED: Final = "refunded"
REGISTERED: Final = "registered"

MINUTE_S: Final = 60
QUARTER_S: Final = 900
"""Hours and days of every zone begin at a quarter of an hour of UTC."""
GRAINS_S: Final = (MINUTE_S, QUARTER_S)


class Fact(NamedTuple):
    """Something that happened to an order or a user.

    Args:
        key: the order's or user's id.
        what: one of the words above; each happens once to a key, but for refunds in parts.
        part: which refund; empty for anything else, and for a refund of everything.
        at_ms: when it happened, not when we heard of it.
        label: the currency; of a rejected order the reason; of a user nothing.
        units: of the order, where it was sold.
        amount_minor: in that currency.
    """

    key: str
    what: str
    part: str
    at_ms: int
    label: str
    units: int
    amount_minor: int


class Line(NamedTuple):
    """What was sold in an order of one SKU."""

    sku: str
    units: int
    amount_minor: int


class Told(NamedTuple):
    """A fact as an event tells it; `lines` are those of a sale."""

    fact: Fact
    lines: Sequence[Line] = ()


class Settled(NamedTuple):
    """What a batch of events adds: facts to keep, and those that count from now on."""

    new: Sequence[Fact]
    counting: Sequence[Fact]


def settle(told: Iterable[Fact], known: Iterable[Fact]) -> Settled:
    """What is new of the facts told, given all that is known of their keys.

    A refund counts only for an order that was sold: money that went back for one that never came
    about was not in the revenue either. So it may count later than it is heard of.
    """
    stored = {fact[:3]: fact for fact in known}
    new: dict[tuple[str, str, str], Fact] = {}
    for fact in told:
        identity = fact[:3]
        if identity not in stored:
            new.setdefault(identity, fact)
    counting = [fact for fact in new.values() if fact.what != REFUNDED]
    newly_sold = {fact.key for fact in counting if fact.what == SOLD}
    sold = newly_sold | {key for key, what, _ in stored if what == SOLD}
    counting += [f for f in new.values() if f.what == REFUNDED and f.key in sold]
    counting += [f for f in stored.values() if f.what == REFUNDED and f.key in newly_sold]
    return Settled(list(new.values()), counting)


class Place(NamedTuple):
    """Where something is counted: in the minute or quarter that begins there, by what it is."""

    grain_s: int
    at_s: int
    what: str
    label: str


class Sum(NamedTuple):
    """How much was counted there."""

    number: int
    units: int
    amount_minor: int


def tally(facts: Iterable[Fact]) -> dict[Place, Sum]:
    """What facts add, by place."""
    sums: dict[tuple[int, int, str, str], list[int]] = {}
    for _, what, _, at_ms, label, units, amount_minor in facts:
        at_s = at_ms // 1000
        for grain_s in GRAINS_S:
            place = (grain_s, at_s - at_s % grain_s, what, label)
            found = sums.get(place)
            if found is None:
                sums[place] = [1, units, amount_minor]
            else:
                found[0] += 1
                found[1] += units
                found[2] += amount_minor
    return {Place(*place): Sum(*found) for place, found in sums.items()}


class Shelf(NamedTuple):
    """Where a product is counted: in a quarter of an hour, by currency."""

    at_s: int
    currency: str
    sku: str


def tally_products(
    sold: Iterable[Fact], lines_of: Mapping[str, Sequence[Line]]
) -> dict[Shelf, Sum]:
    """What sales add to the products in them; `number` counts the orders."""
    sums: dict[Shelf, Sum] = {}
    for fact in sold:
        at_s = fact.at_ms // 1000
        at_s -= at_s % QUARTER_S
        for sku, units, amount_minor in lines_of[fact.key]:
            shelf = Shelf(at_s, fact.label, sku)
            found = sums.get(shelf)
            sums[shelf] = (
                Sum(1, units, amount_minor)
                if found is None
                else Sum(found[0] + 1, found[1] + units, found[2] + amount_minor)
            )
    return sums

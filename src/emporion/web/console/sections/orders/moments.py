"""An order's past as moments: what it was at each, what differs from the one before, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from emporion.contracts.contract import Message
from emporion.kernel.money import Money
from emporion.web.past.of_order import Difference, Happened, differences
from emporion.web.words import money

NOISE: Final = (".updated_at", ".order_id", ".user_id")
"""Facts that say nothing beside a difference: the moment itself, and what never changes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant at which something changed: in one service, or in several at once."""

    at: datetime
    changes: Sequence[Happened]


@dataclass(frozen=True, slots=True)
class State:
    """An order, its payment and its stock at an instant, as far as there were any."""

    parts: Mapping[str, Message]

    @property
    def facts(self) -> dict[str, str]:
        """Everything that is known of it, flat, in words."""
        return {
            name: text
            for part, message in self.parts.items()
            for name, text in _pairs(msgspec.to_builtins(message), part)
            if not name.endswith(NOISE)
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What differs of one of them."""

    name: str
    differences: list[Difference]


def moments_of(happened: Sequence[Happened]) -> list[Moment]:
    """What happened, by instant, in the order of time."""
    groups: dict[datetime, list[Happened]] = {}
    for each in happened:
        groups.setdefault(each.change.at, []).append(each)
    return [Moment(at, groups[at]) for at in sorted(groups)]


def chosen(moments: Sequence[Moment], text: str) -> int:
    """Which of them somebody asks for, counted from 1; the last one when that is none of them."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else len(moments)  # noqa: PLR2004 - no order has so many
    return min(max(number, 1), len(moments))


def parts_of(before: State, after: State) -> list[Part]:
    """What differs, by what it is a fact of."""
    groups: dict[str, list[Difference]] = {}
    for each in differences(before.facts, after.facts):
        part, _, fact = each.fact.partition(".")
        groups.setdefault(part, []).append(Difference(fact, each.before, each.after))
    return [Part(name, found) for name, found in groups.items()]


def _pairs(value: Any, name: str) -> list[tuple[str, str]]:
    match value:
        case {"amount_minor": int(amount_minor), "currency": str(currency)}:
            return [(name, money(Money(amount_minor, currency)))]
        case dict():
            return [pair for key, part in value.items() for pair in _pairs(part, f"{name}.{key}")]
        case list():
            return [
                pair
                for at, part in enumerate(value, start=1)
                for pair in _pairs(part, f"{name} {at}")
            ]
        case None:
            return []
        case _:
            return [(name, str(value))]

"""A section of the console: a module in `sections/` that holds one of these as SECTION."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from emporion.web.console.paths import ROOT
from emporion.web.site import Show

FIRST: Final = "overview"
"""The section that is shown at ROOT itself."""
GROUPS: Final = (
    ("Watch", ("overview", "services", "traces", "logs", "metrics", "topology")),
    ("Desks", ("orders", "sagas", "events", "fraud", "stock", "shipments", "returns")),
    ("Rehearse", ("faults",)),
)
"""The order of the navigation. A name without a module in `sections/` is not shown."""
_HOME: Final = "emporion.web.console.sections"


@dataclass(frozen=True, slots=True)
class Section:
    """What the console shows and takes under one name.

    Args:
        title: in the navigation, one word.
        pages: what there is to look at, by how its address goes on after `/console/NAME`: empty,
            or such as `/{trace_id}`.
        forms: what takes a form, likewise.
    """

    title: str
    pages: Mapping[str, Show]
    forms: Mapping[str, Show] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A section in the navigation."""

    name: str
    title: str
    path: str


def sections() -> dict[str, Section]:
    """Every section that there is, by name, in the order of GROUPS; imports them."""
    names = [name for _, group in GROUPS for name in group]
    return {
        name: import_module(f"{_HOME}.{name}").SECTION
        for name in names
        if find_spec(f"{_HOME}.{name}") is not None
    }


def path_of(name: str, rest: str = "") -> str:
    """The address, or its template, of a page of a section."""
    if name == FIRST and not rest:
        return ROOT
    return f"{ROOT}/{name}{rest}"


def navigation(known: Mapping[str, Section]) -> list[tuple[str, list[Entry]]]:
    """The groups of the navigation with what there is of each."""
    groups = [
        (
            title,
            [Entry(name, known[name].title, path_of(name)) for name in names if name in known],
        )
        for title, names in GROUPS
    ]
    return [(title, entries) for title, entries in groups if entries]

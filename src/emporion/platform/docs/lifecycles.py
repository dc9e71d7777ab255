"""The lifecycles of aggregates, from their tables."""

import importlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from emporion.kernel.aggregate import Aggregate
from emporion.platform.docs.source import services


def pictures(root: Path) -> str:
    """A state diagram per aggregate."""
    return "\n\n".join(_picture(aggregate) for aggregate in aggregates(root))


def aggregates(root: Path) -> list[type[Aggregate[Any]]]:
    """The event-sourced aggregates of the services, by service and name."""
    for service in services(root):
        for module in sorted(service.modules):
            if module.split(".")[0] == "domain":
                importlib.import_module(f"emporion.services.{service.name}.{module}")
    found = [kind for kind in _below(Aggregate) if kind.__module__.startswith("emporion.services.")]
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def _below(kind: type[Aggregate[Any]]) -> Iterator[type[Aggregate[Any]]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def _picture(aggregate: type[Aggregate[Any]]) -> str:
    lines = [f"**{aggregate.__name__}**", "", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {_word(aggregate.START)}")
    for (before, event), after in aggregate.LIFECYCLE.items():
        lines.append(f"    {_word(before)} --> {_word(after)} : {event.__name__}")
    return "\n".join([*lines, "```"])


def _word(status: StrEnum) -> str:
    return str(status).replace("-", "_")

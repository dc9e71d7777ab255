"""What differs between two sets of templates: which stacks, which resources, which properties."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One resource, output or parameter that is new, gone, or other than before.

    Args:
        stack, what: where.
        how: `+` new, `-` gone, `~` changed.
        paths: of the properties that are not as before.
    """

    stack: str
    what: str
    how: str
    paths: tuple[str, ...] = ()

    def show(self) -> str:
        """One line."""
        where = f": {', '.join(self.paths)}" if self.paths else ""
        return f"{self.how} {self.stack}: {self.what}{where}"


def changes(before: Mapping[str, Template], after: Mapping[str, Template]) -> list[Change]:
    """All of them, by stack."""
    found: list[Change] = []
    for stack in sorted({*before, *after}):
        found += _of_stack(stack, before.get(stack, {}), after.get(stack, {}))
    return found


def _of_stack(stack: str, before: Template, after: Template) -> Iterator[Change]:
    for section in ("Parameters", "Resources", "Outputs"):
        old, new = before.get(section, {}), after.get(section, {})
        for name in sorted({*old, *new}):
            what = name if section == "Resources" else f"{section}.{name}"
            if name not in old:
                yield Change(stack, what, "+")
            elif name not in new:
                yield Change(stack, what, "-")
            elif old[name] != new[name]:
                yield Change(stack, what, "~", tuple(_paths(old[name], new[name])))


def _paths(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Where they differ, without `Properties`, which all have."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            inner = path if key == "Properties" else f"{path}.{key}".lstrip(".")
            if old.get(key) != new.get(key):
                yield from _paths(old.get(key), new.get(key), inner)
    else:
        yield path

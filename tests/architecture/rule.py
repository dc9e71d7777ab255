"""A rule of the house: what it says, how it is checked, and violations it must catch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.architecture.tree import Tree, Violation


@dataclass(frozen=True)
class Planted:
    """A file that breaks a rule; `path` is where it would lie in the checkout."""

    path: str
    text: str


@dataclass(frozen=True)
class Rule:
    """One sentence of docs/style.md and the check that executes it.

    `planted` are files that must each be caught, alone in an otherwise empty tree; `kept` are
    files near the border that must not be.
    """

    name: str
    says: str
    check: Callable[[Tree], Iterator[Violation]]
    planted: tuple[Planted, ...]
    kept: tuple[Planted, ...] = ()

    def __str__(self) -> str:
        return self.name

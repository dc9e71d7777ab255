"""An event-sourced aggregate: a lifecycle table, recorded events, and state folded from them."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic, Self, TypeVar

from emporion.kernel.errors import FailedPrecondition

E = TypeVar("E")


_Move = tuple[StrEnum, StrEnum, Callable[[Any, Any], None] | None]
"""A row of the lifecycle table for one event class: status before, status after, fold."""


class NotInThisState(FailedPrecondition):
    """The lifecycle table has no such transition."""

    slug = "not-in-this-state"
    title = "This is not possible in the current state"


class Aggregate(Generic[E]):
    """Base of event-sourced aggregates.

    A subclass gives `LIFECYCLE`, a table {(status before, event class): status after}, the start
    status, and for each event class that carries data an `on_<event class name in snake case>`
    method that folds it into the state. What is not in the table is refused, loudly.

    `version` counts the events folded so far, recorded ones included; `pending` are those that
    are not stored yet.
    """

    LIFECYCLE: ClassVar[Mapping[tuple[StrEnum, type[Any]], StrEnum]]
    START: ClassVar[StrEnum]
    _moves: ClassVar[dict[type[Any], list[_Move]]] = {}

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.status: StrEnum = self.START
        self.version = 0
        self.pending: list[E] = []

    def __init_subclass__(cls) -> None:
        """Lay out the table by event class, each row with its fold: `on_created` for `Created`.

        Looking a status up in the table would hash an enum, which costs more than all the rest.
        """
        cls._moves = {kind: [] for _, kind in cls.LIFECYCLE}
        for (before, kind), after in cls.LIFECYCLE.items():
            fold = getattr(cls, f"on_{_snake(kind.__name__)}", None)
            cls._moves[kind].append((before, after, fold))

    @classmethod
    def from_history(cls, id_: str, events: Iterable[E]) -> Self:
        """The aggregate as its events left it. Raises NotInThisState on an impossible history."""
        aggregate = cls(id_)
        for event in events:
            aggregate.fold(event)
        return aggregate

    @property
    def stored_version(self) -> int:
        """The version before the pending events: what the store must still be at."""
        return self.version - len(self.pending)

    def record(self, event: E) -> None:
        """Fold a new event and keep it for the store. Raises NotInThisState."""
        self.fold(event)
        self.pending.append(event)

    def fold(self, event: E) -> None:
        """Move along the lifecycle table and take over the event's data."""
        for before, after, fold in self._moves.get(type(event), ()):
            if before is self.status:
                if fold is not None:
                    fold(self, event)
                self.status = after
                self.version += 1
                return
        verb = type(event).__name__.lower()
        raise NotInThisState(
            f"{self.id} is {self.status}; it cannot become {verb}", state=str(self.status)
        )

    def take_pending(self) -> list[E]:
        """The events not stored yet; they count as stored from here on."""
        taken, self.pending = self.pending, []
        return taken


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")

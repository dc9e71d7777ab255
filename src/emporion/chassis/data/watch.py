"""How a database tells whoever traces it what a transaction waited for, and how long it took."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from emporion.chassis.calls.context import Call


class Waiting(Protocol):
    """A transaction or a read, from its call on."""

    def begin(self, together: int) -> None:
        """It has waited; the engine begins with it, and `together` in all."""
        ...

    def end(self, error: BaseException | None) -> None:
        """It is durable, or has failed."""
        ...


class Watched(Protocol):
    """Something that has its turn: of a batch, only what is done for recorded traces is told."""

    watched: Waiting | None


def tell_begun(batch: Sequence[Watched]) -> None:
    """Tell those who trace one of a batch that its turn has come."""
    for each in batch:
        if each.watched is not None:
            each.watched.begin(len(batch))


class Watch(Protocol):
    """Told of the work of a database that is done for a recorded trace; it must not raise."""

    def wait(
        self, call: Call, work: Callable[[Any], Awaitable[Any]], *, is_read: bool = False
    ) -> Waiting:
        """Work is queued for that call."""
        ...

"""What a saga is: steps with do and undo side by side, each given the same request.

A *refusal* (a known outcome: declined, out of stock) compensates the steps done so far in reverse
order. An *unknown outcome* (timeout, crash) is retried with the same key until it is known. Undo
takes the same request as do, so it needs nothing that do replied, and both may run twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from emporion.chassis.data.database import Tx
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError

I = TypeVar("I", bound=Message)  # noqa: E741 - the saga's Input
R = TypeVar("R", bound=Message)
RemoteWork = Callable[[R], Awaitable[Message]]
LocalDo = Callable[[Tx, I], Awaitable[None]]
LocalUndo = Callable[[Tx, I, EmporionError], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RemoteStep(Generic[I]):
    """A step in another service: `do` and `undo` are called with `request(input)`.

    `undo` None: the step cannot be undone; such a step must stand last or be followed only by
    steps that cannot be refused.
    """

    name: str
    do: Callable[[I], Awaitable[object]]
    undo: Callable[[I], Awaitable[object]] | None


@dataclass(frozen=True, slots=True)
class LocalStep(Generic[I]):
    """A step in the saga's own database, in the same transaction as the saga's own progress.

    `undo` is given the refusal that caused the compensation.
    """

    name: str
    do: LocalDo[I]
    undo: LocalUndo[I] | None


def step(
    name: str,
    *,
    request: Callable[[I], R],
    do: RemoteWork[R],
    undo: RemoteWork[R] | None = None,
) -> RemoteStep[I]:
    """A step in another service. Its name is stored: words, not a function's name."""

    def run(input_: I) -> Awaitable[object]:
        return do(request(input_))

    def revert(input_: I) -> Awaitable[object]:
        assert undo is not None  # noqa: S101 - only called when there is one
        return undo(request(input_))

    return RemoteStep(name, run, revert if undo else None)


def local(name: str, *, do: LocalDo[I], undo: LocalUndo[I] | None = None) -> LocalStep[I]:
    """A step in the saga's own database."""
    return LocalStep(name, do, undo)


@dataclass(frozen=True, slots=True)
class Saga(Generic[I]):
    """A saga: a stored name and version, the type of its input, and its steps in order.

    The first step must be local: it runs in the transaction that starts the saga. Every request
    is a function of the input, which is stored at the start: so progress between steps need not
    be stored, and recovery simply runs the steps again. `refusals` are the named errors its steps
    refuse with: the one that turned it is stored, and told again as the same class.
    """

    name: str
    version: int
    input: type[I]
    steps: tuple[RemoteStep[I] | LocalStep[I], ...]
    refusals: tuple[type[EmporionError], ...] = ()

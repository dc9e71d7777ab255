"""What a service asks of the saga engine."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.saga.definition import Saga
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError, FailedPrecondition, InvalidArgument

I = TypeVar("I", bound=Message)  # noqa: E741 - the saga's Input


class KeyConflict(InvalidArgument):
    """A saga was started under this key before, with another input."""

    slug = "saga-key-conflict"
    title = "The key was used for something else"


class CalledOff(FailedPrecondition):
    """An operator called the saga off: what it had done was undone."""

    slug = "called-off"
    title = "It was called off by the shop"


class SagaState(StrEnum):
    """Where a saga stands. COMPLETED and REFUSED are terminal."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    REFUSED = "refused"


class Start(msgspec.Struct, Generic[I], frozen=True):
    """A saga to be started once.

    Args:
        saga_id: its id when it is new.
        input_: what every step's request is made from; stored.
        key: of all starts with one key only the first counts.
        fingerprint: tells a repeated start from a different one under the same key.
        also: runs in the same transaction when the saga is new; its error undoes the start.
    """

    saga_id: str
    input_: I
    key: str
    fingerprint: bytes
    also: Callable[[Tx], Awaitable[None]] | None = None


class Outcome(msgspec.Struct, frozen=True):
    """How a saga stands: its id and state; `refusal` is the error that turned it, if any."""

    saga_id: str
    state: SagaState
    refusal: EmporionError | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self.state in (SagaState.COMPLETED, SagaState.REFUSED)


class Sagas(Protocol):
    """The engine of one service: its rows lie in that service's database."""

    async def run(self, saga: Saga[I], start: Start[I], *, wait_s: float) -> Outcome:
        """Start a saga, unless its key was used before, and run it.

        Returns its outcome, or how it stands as soon as a step's outcome is unknown: it then
        goes on by itself, also after a crash. A repeated start joins the first one: it waits up
        to `wait_s` for its end. Raises KeyConflict when the key was used with another
        fingerprint, and whatever the first step or `also` raise: then nothing was stored.
        """
        ...

    async def join(self, key: str, fingerprint: bytes, *, wait_s: float) -> Outcome | None:
        """The saga started under this key, None when there is none.

        Waits up to `wait_s` for its end, like a repeated start. Raises KeyConflict.
        """
        ...

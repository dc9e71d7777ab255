"""What a service asks of the saga engine."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from emporion.chassis.data.database import Tx
from emporion.chassis.saga.definition import Saga
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError

I = TypeVar("I", bound=Message)  # noqa: E741 - the saga's Input


class SagaState(StrEnum):
    """Where a saga stands. COMPLETED and REFUSED are terminal."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
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

    async def start(  # noqa: PLR0913 - the columns of the saga's row, by keyword
        self, tx: Tx, saga: Saga[I], *, saga_id: str, input_: I, key: str, fingerprint: str
    ) -> str:
        """Store a saga and run its first step, in the caller's transaction; returns its id.

        `key` makes it happen once: when a saga with this key exists, nothing is written and the
        id of the existing one is returned, or KeyConflict is raised when its fingerprint
        differs. The saga runs only once `drive` is called, or at recovery after a crash.
        """
        ...

    async def find(self, tx: Tx, *, key: str) -> str | None:
        """The id of the saga started under this key, or None."""
        ...

    async def drive(self, saga_id: str, *, wait_s: float) -> Outcome:
        """Run the saga (unless it is running here already) and wait up to `wait_s` for its end.

        Returns how it stands then; it goes on in the background when it is not terminal. Any
        number of callers may drive the same saga at once: it runs once.
        """
        ...

"""A saga at work: what the engine keeps in memory of it, between its stored transitions."""

import asyncio
from typing import Any

import msgspec

from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Outcome, SagaState
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError

_COMPLETED = SagaState.COMPLETED


class Run(msgspec.Struct, eq=False):
    """A saga that this process is working on, or that somebody here waits for."""

    saga: Saga[Any]
    saga_id: str
    input: Message
    state: SagaState = SagaState.RUNNING
    step: int = 1
    attempts: int = 0
    refusal: EmporionError | None = None
    is_resumed: bool = False
    waiters: list[asyncio.Future[None]] = []

    @property
    def is_doubtful(self) -> bool:
        """Whether an earlier attempt of this step may have an effect, now or when it arrives."""
        return self.is_resumed or self.attempts > 0

    @property
    def is_at_last_step(self) -> bool:
        """Whether no step follows."""
        return self.step == len(self.saga.steps) - 1

    def advance(self) -> None:
        """The step is done: on to the next, or to the end."""
        self.step += 1
        self.attempts = 0
        if self.step == len(self.saga.steps):
            self.state = _COMPLETED

    def outcome(self) -> Outcome:
        """How it stands now."""
        return Outcome(self.saga_id, self.state, self.refusal)

"""A saga at work: what the engine keeps in memory of it, between its stored transitions."""

import asyncio
from typing import Any

from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Outcome, SagaState
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError


class Run:
    """A saga that this process is working on, or that somebody here waits for."""

    __slots__ = (
        "attempts",
        "input",
        "is_resumed",
        "refusal",
        "saga",
        "saga_id",
        "state",
        "step",
        "waiters",
    )

    def __init__(self, saga: Saga[Any], saga_id: str, input_: Message) -> None:
        self.saga = saga
        self.saga_id = saga_id
        self.input = input_
        self.state = SagaState.RUNNING
        self.step = 1
        self.attempts = 0
        self.refusal: EmporionError | None = None
        self.is_resumed = False
        self.waiters: list[asyncio.Future[None]] = []

    @property
    def is_doubtful(self) -> bool:
        """Whether an earlier attempt of this step may have an effect, now or when it arrives."""
        return self.is_resumed or self.attempts > 0

    def outcome(self) -> Outcome:
        """How it stands now."""
        return Outcome(self.saga_id, self.state, self.refusal)

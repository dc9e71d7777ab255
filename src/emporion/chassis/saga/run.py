"""A saga at work: what the engine keeps in memory of it, between its stored transitions."""

import asyncio
from contextvars import Token
from typing import Any

import msgspec

from emporion.chassis.calls.context import Call, current_call, enter
from emporion.chassis.saga.definition import Saga
from emporion.chassis.saga.port import Outcome, SagaState
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError


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

    def outcome(self) -> Outcome:
        """How it stands now."""
        return Outcome(self.saga_id, self.state, self.refusal)


def enter_step(run: Run, step: str) -> Token[Call]:
    """What a local step writes says in the trail which step wrote it."""
    call = current_call()
    return enter(Call(call.identity, call.trace, call.deadline_s, f"{run.saga.name}: {step}"))

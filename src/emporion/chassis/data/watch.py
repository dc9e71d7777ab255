"""How a database tells whoever traces it what a transaction waited for, and how long it took."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from emporion.chassis.calls.context import Call, current_call


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


def watch_answer(
    database: object, answer: asyncio.Future[Any], work: Callable[..., Awaitable[Any]]
) -> Waiting | None:
    """Tell of one of several calls that share a transaction, which itself is in nobody's trace.

    It ends with its answer. None: nobody is told.
    """
    watch: Watch | None = getattr(database, "watch", None)
    call = current_call()
    if watch is None or not call.trace.is_sampled:
        return None
    waiting = watch.wait(call, work)
    answer.add_done_callback(lambda done: waiting.end(error_of(done)))
    return waiting


def error_of(done: asyncio.Future[Any]) -> BaseException | None:
    """What a future that is done failed with."""
    return asyncio.CancelledError() if done.cancelled() else done.exception()

"""Works on one batch at a time; whoever asks meanwhile is in the next: few large round trips."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from emporion.chassis.data.watch import Waiting, watch_answer
from emporion.kernel.errors import ResourceExhausted

A = TypeVar("A")
R = TypeVar("R")
BATCH_MAX = 128
WAITING_MAX = 10_000


class Gathered(Generic[A, R]):
    """Gathers calls while a batch is on its way to an engine at the other end of a network.

    `work(items)` gives a result, or an error, for each item in order; an error that it raises is
    everybody's. It runs as no caller in particular: it must not ask who calls, nor until when.

    Args:
        database: the one that `work` uses, whose watch is told of each call; None: nobody is.
    """

    def __init__(
        self,
        work: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]],
        *,
        database: object = None,
    ) -> None:
        self._work = work
        self._database = database
        self._waiting: list[tuple[A, asyncio.Future[R], Waiting | None]] = []
        self._serving: asyncio.Task[None] | None = None

    def run(self, item: A) -> asyncio.Future[R]:
        """The result of one item, which begins at once unless a batch is on its way.

        Whoever gives up waiting does not stop it. Raises ResourceExhausted when 10,000 wait, and
        what `work` says.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise ResourceExhausted(f"{WAITING_MAX} calls wait for the batch before them")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, answer, watch_answer(self._database, answer, self._work)))
        if self._serving is None or self._serving.done():
            self._serving = loop.create_task(self._serve(), context=Context())
        return answer

    async def _serve(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            for _, _, waiting in batch:
                if waiting is not None:
                    waiting.begin(len(batch))
            try:
                results = await self._work([item for item, _, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed to those who wait
                results = [error] * len(batch)
            for (_, answer, _), result in zip(batch, results, strict=True):
                if answer.done():
                    continue  # the caller was cancelled meanwhile; what was done stands
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)

"""A few connections that write: each takes all that waits, and commits it together."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from emporion.chassis.data.postgres.group_commit import GroupCommit, Job

_log = logging.getLogger(__name__)
BATCH_MAX = 256
STOP_TIMEOUT_S = 30.0


class Lanes:
    """Takes jobs and answers their futures; the first lane that is free takes what waits.

    `waiting`: how many it has not answered.
    """

    def __init__(
        self,
        name: str,
        commits: Sequence[GroupCommit],
        *,
        on_published: Callable[[], None],
        batch_max: int = BATCH_MAX,
    ) -> None:
        self.waiting = 0
        self._on_published = on_published
        self._batch_max = batch_max
        self._queue: list[Job] = []
        self._is_closing = False
        self._idle: dict[int, asyncio.Future[None]] = {}
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._tasks = [
            loop.create_task(self._run(number, commit), name=f"lane {number} of {name}")
            for number, commit in enumerate(commits)
        ]

    def submit(self, job: Job) -> None:
        """Queue a job; never blocks. All jobs of one turn of the loop wake one lane."""
        if not self._queue:
            self._loop.call_soon(self._wake)
        self._queue.append(job)
        self.waiting += 1

    @property
    def is_alive(self) -> bool:
        """Whether jobs are still answered; once it is False only a restart helps."""
        return not any(task.done() for task in self._tasks)

    async def close(self) -> bool:
        """Finish what is queued, then stop; whether all lanes are at rest."""
        self._is_closing = True
        for number in list(self._idle):
            self._rouse(number)
        _, late = await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S)
        for task in late:
            task.cancel()
        return not late

    def _wake(self) -> None:
        if self._queue and self._idle:
            self._rouse(min(self._idle))

    def _rouse(self, number: int) -> None:
        waiter = self._idle.pop(number)
        if not waiter.done():
            waiter.set_result(None)

    async def _run(self, number: int, commit: GroupCommit) -> None:
        while True:
            if not self._queue:
                if self._is_closing:
                    return
                waiter = self._loop.create_future()
                self._idle[number] = waiter
                await waiter
                continue
            batch, self._queue = self._queue[: self._batch_max], self._queue[self._batch_max :]
            if self._queue:
                self._wake()
            has_published = await commit.run(batch)
            self.waiting -= len(batch)
            _answer(batch)
            if has_published:
                with suppress(Exception):
                    self._ring()

    def _ring(self) -> None:
        try:
            self._on_published()
        except Exception:
            _log.exception("whoever listens for published events failed")
            raise


def _answer(batch: Sequence[Job]) -> None:
    """Give each waiting caller its result or error."""
    for job in batch:
        future = job.future
        if future.done():
            continue  # the caller was cancelled meanwhile; the transaction stands
        if job.error is None:
            future.set_result(job.result)
        else:
            future.set_exception(job.error)

"""A few connections that write: one takes all that waits, and commits it together.

What comes while it commits waits for it, in one large batch, which costs far less than two that
run side by side. The others are spare: they step in where it takes long.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from emporion.chassis.data.postgres.group_commit import GroupCommit, Job
from emporion.chassis.data.watch import tell_begun

_log = logging.getLogger(__name__)
BATCH_MAX = 256
STOP_TIMEOUT_S = 30.0
FIRST = 0
SPARE_AFTER_S = 0.02
"""A batch that waited so long for the first lane is taken by another."""


class Lanes:
    """Takes jobs and answers their futures.

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
        self._queued_at_s = 0.0
        self._is_watched = False
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
            self._queued_at_s = self._loop.time()
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
        if not self._queue:
            return
        if FIRST in self._idle:
            self._rouse(FIRST)
        elif not self._is_watched:
            self._is_watched = True
            self._loop.call_later(SPARE_AFTER_S, self._look_after)

    def _look_after(self) -> None:
        """Let a spare lane take what has waited too long for the first one."""
        self._is_watched = False
        if not self._queue:
            return
        if self._loop.time() - self._queued_at_s >= SPARE_AFTER_S and self._idle:
            self._rouse(min(self._idle))
        self._wake()

    def _rouse(self, number: int) -> None:
        waiter = self._idle.pop(number)
        if not waiter.done():
            waiter.set_result(None)

    async def _run(self, number: int, commit: GroupCommit) -> None:
        while True:
            if not self._queue or (number != FIRST and not self._is_closing):
                if self._is_closing:
                    return
                waiter = self._loop.create_future()
                self._idle[number] = waiter
                await waiter
                if not self._queue:
                    continue
            batch, self._queue = self._queue[: self._batch_max], self._queue[self._batch_max :]
            if self._queue and self._idle:  # more than a batch: the next lane need not wait
                self._rouse(min(self._idle))
            tell_begun(batch)
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
        if job.watched is not None:
            job.watched.end(job.error)
        future = job.future
        if future.done():
            continue  # the caller was cancelled meanwhile; the transaction stands
        if job.error is None:
            future.set_result(job.result)
        else:
            future.set_exception(job.error)

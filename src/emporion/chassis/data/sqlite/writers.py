"""Who runs the group commits: a thread of its own, or the event loop itself."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from emporion.chassis.data.sqlite.group_commit import GroupCommit, Job

_log = logging.getLogger(__name__)
BATCH_MAX = 256
STOP_TIMEOUT_S = 30.0
QUICK_S = 0.001
"""A transaction that took no longer, fsync included, may be followed by one on the loop."""


class Writer(Protocol):
    """Takes jobs from the event loop and answers their futures there.

    `waiting`: how many it has not answered.
    """

    waiting: int

    def submit(self, job: Job) -> None:
        """Queue a job."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether jobs are still answered; once it is False only a restart helps."""
        ...

    async def close(self) -> bool:
        """Finish what is queued, then stop; whether it is at rest, so that the file may close."""
        ...


class ThreadWriter:
    """One thread a database file: drains its queue, commits all that wait together.

    The loop is woken once for each batch, not for each transaction. A transaction that nobody
    waits with is committed on the loop itself, as long as that was quick the last time: the way
    to the thread and back takes as long as an fsync, and a lone order goes it four times.
    """

    def __init__(
        self,
        name: str,
        commit: GroupCommit,
        *,
        after_batch: Callable[[], None],
        on_published: Callable[[], None],
        batch_max: int = BATCH_MAX,
    ) -> None:
        self._commit = commit
        self._after_batch = after_batch
        self._on_published = on_published
        self._batch_max = batch_max
        self.waiting = 0
        self._is_quick = False
        self._loop = asyncio.get_running_loop()
        self._turn: list[Job] = []
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"writer-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; never blocks. All jobs of one turn of the loop wake the thread once."""
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(job)
        self.waiting += 1

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    async def close(self) -> bool:
        """Finish what is queued, also in this turn of the loop, then stop the thread."""
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def _hand_over(self) -> None:
        turn, self._turn = self._turn, []
        is_alone = len(turn) == 1 and self.waiting == 1
        if is_alone and self._is_quick and self.is_alive:
            self._answer(turn, self._run_batch(turn))
        else:
            self._queue.put(turn)

    def _run(self) -> None:
        waiting = self._queue
        is_last = False
        left: list[Job] = []
        while not is_last or left:
            if not left:
                jobs = waiting.get()
                if jobs is None:
                    return
                left = jobs
            is_last = self._drain(left) or is_last
            batch, left = left[: self._batch_max], left[self._batch_max :]
            is_published = self._run_batch(batch)
            with suppress(RuntimeError):  # the loop was closed: nobody waits for the answers
                self._loop.call_soon_threadsafe(self._answer, batch, is_published)

    def _run_batch(self, batch: list[Job]) -> bool:
        started_s = time.monotonic()
        is_published = self._commit.run(batch)
        if len(batch) == 1:
            self._is_quick = time.monotonic() - started_s <= QUICK_S
        self._after_batch()
        return is_published

    def _drain(self, left: list[Job]) -> bool:
        """Take what else waits; whether the end of all jobs was among it."""
        waiting = self._queue
        while len(left) < self._batch_max:
            try:
                jobs = waiting.get_nowait()
            except queue.Empty:
                return False
            if jobs is None:
                return True
            left += jobs
        return False

    def _answer(self, batch: list[Job], is_published: bool) -> None:  # noqa: FBT001 - call_soon passes by position
        self.waiting -= len(batch)
        answer(batch)
        if is_published:
            self._on_published()


class InlineWriter:
    """Commits on the event loop, for deterministic simulation; it blocks the loop for an fsync."""

    def __init__(
        self,
        commit: GroupCommit,
        *,
        after_batch: Callable[[], None],
        on_published: Callable[[], None],
    ) -> None:
        self._commit = commit
        self._after_batch = after_batch
        self._on_published = on_published
        self._loop = asyncio.get_running_loop()
        self._batch: list[Job] = []
        self.waiting = 0

    def submit(self, job: Job) -> None:
        """Queue a job; the batch runs in the loop's next turn."""
        if not self._batch:
            self._loop.call_soon(self._run)
        self._batch.append(job)
        self.waiting += 1

    @property
    def is_alive(self) -> bool:
        """As long as the loop turns."""
        return True

    async def close(self) -> bool:
        """Finish what is queued."""
        self._run()
        return True

    def _run(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        is_published = self._commit.run(batch)
        self.waiting -= len(batch)
        answer(batch)
        self._after_batch()
        if is_published:
            self._on_published()


def answer(batch: list[Job]) -> None:
    """Give each waiting caller its result or error."""
    for job in batch:
        future = job.future
        if future.done():
            continue  # the caller was cancelled meanwhile; the transaction stands
        if job.error is None:
            future.set_result(job.result)
        else:
            future.set_exception(job.error)

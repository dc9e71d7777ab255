"""Who runs the group commits: a thread of its own, or the event loop itself."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from emporion.chassis.data.database import Aside
from emporion.chassis.data.sqlite.group_commit import GroupCommit, Job
from emporion.chassis.data.watch import tell_begun

_log = logging.getLogger(__name__)
BATCH_MAX = 256
GATHER_S = 0.004
"""A batch waits no longer for others to come along."""
STOP_TIMEOUT_S = 30.0
QUICK_S = 0.001
"""A commit that took no longer may be followed by one on the loop."""
LONG_S = 0.005
"""Statements that took more CPU than this are run on the thread the next time."""


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
    """Runs the statements of a database on the loop, and its commits on a thread of their own.

    All transactions that wait when a commit ends are the next batch, and those that come along
    while each turn of the loop brings one: a commit costs as much as ten transactions, and a loop
    that has other work to do makes better use of the time. Their statements hold the interpreter
    as long on a thread as on the loop, and each would hand it back and forth; what is worth a
    thread is the fsync. Even that is done on the loop for a transaction that nobody
    waits with, as long as it was quick the last time: the way to the thread and back takes as
    long as an fsync, and a lone order goes it four times.

    Work that is `Aside` is done wholly on the thread, with whatever waits beside it. So is a kind
    of work (the function's code) that took long by itself, an import say, until it is short there.
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
        self._is_busy = False
        self._is_quick = False
        self._is_aside = False
        self._gathered = 0
        self._gathering_since_s = 0.0
        self._long: set[object] = set()
        self._loop = asyncio.get_running_loop()
        self._jobs: list[Job] = []
        self._at_rest: asyncio.Future[None] | None = None
        self._handed: queue.SimpleQueue[tuple[list[Job], bool] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"writer-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; never blocks."""
        self._jobs.append(job)
        self.waiting += 1
        if type(job.work) is Aside:
            self._is_aside = True
        if not self._is_busy:
            self._start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    async def close(self) -> bool:
        """Finish what is queued, then stop the thread."""
        if self.waiting and self.is_alive:
            self._at_rest = self._loop.create_future()
            await asyncio.wait((self._at_rest,), timeout=STOP_TIMEOUT_S)
        self._handed.put(None)
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def _start(self) -> None:
        """Begin a batch in one of the loop's next turns: who is about to submit comes along."""
        self._is_busy = True
        self._gathered = 0
        self._gathering_since_s = time.monotonic()
        self._loop.call_soon(self._begin)

    def _gathers(self) -> bool:
        """Whether the last turn of the loop brought another job, so that the next one may, too."""
        before, self._gathered = self._gathered, len(self._jobs)
        return (
            1 < self._gathered < self._batch_max
            and before < self._gathered
            and time.monotonic() - self._gathering_since_s < GATHER_S
        )

    def _begin(self) -> None:
        if self._gathers():
            self._loop.call_soon(self._begin)
            return
        batch, self._jobs = self._jobs[: self._batch_max], self._jobs[self._batch_max :]
        tell_begun(batch)
        is_alone = self.waiting == 1
        is_aside, self._is_aside = self._is_aside, self._is_aside and bool(self._jobs)
        if is_aside or (self._long and not self._long.isdisjoint(map(_kind, batch))):
            self._handed.put((batch, False))
        elif not self._run_statements(batch):
            self._answer(batch, is_published=False)
        elif is_alone and self._is_quick:
            self._answer(batch, is_published=self._finish(batch))
        else:
            self._handed.put((batch, True))

    def _run_statements(self, batch: list[Job]) -> bool:
        if len(batch) > 1:
            return self._commit.begin(batch)
        started_s = time.thread_time()
        is_open = self._commit.begin(batch)
        kind = _kind(batch[0])
        if time.thread_time() - started_s > LONG_S:
            self._long.add(kind)
        else:
            self._long.discard(kind)
        return is_open

    def _run(self) -> None:
        while (handed := self._handed.get()) is not None:
            batch, is_begun = handed
            is_open = is_begun or self._run_statements(batch)
            is_published = is_open and self._finish(batch)
            told = partial(self._answer, batch, is_published=is_published)
            with suppress(RuntimeError):  # the loop was closed: nobody waits for the answers
                self._loop.call_soon_threadsafe(told)

    def _finish(self, batch: list[Job]) -> bool:
        started_s = time.monotonic()
        is_published = self._commit.finish(batch)
        self._is_quick = time.monotonic() - started_s <= QUICK_S
        self._after_batch()
        return is_published

    def _answer(self, batch: list[Job], *, is_published: bool) -> None:
        self.waiting -= len(batch)
        self._is_busy = False
        answer(batch)
        if self._jobs:
            self._start()
        elif self._at_rest is not None and not self._at_rest.done():
            self._at_rest.set_result(None)
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
        tell_begun(batch)
        is_published = self._commit.run(batch)
        self.waiting -= len(batch)
        answer(batch)
        self._after_batch()
        if is_published:
            self._on_published()


def answer(batch: list[Job]) -> None:
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


def _kind(job: Job) -> object:
    """The same for all work that one function makes."""
    return getattr(job.work, "__code__", type(job.work))

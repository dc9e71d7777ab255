"""Group commit: all transactions that wait share one fsync, and yet each succeeds or fails alone.

A batch first runs without savepoints. A transaction that fails before it has written anything
just fails. One that fails after a write rolls the whole batch back, which then runs again with a
savepoint around each: transactions are repeatable by contract. So the common case pays for no
savepoint, and a failing neighbour costs time, never correctness.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any

import apsw
import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.data.sqlite.connection import named
from emporion.chassis.data.sqlite.transaction import SqliteTx, drive
from emporion.chassis.data.watch import Waiting
from emporion.kernel.clock import Clock
from emporion.kernel.errors import DeadlineExceeded, Unavailable

_log = logging.getLogger(__name__)


class Job(msgspec.Struct, eq=False):
    """A transaction waiting to be run, and then its result or error."""

    work: Callable[[Tx], Awaitable[Any]]
    context: Context
    deadline_s: float
    future: asyncio.Future[Any]
    result: object = None
    error: BaseException | None = None
    watched: Waiting | None = None


class GroupCommit:
    """Runs batches of jobs on the one writing connection. Used by one thread at a time.

    A batch is begun and finished before the next one is begun.
    """

    def __init__(self, tx: SqliteTx, clock: Clock) -> None:
        self.revision = 0
        self._tx = tx
        self._clock = clock

    def run(self, jobs: Sequence[Job]) -> bool:
        """Run and commit a batch; afterwards each job holds its result or error.

        Returns whether an event was published. When the commit itself fails (disk full, I/O
        error), every job that had succeeded fails with Unavailable: nothing is reported durable
        that is not.
        """
        return self.begin(jobs) and self.finish(jobs)

    def begin(self, jobs: Sequence[Job]) -> bool:
        """Run the statements of a batch; whether its transaction is open, and `finish` must follow.

        Otherwise it was rolled back and each job holds an error.
        """
        tx = self._tx
        tx.published = 0
        try:
            tx.control("BEGIN IMMEDIATE")
            if not self._run_plain(jobs):
                tx.control("ROLLBACK")
                tx.published = 0
                tx.control("BEGIN IMMEDIATE")
                self._run_with_savepoints(jobs)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            return self._fail_all(jobs, error)
        return True

    def finish(self, jobs: Sequence[Job]) -> bool:
        """Make what `begin` did durable: an fsync; see `run`. It may be on another thread."""
        tx = self._tx
        try:
            tx.control("COMMIT")
            self.revision += 1
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            return self._fail_all(jobs, error)
        return tx.published > 0

    def _run_plain(self, jobs: Sequence[Job]) -> bool:
        """Whether every job succeeded or failed without having written."""
        now_s = self._clock.monotonic_s()
        changes_so_far = self._tx.changes_so_far
        written = changes_so_far()
        for job in jobs:
            self._attempt(job, now_s)
            after = changes_so_far()
            if job.error is not None and after != written:
                return False
            written = after
        return True

    def _run_with_savepoints(self, jobs: Sequence[Job]) -> None:
        now_s = self._clock.monotonic_s()
        tx = self._tx
        for job in jobs:
            tx.control("SAVEPOINT job")
            published = tx.published
            self._attempt(job, now_s)
            if job.error is not None:
                tx.control("ROLLBACK TO job")
                tx.published = published
            tx.control("RELEASE job")

    def _attempt(self, job: Job, now_s: float) -> None:
        job.error = None
        if job.deadline_s < now_s:
            job.error = DeadlineExceeded("the deadline passed before the transaction started")
            return
        try:
            job.result = job.context.run(drive, job.work, self._tx)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who awaits this job
            job.error = error

    def _fail_all(self, jobs: Sequence[Job], error: Exception) -> bool:
        """Roll back, and tell those who are not told yet. Always False."""
        if isinstance(error, apsw.Error):
            error = named(error)
            _log.error("a group commit of %d transactions failed: %s", len(jobs), error)
        else:
            # The writer must outlive a defect: nobody would answer them.
            _log.error("a group commit met a defect", exc_info=error)
        try:
            if self._tx.is_open():
                self._tx.control("ROLLBACK")
        except apsw.Error:
            _log.exception("the rollback failed too")
        for job in jobs:
            if job.error is None:
                job.error = Unavailable(str(error))
        return False

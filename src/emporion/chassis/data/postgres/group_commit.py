"""Group commit: transactions that wait share one of PostgreSQL's, and yet each fails alone.

A batch first runs without savepoints, and works that may walk in step do (see `in_step.py`). One
that fails after a write, or at a statement (which ends a transaction of PostgreSQL), rolls the
batch back; it runs again with a savepoint around each.
When another connection's transaction is in the way (a deadlock, a lock held for long), they run
once more, each in a transaction of its own: locks that a batch gathers in no order cannot block
each other then. Transactions are repeatable by contract.

A transaction that met a duplicate is run once again before that counts: whoever wrote the other
one has committed, so that a look before the write now finds it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any

import msgspec

from emporion.chassis.data.database import InStep, Tx, UniqueViolation
from emporion.chassis.data.postgres.errors import Collision, Lost, OutcomeUnknown
from emporion.chassis.data.postgres.in_step import Locking, Walk, walk
from emporion.chassis.data.postgres.session import Link, Session, Unclear
from emporion.chassis.data.postgres.transaction import PUBLISH, Ask, PostgresTx, Verb, drive
from emporion.chassis.data.watch import Waiting
from emporion.kernel.clock import Clock
from emporion.kernel.errors import DeadlineExceeded, EmporionError, Unavailable

_log = logging.getLogger(__name__)
COLLISIONS_MAX = 8
LOCK_WAIT_MS = 50
"""How long a batch waits for a row before it gives its own back and its parts run alone."""
_BEGIN_TOGETHER = f"BEGIN; SET LOCAL lock_timeout = {LOCK_WAIT_MS}"


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
    """Runs batches of jobs on one connection, one batch at a time.

    Args:
        link: the connection.
        tx: makes a transaction.
        base: what positions of published events begin at; see `positions.py`.
    """

    def __init__(
        self, link: Link, tx: Callable[[], PostgresTx], clock: Clock, *, base: int
    ) -> None:
        self._link = link
        self._new_tx = tx
        self._tx = tx()
        self._clock = clock
        self._base = base
        self._session: Session | None = None
        self._has_published = False

    async def run(self, jobs: Sequence[Job]) -> bool:
        """Run and commit a batch; afterwards each job holds its result or error.

        Returns whether an event was published. Raises nothing: when the engine is gone the jobs
        hold Unavailable, or OutcomeUnknown when it went while it committed.
        """
        self._has_published = False
        begun = [job for job in jobs if not self._is_late(job)]
        try:
            if len(begun) > 1 and await self._together(begun):
                return self._has_published
            for job in begun:
                await self._alone(job)
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            # The lane must outlive a defect: nobody would answer them.
            _log.exception("a group commit met a defect")
            self._link.cut()
            _fail(begun, Unavailable(str(error)))
        return self._has_published

    async def _together(self, jobs: Sequence[Job]) -> bool:
        """Whether they are settled; otherwise nothing was done, and each must run alone."""
        for attempt in (self._unguarded, self._guarded):
            try:
                await self._begin(_BEGIN_TOGETHER)
                if await attempt(jobs):
                    await self._commit()
                    return True
                await self._rollback()
            except Collision:
                await self._rollback()
                return False
            except EmporionError as error:
                await self._give_up(jobs, error)
                return True
        return False

    async def _unguarded(self, jobs: Sequence[Job]) -> bool:
        """Whether every job succeeded, or failed without having written."""
        stepping = [job for job in jobs if type(job.work) is InStep]
        if len(stepping) < 2:  # noqa: PLR2004 - one is in step with nobody
            return await self._plain(jobs)
        others = [job for job in jobs if type(job.work) is not InStep]
        return await self._plain(others) and await self._in_step(stepping)

    async def _in_step(self, jobs: Sequence[Job]) -> bool:
        assert self._session is not None  # noqa: S101 - begun
        walks = [Walk(job.work, self._new_tx(), context=job.context) for job in jobs]
        try:
            await walk(walks, self._session.answer_each)
        except (Collision, Lost):
            raise
        except (EmporionError, Locking, Unclear):
            return False  # whose it is shows when they run one by one
        if any(each.error is not None and each.tx.writes for each in walks):
            return False
        for job, each in zip(jobs, walks, strict=True):
            job.result, job.error = each.result, each.error
            if each.error is None:
                self._tx.outbox += each.tx.outbox
        return True

    async def _plain(self, jobs: Sequence[Job]) -> bool:
        tx = self._tx
        for job in jobs:
            published = len(tx.outbox)
            await self._attempt(job)
            if job.error is not None:
                if tx.writes or tx.failure:
                    return False
                del tx.outbox[published:]
        return True

    async def _guarded(self, jobs: Sequence[Job]) -> bool:
        """Each with a savepoint; always True."""
        for job in jobs:
            for is_last in (False, True):
                await self._control("SAVEPOINT job")
                published = len(self._tx.outbox)
                await self._attempt(job)
                if job.error is None:
                    await self._control("RELEASE job")
                    break
                del self._tx.outbox[published:]
                await self._control("ROLLBACK TO job; RELEASE job")
                if is_last or not isinstance(self._tx.failure, UniqueViolation):
                    break
        return True

    async def _alone(self, job: Job) -> None:
        """In a transaction of its own, again after a collision, once again after a duplicate."""
        has_looked_again = False
        collisions = 0
        while True:
            try:
                await self._begin("BEGIN")
                await self._attempt(job)
                if job.error is None:
                    await self._commit()
                    return
                await self._rollback()
            except Collision as error:
                await self._rollback()
                job.error = error
                collisions += 1
                if collisions == COLLISIONS_MAX:
                    return
                continue
            except EmporionError as error:
                await self._give_up([job], error)
                return
            if has_looked_again or not isinstance(self._tx.failure, UniqueViolation):
                return
            has_looked_again = True

    async def _attempt(self, job: Job) -> None:
        """Run a job; its own error is kept in it. Raises Collision and Lost: they concern all."""
        assert self._session is not None  # noqa: S101 - begun
        tx = self._tx
        job.error = None
        try:
            job.result = await drive(job.work, tx, self._session.answer, context=job.context)
        except Exception as error:  # noqa: BLE001 - handed to the caller, who awaits this job
            job.error = error
        if isinstance(tx.failure, (Collision, Lost)):
            raise tx.failure
        if tx.failure is not None and job.error is None:
            job.error = tx.failure

    async def _begin(self, sql: str) -> None:
        """Raises Unavailable. A connection that died unnoticed is made again: nothing was done."""
        self._tx.begin()
        self._session = await self._link.session()
        try:
            await self._session.control(sql)
        except Lost:
            self._session = await self._link.session()
            await self._session.control(sql)

    async def _commit(self) -> None:
        """Raises OutcomeUnknown when the connection goes, Unavailable when it was refused."""
        assert self._session is not None  # noqa: S101 - begun
        if self._tx.outbox:
            rows = [(self._base + place, *row) for place, row in enumerate(self._tx.outbox)]
            await self._session.answer(Ask(Verb.MANY, PUBLISH, rows))
        try:
            done = await self._control("COMMIT")
        except Lost as error:
            raise OutcomeUnknown(f"{OutcomeUnknown.title}: {error}") from error
        if done != "COMMIT":
            raise Unavailable("PostgreSQL rolled a transaction back instead of committing it")
        self._has_published |= bool(self._tx.outbox)

    async def _rollback(self) -> None:
        with suppress(EmporionError):  # then the connection is gone, and what it did with it
            await self._control("ROLLBACK")

    async def _give_up(self, jobs: Sequence[Job], error: EmporionError) -> None:
        _log.error("a group commit of %d transactions failed: %s", len(jobs), error)
        self._link.cut()
        _fail(jobs, error)

    async def _control(self, sql: str) -> str:
        assert self._session is not None  # noqa: S101 - begun
        return await self._session.control(sql)

    def _is_late(self, job: Job) -> bool:
        if job.deadline_s >= self._clock.monotonic_s():
            return False
        job.error = DeadlineExceeded("the deadline passed before the transaction started")
        return True


def _fail(jobs: Sequence[Job], error: EmporionError) -> None:
    """All that had succeeded did not: nothing is reported durable that is not."""
    for job in jobs:
        if job.error is None:
            job.error = type(error)(error.detail)

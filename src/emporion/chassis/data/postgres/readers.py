"""Reads of committed state: one round trip where one statement is all, a snapshot otherwise."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar, cast

import msgspec

from emporion.chassis.data.database import Tx
from emporion.chassis.data.postgres.errors import Lost
from emporion.chassis.data.postgres.in_step import Locking, TooManyRounds, Walk, walk
from emporion.chassis.data.postgres.session import Link, Session
from emporion.chassis.data.postgres.transaction import PostgresTx
from emporion.chassis.data.watch import Waiting, tell_begun
from emporion.kernel.errors import EmporionError, Internal, ResourceExhausted, Unavailable

T = TypeVar("T")
Work = Callable[[Tx], Awaitable[T]]
WAITING_MAX = 10_000
TOGETHER_MAX = 128
KNOWN_MAX = 1_000
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Reading(msgspec.Struct, eq=False):
    """A read that waits for its turn, and then for its answer."""

    work: Work[Any]
    context: Context
    answer: asyncio.Future[Any]
    watched: Waiting | None = None


class Readers:
    """A bounded number of connections that read, made when they are first needed.

    Reads of the same code that wait together walk in step on one connection (see `in_step.py`);
    reads of other code, which may take long, hold them up no more than by a connection.

    A single statement is a snapshot by itself. Work that turns out to have two runs again from
    its start in a transaction, and so from then on: what matters is the code, not the call.

    Args:
        links: the connections; their sessions refuse writes.
        tx: makes a transaction.
    """

    def __init__(self, links: list[Link], tx: Callable[[], PostgresTx]) -> None:
        self._links = links
        self._idle = deque(links)
        self._waiting: dict[object, list[Reading]] = {}
        self._waiting_count = 0
        self._tx = tx
        self._needs_snapshot: set[object] = set()
        self._is_woken = False
        self._serving: dict[asyncio.Task[None], Sequence[Reading]] = {}

    async def run(self, work: Work[T], watched: Waiting | None = None) -> T:
        """See Database.read; `watched` is told when its turn has come."""
        if self._waiting_count >= WAITING_MAX:
            raise ResourceExhausted("too many reads wait for a connection")
        loop = asyncio.get_running_loop()
        reading = Reading(work, copy_context(), loop.create_future(), watched)
        self._waiting.setdefault(_code(work), []).append(reading)
        self._waiting_count += 1
        if not self._is_woken and self._idle:
            self._is_woken = True
            loop.call_soon(self._start, context=Context())  # what comes in this turn comes along
        answer: T = await reading.answer
        return answer

    async def close(self) -> None:
        """Close the connections; whoever waits is told that it is closed."""
        waiting, self._waiting = self._waiting, {}
        serving = dict(self._serving)
        for batch in (*waiting.values(), *serving.values()):
            _refuse(batch, Unavailable("the database is closed"))
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)
        for link in self._links:
            await link.close()

    def _start(self) -> None:
        """Give every idle connection what has waited longest."""
        self._is_woken = False
        while self._idle and self._waiting:
            code, waiting = next(iter(self._waiting.items()))
            batch, rest = waiting[:TOGETHER_MAX], waiting[TOGETHER_MAX:]
            del self._waiting[code]
            if rest:
                self._waiting[code] = rest
            self._waiting_count -= len(batch)
            wanted = [each for each in batch if not each.answer.done()]
            if wanted:
                tell_begun(wanted)
                serve = self._serve(self._idle.popleft(), code, wanted)
                task = asyncio.get_running_loop().create_task(serve)
                self._serving[task] = wanted
                watch = _Watch(task, wanted)
                for each in wanted:
                    each.answer.add_done_callback(watch.left)

    async def _serve(self, link: Link, code: object, batch: Sequence[Reading]) -> None:
        try:
            await self._on(link, code, batch)
        except asyncio.CancelledError:
            link.cut()  # in the middle of a statement: its answer must not meet the next one
        except Exception as error:  # noqa: BLE001 - handed to those who wait
            _refuse(batch, error)
        finally:
            task = asyncio.current_task()
            del self._serving[cast("asyncio.Task[None]", task)]
            self._idle.appendleft(link)
            self._start()

    async def _on(self, link: Link, code: object, batch: Sequence[Reading]) -> None:
        """A connection that died unnoticed is made again: a read may be repeated."""
        try:
            await self._read(await link.session(), code, batch)
        except Lost:
            if unanswered := [each for each in batch if not each.answer.done()]:
                await self._read(await link.session(), code, unanswered)

    async def _read(self, session: Session, code: object, batch: Sequence[Reading]) -> None:
        """Answer all; each by itself when together they cannot be. Raises what `session` does."""
        if len(batch) > 1:
            try:
                walks = await self._walked(session, code, batch)
            except Lost:
                raise
            except (EmporionError, Locking):
                await self._read_each(session, code, batch)
                return
        else:
            walks = await self._walked(session, code, batch)
        for each, done in zip(batch, walks, strict=True):
            if isinstance(done.error, Lost):
                raise done.error
            _tell(each, done)

    async def _read_each(self, session: Session, code: object, batch: Sequence[Reading]) -> None:
        for each in batch:
            try:
                await self._read(session, code, [each])
            except Lost:
                raise
            except Exception as error:  # noqa: BLE001 - handed to the one it belongs to
                _refuse([each], error)

    async def _walked(
        self, session: Session, code: object, batch: Sequence[Reading]
    ) -> Sequence[Walk]:
        if code not in self._needs_snapshot:
            walks = self._walks(batch)
            try:
                await walk(walks, session.answer_each, rounds_max=1)
            except TooManyRounds:
                # A second statement needs the snapshot that the first one was not in.
                if len(self._needs_snapshot) < KNOWN_MAX:
                    self._needs_snapshot.add(code)
            else:
                return walks
        await session.control(_SNAPSHOT)
        try:
            walks = self._walks(batch)
            await walk(walks, session.answer_each)
            return walks
        finally:
            if not session.is_lost:
                await session.control("ROLLBACK")

    def _walks(self, batch: Sequence[Reading]) -> Sequence[Walk]:
        # A copy: what ran in a context before is in it, and a read may run again.
        return [Walk(each.work, self._tx(), context=each.context.copy()) for each in batch]


class _Watch:
    """Stops a batch that nobody waits for any more."""

    def __init__(self, task: asyncio.Task[None], batch: Sequence[Reading]) -> None:
        self._task = task
        self._batch = batch

    def left(self, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled() and all(each.answer.cancelled() for each in self._batch):
            self._task.cancel()


def _refuse(batch: Sequence[Reading], error: Exception) -> None:
    for each in batch:
        if not each.answer.done():
            each.answer.set_exception(error)


def _tell(reading: Reading, done: Walk) -> None:
    answer = reading.answer
    if answer.done():
        return
    if done.error is not None:
        answer.set_exception(done.error)
    elif done.tx.outbox:
        answer.set_exception(Internal("a read published an event: writes are refused"))
    else:
        answer.set_result(done.result)


def _code(work: Any) -> object:
    """What two calls of the same work share."""
    while isinstance(work, partial):
        work = work.func
    work = getattr(work, "__func__", work)
    return getattr(work, "__code__", type(work))

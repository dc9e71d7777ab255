"""Reads of committed state: one round trip where one statement is all, a snapshot otherwise."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from emporion.chassis.data.database import Tx
from emporion.chassis.data.postgres.errors import Lost
from emporion.chassis.data.postgres.session import Link, Session
from emporion.chassis.data.postgres.transaction import Ask, PostgresTx, drive
from emporion.kernel.errors import Internal, ResourceExhausted

T = TypeVar("T")
Work = Callable[[Tx], Awaitable[T]]
WAITING_MAX = 10_000
KNOWN_MAX = 1_000
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _OneMore(Exception):
    """A second statement: it needs the snapshot that the first one was not in."""


class Readers:
    """A bounded number of connections that read, made when they are first needed.

    A single statement is a snapshot by itself. Work that turns out to have two runs again from
    its start in a transaction, and so from then on: what matters is the code, not the call.

    Args:
        links: the connections; their sessions refuse writes.
        tx: makes a transaction.
    """

    def __init__(self, links: list[Link], tx: Callable[[], PostgresTx]) -> None:
        self._links = links
        self._idle = deque(links)
        self._waiting: deque[asyncio.Future[Link]] = deque()
        self._tx = tx
        self._needs_snapshot: set[object] = set()

    async def run(self, work: Work[T]) -> T:
        """See Database.read."""
        link = await self._take()
        try:
            return await self._on(link, work)
        except asyncio.CancelledError:
            link.cut()  # in the middle of a statement: its answer must not meet the next one
            raise
        finally:
            self._give_back(link)

    async def close(self) -> None:
        """Close the connections."""
        for link in self._links:
            await link.close()

    async def _on(self, link: Link, work: Work[T]) -> T:
        """A connection that died unnoticed is made again: a read may be repeated."""
        try:
            return await self._read(await link.session(), work)
        except Lost:
            return await self._read(await link.session(), work)

    async def _read(self, session: Session, work: Work[T]) -> T:
        code = _code(work)
        if code not in self._needs_snapshot:
            try:
                return await self._drive(work, _Once(session).answer)
            except _OneMore:
                if len(self._needs_snapshot) < KNOWN_MAX:
                    self._needs_snapshot.add(code)
        await session.control(_SNAPSHOT)
        try:
            return await self._drive(work, session.answer)
        finally:
            if not session.is_lost:
                await session.control("ROLLBACK")

    async def _drive(self, work: Work[T], answer: Callable[[Ask], Awaitable[Any]]) -> T:
        tx = self._tx()
        result = await drive(work, tx, answer, context=copy_context())
        if tx.outbox:
            raise Internal("a read published an event: writes are refused")
        return result

    async def _take(self) -> Link:
        if self._idle:
            return self._idle.popleft()
        if len(self._waiting) >= WAITING_MAX:
            raise ResourceExhausted("too many reads wait for a connection")
        turn: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(turn.result())
            raise

    def _give_back(self, link: Link) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(link)
                return
        self._idle.appendleft(link)


class _Once:
    """Answers one statement, and no more."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_used = False

    async def answer(self, ask: Ask) -> Any:
        if self._is_used:
            raise _OneMore
        self._is_used = True
        return await self._session.answer(ask)


def _code(work: Any) -> object:
    """What two calls of the same work share."""
    while isinstance(work, partial):
        work = work.func
    work = getattr(work, "__func__", work)
    return getattr(work, "__code__", type(work))

"""Requests that set out together stay together: one message, statement and commit for all."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

HOLD_S: Final = 0.25
"""Nobody waits longer to set out, however long those on their way take."""
AHEAD: Final = 3
"""So many convoys of its size may be on their way when one sets out: with one, cores are idle while
all wait for the same answer."""


class Convoys:
    """Lets callers of one method set out in groups as large as those still on their way.

    Whoever comes sets out at once, with all who wait, when `ahead` times these are as many as are
    on their way. So a lone request never waits, and where many are under way at all times, they
    travel in `ahead` groups and one more, of one size: at each stop between here and the answer (a
    call to another process, a statement, a commit) a group wants the same, and it is done once for
    all of it. Without this they spread over the stops, and each stop works for few at a time.

    Waiting costs a request at most the time that those before it take, and at most `hold_s`.
    """

    __slots__ = ("_ahead", "_hold", "_hold_s", "_is_leaving", "_under_way", "_waiting")

    def __init__(self, *, ahead: int = AHEAD, hold_s: float = HOLD_S) -> None:
        self._ahead = ahead
        self._hold_s = hold_s
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_leaving = False
        self._hold: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def journey(self) -> AsyncIterator[None]:
        """Wait for the others before the block; the answer is there at its end."""
        await self._set_out()
        try:
            yield
        finally:
            self._arrive()

    async def _set_out(self) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        self._look(loop)
        if self._hold is None and not self._is_leaving:
            self._hold = loop.call_later(self._hold_s, self._leave)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._arrive()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _arrive(self) -> None:
        self._under_way -= 1
        if self._waiting:
            self._look(asyncio.get_running_loop())

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """All of this turn of the loop come along."""
        if not self._is_leaving and self._ahead * len(self._waiting) >= self._under_way:
            self._is_leaving = True
            loop.call_soon(self._leave)

    def _leave(self) -> None:
        self._is_leaving = False
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
                self._under_way += 1

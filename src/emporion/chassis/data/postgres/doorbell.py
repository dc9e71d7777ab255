"""Tells the other instances of a service that something was published, and hears it from them.

A hint, never a promise: it goes out after the commit, so that no commit waits for the lock that
NOTIFY takes over the whole server. Whoever misses one looks again by itself, rarely.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from emporion.chassis.data.postgres.errors import ERRORS
from emporion.chassis.data.postgres.session import Link, Session
from emporion.kernel.errors import EmporionError

_log = logging.getLogger(__name__)
CHANNEL = "emporion_published"
LINGER_S = 0.02
"""At most so often a second does it ring, however many commits published."""
RECONNECT_S_FIRST = 0.5
RECONNECT_S_MAX = 30.0
_FAILURES: tuple[type[Exception], ...] = (EmporionError, *ERRORS)


class Doorbell:
    """Listens on a connection of its own; makes it again when it was lost, and then rings once.

    Args:
        link: the connection.
        ring: called on the loop when another instance published.
    """

    def __init__(self, link: Link, ring: Callable[[], None]) -> None:
        self._link = link
        self._ring = ring
        self._listening: Session | None = None
        self._lost = asyncio.Event()
        self._rung = asyncio.Event()
        create = asyncio.get_running_loop().create_task
        self._tasks = [
            create(self._listen(), name="listen for published events"),
            create(self._tell(), name="tell of published events"),
        ]

    def published(self) -> None:
        """Something was published here: tell the others, soon."""
        self._rung.set()

    async def close(self) -> None:
        """Listen no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._link.close()

    async def _listen(self) -> None:
        pause_s = RECONNECT_S_FIRST
        has_been_lost = False
        while True:
            try:
                session = await self._link.session()
                session.connection.add_termination_listener(self._ended)
                await session.connection.add_listener(CHANNEL, self._heard)
            except _FAILURES as error:
                _log.warning(
                    "cannot listen for published events, again in %g s: %s", pause_s, error
                )
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RECONNECT_S_MAX)
                continue
            pause_s = RECONNECT_S_FIRST
            self._listening = session
            if has_been_lost:
                self._ring()
            if not session.is_lost:
                await self._lost.wait()
            self._lost.clear()
            self._listening = None
            has_been_lost = True

    async def _tell(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            session = self._listening
            if session is not None:
                with suppress(EmporionError):  # the listener makes it again
                    await session.control(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(LINGER_S)

    def _heard(self, connection: Any, pid: int, _channel: str, _payload: object) -> None:
        if pid != connection.get_server_pid():
            self._ring()

    def _ended(self, _connection: object) -> None:
        self._lost.set()

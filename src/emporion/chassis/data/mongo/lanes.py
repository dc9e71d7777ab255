"""Lets transactions of one process that write the same documents wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class Lanes:
    """A lock for each key that somebody holds or waits for.

    It saves transactions that would collide and run again; that nothing is lost rests on the
    engine, which sees the other processes too.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def holding(self, keys: Iterable[str]) -> AsyncIterator[None]:
        """Hold all keys; taken in their order, so that no two wait for each other."""
        async with AsyncExitStack() as held:
            for key in sorted(set(keys)):
                lock = self._locks.get(key)
                if lock is None:
                    lock = asyncio.Lock()
                    self._locks[key] = lock
                await held.enter_async_context(lock)
            yield

"""What is made when somebody asks for it first, and not before."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Makes a thing once: in a thread, so that orders go on meanwhile, or at once.

    Args:
        make: imports what it needs, and makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: T | None = None
        self._making: asyncio.Lock | None = None

    async def get(self) -> T:
        """The thing; whoever comes while it is made waits for it."""
        if self._made is None:
            self._making = self._making or asyncio.Lock()
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        return self._made

    def get_now(self) -> T:
        """The thing, made on the loop if it has to be."""
        if self._made is None:
            self._made = self._make()
        return self._made

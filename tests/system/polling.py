"""Waits for something to become true, with a deadline: the tests' only way to wait."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.02


class NeverHappened(AssertionError):
    """The deadline passed first."""


async def eventually(
    is_so: Callable[[], bool], *, within_s: float, what: str, every_s: float = POLL_S
) -> float:
    """Look until `is_so()`; how long that took, in seconds. Raises NeverHappened."""
    started_s = time.monotonic()
    while not is_so():
        if time.monotonic() - started_s > within_s:
            raise NeverHappened(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(every_s)
    return time.monotonic() - started_s

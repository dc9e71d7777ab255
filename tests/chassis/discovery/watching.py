"""Reading the changes that a resolver tells, one at a time."""

import asyncio
from collections.abc import Sequence

from emporion.chassis.discovery.resolver import Endpoint, Resolver

WAIT_S_MAX = 10.0


class Watch:
    """What a resolver tells about one service."""

    def __init__(self, resolver: Resolver, service: str) -> None:
        self._changes = resolver.changes(service)

    async def next(self) -> Sequence[Endpoint]:
        """The next state it tells."""
        async with asyncio.timeout(WAIT_S_MAX):
            return await anext(self._changes)

    async def tells_nothing(self, while_s: float) -> bool:
        """Whether nothing is told for so long; the watch is over then."""
        try:
            async with asyncio.timeout(while_s):
                await anext(self._changes)
        except TimeoutError:
            return True
        return False

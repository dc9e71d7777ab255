"""Instances that the topology names; they stay where they are."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from emporion.chassis.discovery.resolver import Endpoint


class StaticResolver:
    """Implements `Resolver` over a table."""

    def __init__(self, table: Mapping[str, Sequence[Endpoint]]) -> None:
        self._table = {service: tuple(endpoints) for service, endpoints in table.items()}

    async def endpoints(self, service: str) -> Sequence[Endpoint]:
        """Those of the table; none for an unknown service."""
        return self._table.get(service, ())

    async def changes(self, service: str) -> AsyncIterator[Sequence[Endpoint]]:
        """Those of the table, once."""
        yield self._table.get(service, ())
        await asyncio.Event().wait()

"""A subscriber on a real bus: publishers with real outboxes, and time that stands still."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Literal, Self

from emporion.chassis.data.database import Row, Tx, Value
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.events.outbox import owner_of
from emporion.chassis.runtime.assembly import Assembly, Needs
from emporion.chassis.testing.databases import (
    Engine,
    SqlDatabase,
    migrations_of,
    sql_database,
)
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Event
from tests.engines.timescale import TimescaleInTurn, timescale_database

PUBLISHED_TOGETHER = 256
OpenDatabase = SqlDatabase | TimescaleInTurn


class Follower:
    """A service that only follows events, its publishers, and the bus between them.

    Args:
        folder: where the databases are.
        engine: of the follower's; the publishers are on SQLite.
        name: the service.
        build: puts it together.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine | Literal["timescale"],
        name: str,
        build: Callable[[Needs], Assembly],
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._name = name
        self._build = build
        self._stack = AsyncExitStack()
        self._publishers: dict[str, SqlDatabase] = {}
        self.clock = ManualClock()
        self._runtime = manual_runtime(self.clock)
        self.database: OpenDatabase
        self.assembly: Assembly
        self.bus: InProcessBus

    async def __aenter__(self) -> Self:
        """Open everything."""
        self.database, self.assembly = await self._open(self._name)
        events: list[type[Event]] = [row.event for row in self.assembly.subscriptions]
        for source in sorted({owner_of(event) for event in events}):
            self._publishers[source] = await self._stack.enter_async_context(
                sql_database("sqlite", self._folder, source=source, runtime=self._runtime)
            )
        self.bus = self.new_bus(self.database, self.assembly)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        await self._stack.aclose()

    async def latecomer(self) -> tuple[OpenDatabase, Assembly]:
        """The same service on an empty database of its own, which has heard of nothing."""
        late = f"{self._name}_late"
        return await self._open(late)

    async def _open(self, source: str) -> tuple[OpenDatabase, Assembly]:
        if self._engine == "timescale":
            opened: AbstractAsyncContextManager[OpenDatabase] = timescale_database(
                self._folder, self._name, source, self._runtime
            )
        else:
            own = [migrations_of(self._name, self._engine)]
            opened = sql_database(
                self._engine, self._folder, own, source=source, runtime=self._runtime
            )
        database = await self._stack.enter_async_context(opened)
        nothing: Any = None
        needs = Needs(runtime=self._runtime, database=database, clients=nothing, sagas=nothing)
        return database, self._build(needs)

    def new_bus(self, database: OpenDatabase, assembly: Assembly) -> InProcessBus:
        """A bus from the publishers to the service on this database."""
        bus = InProcessBus(self._runtime)
        for source, publisher in self._publishers.items():
            bus.join(source, publisher, ())
        bus.join(self._name, database, assembly.subscriptions)
        return bus

    async def publish(self, events: Iterable[Event]) -> None:
        """Write events to the outboxes of those who announce them, in order."""
        rest = list(events)
        for first in range(0, len(rest), PUBLISHED_TOGETHER):
            await self._publish(rest[first : first + PUBLISHED_TOGETHER])

    async def _publish(self, events: Sequence[Event]) -> None:
        for source, publisher in self._publishers.items():
            own = [event for event in events if owner_of(type(event)) == source]

            async def work(tx: Tx, own: Sequence[Event] = own) -> None:
                for event in own:
                    await tx.publish(event)

            await publisher.transaction(work)

    async def tell(self, *events: Event) -> None:
        """Publish events, and deliver them."""
        await self.publish(events)
        await self.deliver()

    async def deliver(self) -> None:
        """Deliver whatever is due."""
        await self.bus.deliver_due()

    async def replay(self) -> None:
        """React to everything again, from the beginning."""
        for source in self._publishers:
            await self.bus.replay(self._name, source)
        await self.deliver()

    async def rows(self, sql: str, *args: Value) -> list[Row]:
        """What the service has stored."""
        return await self.database.read(lambda tx: tx.fetch(sql, *args))

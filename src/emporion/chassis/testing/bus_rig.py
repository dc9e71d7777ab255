"""A publisher, subscribers that note what they react to, and a bus between them, in manual time."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self

from emporion.chassis.calls.context import Call, current_call
from emporion.chassis.data.database import Database, Row, Tx
from emporion.chassis.events.bus import Bus
from emporion.chassis.events.inprocess import InProcessBus
from emporion.chassis.events.retry import BusConfig, RetryPolicy
from emporion.chassis.events.subscription import Received, Subscription, on
from emporion.chassis.testing.databases import Engine, SqlDatabase, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Event, EventSpec

PUBLISHER = "shop"
CONFIG = BusConfig(
    linger_s=0.0,
    batch_max=8,
    retry=RetryPolicy(first_s=1.0, max_s=3_600.0, give_up_after_s=6 * 3_600.0),
)
TABLE = (
    "CREATE TABLE IF NOT EXISTS effect (number {numbered}, event_id TEXT NOT NULL, "
    "key TEXT NOT NULL, step INTEGER NOT NULL, trace_id TEXT NOT NULL)"
)
NUMBERED = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgres": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
WRITE = "INSERT INTO effect (event_id, key, step, trace_id) VALUES (?, ?, ?, ?)"


class StepDone(Event, frozen=True, kw_only=True, gc=False):
    """The `step`-th thing that happened to `thing`."""

    SPEC = EventSpec("things.step_done", key="thing")

    thing: str
    step: int


class ThingClosed(Event, frozen=True, kw_only=True, gc=False):
    """Nobody subscribes to this one."""

    SPEC = EventSpec("things.closed", key="thing")

    thing: str


class Planted(Exception):
    """A failure that the test asked for."""


class Subscriber:
    """A service that notes each event in its own database, and fails when it is told to.

    `failing` are keys whose events fail after their effect was written; `is_broken` fails all.
    """

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.database = database
        self.failing: set[str] = set()
        self.is_broken = False
        self.attempts = 0
        self.calls: list[Call] = []

    @property
    def subscriptions(self) -> tuple[Subscription[Any], ...]:
        """Its table of reactions."""
        return (on(StepDone, self.react),)

    async def react(self, tx: Tx, received: Received[StepDone]) -> None:
        """Write the effect, then fail if asked to: the effect must not stay then."""
        self.attempts += 1
        call = current_call()
        self.calls.append(call)
        event = received.event
        trace_id = call.trace.trace_id
        await tx.execute(WRITE, received.event_id, event.thing, event.step, trace_id)
        if self.is_broken or event.thing in self.failing:
            raise Planted(event.thing)

    async def effects(self) -> list[tuple[str, int]]:
        """(key, step) of each effect, in the order in which they were written."""

        async def read(tx: Tx) -> list[Row]:
            return await tx.fetch("SELECT key, step FROM effect ORDER BY number")

        return [(row[0], row[1]) for row in await self.database.read(read)]

    async def steps(self, key: str) -> list[int]:
        """The steps of one key, in the order of their effects."""
        return [step for found, step in await self.effects() if found == key]


class DrivenBus(Bus, Protocol):
    """A bus that delivers when the test says so."""

    async def deliver_due(self) -> int | None:
        """Deliver until nothing is due; the instant of the next retry, or None."""
        ...

    def poke(self, source: str) -> None:
        """That service published something."""
        ...

    async def prune(self) -> int:
        """Delete what is past its time; how many rows."""
        ...


class BusRig:
    """A publisher, subscribers, a bus between them, and time in the test's hand.

    Args:
        publisher_on, subscribers_on: the engines of their databases.
        through: wraps the databases that the bus is given, to plant faults between the two.
    """

    def __init__(
        self,
        folder: Path,
        config: BusConfig = CONFIG,
        *,
        through: Callable[[Database], Database] = lambda database: database,
        publisher_on: Engine = "sqlite",
        subscribers_on: Engine = "sqlite",
    ) -> None:
        self._through = through
        self._publisher_on: Engine = publisher_on
        self._subscribers_on: Engine = subscribers_on
        self.folder = folder
        self.many = 1_000
        """Events that no subscriber handles at once; fewer where the broker is an emulator."""
        self.config = config
        self.clock = ManualClock()
        self.runtime = manual_runtime(self.clock)
        self.subscribers: dict[str, Subscriber] = {}
        self._stack = AsyncExitStack()
        self._publisher: SqlDatabase | None = None
        self._bus: DrivenBus | None = None

    async def __aenter__(self) -> Self:
        self._publisher = await self.open_database(PUBLISHER)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def open_database(self, name: str) -> SqlDatabase:
        """The database of a service, open until the rig is closed."""
        engine = self._publisher_on if name == PUBLISHER else self._subscribers_on
        return await self._stack.enter_async_context(
            sql_database(engine, self.folder, source=name, runtime=self.runtime)
        )

    @property
    def publisher(self) -> SqlDatabase:
        """The publisher's database."""
        assert self._publisher is not None  # noqa: S101 - the rig is entered before it is used
        return self._publisher

    @property
    def bus(self) -> Bus:
        """The bus, made at first use over everything subscribed by then."""
        return self._built()

    def _built(self) -> DrivenBus:
        if self._bus is None:
            self._bus = self.new_bus()
        return self._bus

    def new_bus(self) -> DrivenBus:
        """A further bus over the same databases: what another process would run."""
        bus = self._make_bus()
        bus.join(PUBLISHER, self._through(self.publisher), ())
        for each in self.subscribers.values():
            bus.join(each.name, self._through(each.database), each.subscriptions)
        return bus

    def _make_bus(self) -> DrivenBus:
        """The bus that is tried, before anybody joined."""
        return InProcessBus(self.runtime, self.config, owner_of=lambda _: PUBLISHER)

    async def subscribe(self, name: str) -> Subscriber:
        """A new subscriber; the bus starts again with it."""
        database = await self.open_database(name)
        table = TABLE.format(numbered=NUMBERED[database.engine])
        await database.transaction(lambda tx: tx.execute(table))
        self.subscribers[name] = Subscriber(name, database)
        self.restart()
        return self.subscribers[name]

    def restart(self) -> None:
        """The bus is gone without having been stopped, and made again."""
        self._bus = None

    async def publish(self, *events: Event) -> None:
        """Publish events in one transaction."""

        async def work(tx: Tx) -> None:
            for event in events:
                await tx.publish(event)

        await self.publisher.transaction(work)

    async def publish_steps(self, key: str, steps: Sequence[int]) -> None:
        """Publish steps of one key."""
        await self.publish(*[StepDone(thing=key, step=step) for step in steps])

    async def settle(self) -> int | None:
        """Deliver whatever is due now; when more is due."""
        return await self._built().deliver_due()

    async def pass_time(self, duration_s: float) -> None:
        """Deliver what falls due within that time, each at its instant."""
        end_ms = self.clock.now_ms() + round(duration_s * 1000)
        while (due_ms := await self.settle()) is not None and due_ms <= end_ms:
            self.clock.advance(max(due_ms - self.clock.now_ms(), 1) / 1000)
        self.clock.advance(max(end_ms - self.clock.now_ms(), 0) / 1000)
        await self.settle()

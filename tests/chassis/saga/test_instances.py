"""Sagas of several instances on one database: one driver each, and none is left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emporion.chassis.data.database import Database, Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga, local, step
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.port import Outcome, SagaState, Start
from emporion.chassis.saga.recovery import LOOK_AGAIN_MS
from emporion.chassis.saga.tenure import GRACE_MS, LEASE_MS, LOOK_AROUND_MS
from emporion.chassis.testing.databases import postgres_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Empty, Message, Request
from emporion.kernel.errors import Unavailable


class Trip(Message, frozen=True, kw_only=True):
    name: str


class Book(Request, frozen=True, kw_only=True):
    name: str


class Agency:
    """A remote service that answers when it is let, and counts how many ask at once."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_down = False
        self.asked = asyncio.Event()
        self.booked: list[str] = []
        self.asking = 0
        self.asking_max = 0

    async def book(self, request: Book) -> Empty:
        self.asking += 1
        self.asking_max = max(self.asking_max, self.asking)
        self.asked.set()
        try:
            await self.is_open.wait()
            if self.is_down:
                raise Unavailable("no answer")
            if request.name not in self.booked:
                self.booked.append(request.name)
        finally:
            self.asking -= 1
        return Empty()


class Instances:
    """Instances of a service on one database, before one agency, in one time."""

    def __init__(self, folder: Path, runtime: Runtime, clock: ManualClock) -> None:
        self.folder = folder
        self.runtime = runtime
        self.clock = clock
        self.agency = Agency()
        self.saga = Saga(
            "trip",
            version=1,
            input=Trip,
            steps=(
                local("note", do=self._note),
                step("book", request=lambda trip: Book(name=trip.name), do=self.agency.book),
            ),
        )

    async def _note(self, tx: Tx, trip: Trip) -> None:
        pass

    @asynccontextmanager
    async def instance(self, name: str) -> AsyncIterator[SagaEngine]:
        async with postgres_database(self.folder, runtime=self.runtime) as database:
            yield self.engine(name, database)

    def engine(self, name: str, database: Database) -> SagaEngine:
        engine = SagaEngine("test", database, self.runtime, instance=name)
        engine.register([self.saga])
        return engine

    async def go(self, engine: SagaEngine, name: str = "t", *, wait_s: float = 0.0) -> Outcome:
        start = Start(f"id-{name}", Trip(name=name), name, b"")
        return await engine.run(self.saga, start, wait_s=wait_s)

    async def begin(self, engine: SagaEngine, name: str = "t") -> asyncio.Task[Outcome]:
        """Have it stand at the agency's counter."""
        self.agency.is_open.clear()
        driving = asyncio.ensure_future(self.go(engine, name))
        await self.agency.asked.wait()
        return driving

    def pass_ms(self, duration_ms: int) -> None:
        self.clock.advance(duration_ms / 1000)


@pytest.fixture
def service(tmp_path: Path) -> Instances:
    clock = ManualClock()
    return Instances(tmp_path, manual_runtime(clock), clock)


async def test_a_saga_that_one_drives_is_left_alone_by_the_other(service: Instances) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        driving = await service.begin(one)
        await other.recover()
        service.pass_ms(LEASE_MS - 1)
        await other.run_due()
        assert service.agency.asking_max == 1

        service.agency.is_open.set()
        assert (await driving).state is SagaState.COMPLETED


async def test_its_driver_keeps_it_for_as_long_as_it_takes(service: Instances) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        driving = await service.begin(one)
        for _ in range(8):
            service.pass_ms(LOOK_AROUND_MS)
            assert await one.run_due() is not None
            await other.run_due()
        assert service.agency.asking_max == 1

        service.agency.is_open.set()
        assert (await driving).state is SagaState.COMPLETED


class Slow:
    """A database whose next transaction begins when it is let."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.read = database.read
        self.begin: asyncio.Event | None = None

    async def transaction(self, work):
        begin, self.begin = self.begin, None
        if begin is not None:
            await begin.wait()
        return await self._database.transaction(work)


async def test_a_saga_put_off_while_it_is_renewed_does_not_wait_for_its_lease(
    service: Instances,
) -> None:
    """Defect: the renewal wrote over when it was to go on, and it lay for thirty seconds."""
    async with postgres_database(service.folder, runtime=service.runtime) as database:
        slow = Slow(database)
        one = service.engine("one", slow)  # type: ignore[arg-type]
        driving = await service.begin(one)
        service.pass_ms(LEASE_MS - LOOK_AROUND_MS)
        slow.begin = renewed = asyncio.Event()
        looking = asyncio.ensure_future(one.run_due())
        await asyncio.sleep(0)  # it knows whom to renew
        service.agency.is_down = True
        service.agency.is_open.set()
        assert (await driving).state is SagaState.RUNNING
        renewed.set()
        due_ms = await looking
        assert due_ms is not None
        assert due_ms - service.clock.now_ms() <= LOOK_AGAIN_MS

        service.agency.is_down = False
        service.pass_ms(LOOK_AGAIN_MS)
        await one.run_due()

        assert service.agency.booked == ["t"]


async def test_what_a_dead_instance_left_is_taken_up_by_one_of_the_others(
    service: Instances,
) -> None:
    async with (
        service.instance("dead") as dead,
        service.instance("one") as one,
        service.instance("other") as other,
    ):
        driving = await service.begin(dead)
        service.pass_ms(LEASE_MS + GRACE_MS)
        service.agency.asked.clear()
        waking = asyncio.gather(one.run_due(), other.run_due())
        await service.agency.asked.wait()
        service.agency.is_open.set()
        await waking

        outcome = await service.go(one)
        assert outcome.state is SagaState.COMPLETED
        assert service.agency.booked == ["t"]
        assert service.agency.asking_max == 2  # the dead one, and one of the two
        await driving


async def test_an_instance_that_comes_back_takes_up_its_own_at_once(service: Instances) -> None:
    async with service.instance("one") as dead, service.instance("one") as again:
        driving = await service.begin(dead)
        service.agency.asked.clear()
        await again.recover()
        waking = asyncio.ensure_future(again.run_due())
        await service.agency.asked.wait()
        service.agency.is_open.set()
        await waking
        assert (await service.go(again)).state is SagaState.COMPLETED
        await driving


async def test_what_a_stopping_instance_leaves_is_due_for_the_others_at_once(
    service: Instances,
) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        service.agency.is_down = True
        assert (await service.go(one)).state is SagaState.RUNNING
        service.agency.is_down = False
        await other.run_due()
        assert service.agency.booked == []

        await one.release()
        await other.run_due()
        assert service.agency.booked == ["t"]


async def test_who_asks_another_instance_again_gets_the_outcome(service: Instances) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        driving = await service.begin(one)
        asking = asyncio.ensure_future(service.go(other, wait_s=30.0))
        await service.clock.run(1.0)
        assert not asking.done()

        service.agency.is_open.set()
        await driving
        while not asking.done():
            await service.clock.run(0.5)
            await asyncio.sleep(0.01)  # the look of the other one takes real time
        assert (await asking).state is SagaState.COMPLETED
        assert service.agency.asking_max == 1


async def test_who_asks_another_instance_waits_no_longer_than_it_said(service: Instances) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        driving = await service.begin(one)
        assert (await service.go(other, wait_s=0.0)).state is SagaState.RUNNING
        service.agency.is_open.set()
        await driving


async def test_many_sagas_of_many_instances_are_each_done_once(service: Instances) -> None:
    async with service.instance("one") as one, service.instance("other") as other:
        service.agency.is_down = True
        await asyncio.gather(*(service.go(one if n % 2 else other, f"t{n}") for n in range(30)))
        service.agency.is_down = False
        for _ in range(8):
            service.pass_ms(LEASE_MS + GRACE_MS)
            await asyncio.gather(one.run_due(), other.run_due())
        assert sorted(service.agency.booked) == sorted(f"t{n}" for n in range(30))

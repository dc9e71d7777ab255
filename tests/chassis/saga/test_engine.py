"""The saga engine: every effect once or none at all, whatever fails, wherever, how often."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import product
from pathlib import Path

import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.runtime.ports import Runtime
from emporion.chassis.saga.definition import Saga, local, step
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.port import KeyConflict, Outcome, SagaState, Start
from emporion.chassis.saga.recovery import pause_s_after
from emporion.chassis.testing.databases import Engine, SqlDatabase, sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.contract import Empty, Message, Request
from emporion.kernel.errors import (
    DeadlineExceeded,
    EmporionError,
    FailedPrecondition,
    InvalidArgument,
    Unavailable,
)


class Trip(Message, frozen=True, kw_only=True):
    name: str


class Book(Request, frozen=True, kw_only=True):
    name: str


class Full(FailedPrecondition):
    slug = "full"


class Undone(FailedPrecondition):
    slug = "undone"


class Agency:
    """A remote service: idempotent by name, keeps a tombstone for what was undone."""

    def __init__(self) -> None:
        self.booked: set[str] = set()
        self.undone: set[str] = set()
        self.bookings = 0
        self.faults: list[tuple[str, str, Exception]] = []

    def fail(self, where: str, when: str, error: Exception, *, times: int = 1) -> None:
        """Fail `do` or `undo`, `before` or `after` its effect."""
        self.faults += [(where, when, error)] * times

    def _fault(self, where: str, when: str) -> None:
        for fault in self.faults:
            if fault[:2] == (where, when):
                self.faults.remove(fault)
                raise fault[2]

    async def do(self, request: Book) -> Empty:
        self._fault("do", "before")
        if request.name in self.undone:
            raise Undone
        if request.name not in self.booked:
            self.booked.add(request.name)
            self.bookings += 1
        self._fault("do", "after")
        return Empty()

    async def undo(self, request: Book) -> Empty:
        self._fault("undo", "before")
        self.booked.discard(request.name)
        self.undone.add(request.name)
        self._fault("undo", "after")
        return Empty()


class Frail:
    """A real database that goes away: after so many writes, or for readers as well."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self.writes_left = 1_000
        self.is_readable = True

    async def transaction(self, work):
        if not self.writes_left:
            raise Unavailable
        self.writes_left -= 1
        return await self._database.transaction(work)

    async def read(self, work):
        if not self.is_readable:
            raise Unavailable
        return await self._database.read(work)


class World:
    """An engine over a real database, two remote services, and local steps counted in a table."""

    def __init__(self, database: SqlDatabase, runtime: Runtime) -> None:
        self.database = database
        self.frail = Frail(database)
        self.runtime = runtime
        self.flight, self.hotel = Agency(), Agency()
        self.saga = self._saga()
        self.engine = self.new_engine()

    def _saga(self) -> Saga[Trip]:
        def request(trip: Trip) -> Book:
            return Book(name=trip.name)

        return Saga(
            "trip",
            version=1,
            input=Trip,
            steps=(
                local("open", do=self._open, undo=self._reject),
                step("flight", request=request, do=self.flight.do, undo=self.flight.undo),
                step("hotel", request=request, do=self.hotel.do, undo=self.hotel.undo),
                local("confirm", do=self._confirm),
            ),
            refusals=(Full, Undone),
        )

    def new_engine(self) -> SagaEngine:
        """As after a restart: it knows nothing but what is stored."""
        engine = SagaEngine("test", self.frail, self.runtime)  # type: ignore[arg-type]
        engine.register([self.saga])
        return engine

    async def _open(self, tx: Tx, trip: Trip) -> None:
        await tx.execute("INSERT INTO trip VALUES (?, 'open')", trip.name)

    async def _confirm(self, tx: Tx, trip: Trip) -> None:
        assert await tx.execute(
            "UPDATE trip SET state = 'confirmed' WHERE name = ? AND state = 'open'", trip.name
        )

    async def _reject(self, tx: Tx, trip: Trip, refusal: EmporionError) -> None:
        assert await tx.execute(
            "UPDATE trip SET state = ? WHERE name = ? AND state = 'open'", refusal.slug, trip.name
        )

    async def go(self, name: str = "t", *, key: str = "", wait_s: float = 0.0) -> Outcome:
        start = Start(f"id-{name}", Trip(name=name), key or name, name.encode())
        return await self.engine.run(self.saga, start, wait_s=wait_s)

    async def state(self, name: str = "t") -> str:
        async def work(tx: Tx) -> str:
            row = await tx.fetch_one("SELECT state FROM trip WHERE name = ?", name)
            return row[0] if row else "none"

        return await self.database.read(work)

    async def pause_ms(self) -> int:
        """How long the one saga waits from now."""

        async def work(tx: Tx) -> int:
            row = await tx.fetch_one("SELECT next_at_ms FROM saga")
            assert row is not None
            return int(row[0]) - self.runtime.clock.now_ms()

        return await self.database.read(work)

    async def run_until_terminal(self, name: str = "t") -> Outcome:
        """Let the alarm work in manual time until the saga is over."""
        for _ in range(40):
            await self.engine.run_due()
            outcome = await self.engine.join(name, name.encode(), wait_s=30)
            assert outcome is not None
            if outcome.is_terminal:
                return outcome
            assert isinstance(self.runtime.clock, ManualClock)
            self.runtime.clock.advance(400)
        raise AssertionError("the saga never ended")

    def is_all_or_nothing(self, name: str, state: SagaState) -> bool:
        booked = [name in agency.booked for agency in (self.flight, self.hotel)]
        return all(booked) if state is SagaState.COMPLETED else not any(booked)


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Callable[[], object]:
    @asynccontextmanager
    async def open_world() -> AsyncIterator[World]:
        runtime = manual_runtime()
        async with sql_database(engine, tmp_path, runtime=runtime) as database:

            async def create(tx: Tx) -> None:
                await tx.execute("CREATE TABLE trip (name TEXT PRIMARY KEY, state TEXT NOT NULL)")

            await database.transaction(create)
            yield World(database, runtime)

    return open_world


async def test_when_nothing_fails_every_step_is_done_once(world) -> None:
    async with world() as w:
        outcome = await w.go()
        assert outcome.state is SagaState.COMPLETED
        assert await w.state() == "confirmed"
        assert (w.flight.bookings, w.hotel.bookings) == (1, 1)


async def test_a_refusal_undoes_what_was_done_and_is_told_again_to_a_repeated_start(world) -> None:
    async with world() as w:
        w.hotel.fail("do", "before", Full("no room", sku="x"))
        outcome = await w.go()
        assert outcome.state is SagaState.REFUSED
        assert isinstance(outcome.refusal, Full)
        assert w.flight.booked == set()
        assert w.hotel.undone == set()  # it refused: there was nothing to undo
        assert await w.state() == "full"
        again = await w.go()
        assert again.state is SagaState.REFUSED
        assert again.refusal is not None
        assert (again.refusal.slug, again.refusal.fields) == ("full", {"sku": "x"})


@pytest.mark.parametrize(
    ("agency", "when", "error", "times"),
    [
        *product(
            ("flight", "hotel"),
            ("before", "after"),
            (Unavailable(), DeadlineExceeded(), RuntimeError("defect")),
            (1, 3),
        )
    ],
)
async def test_an_unknown_outcome_is_retried_with_the_same_key_until_it_is_known(
    world, *, agency: str, when: str, error: Exception, times: int
) -> None:
    async with world() as w:
        getattr(w, agency).fail("do", when, error, times=times)
        outcome = await w.go()
        assert outcome.state is SagaState.RUNNING
        outcome = await w.run_until_terminal()
        assert outcome.state is SagaState.COMPLETED
        assert (w.flight.bookings, w.hotel.bookings) == (1, 1)
        assert await w.state() == "confirmed"


async def test_a_step_that_keeps_failing_is_tried_ever_more_rarely_behind_others_that_go_well(
    world,
) -> None:
    async with world() as w:
        w.hotel.fail("do", "before", Unavailable(), times=12)
        await w.go()
        pauses_ms = [await w.pause_ms()]
        for _ in range(11):
            w.runtime.clock.advance(pauses_ms[-1])
            await w.engine.run_due()
            pauses_ms.append(await w.pause_ms())
        for attempts, pause_ms in enumerate(pauses_ms, 1):
            assert 0.8 <= pause_ms / (1_000 * pause_s_after(attempts)) <= 1.2


@pytest.mark.parametrize(
    ("agency", "when", "times"), [*product(("flight", "hotel"), ("before", "after"), (1, 2, 5))]
)
async def test_an_undo_that_fails_is_repeated_until_it_is_done(
    world, *, agency: str, when: str, times: int
) -> None:
    async with world() as w:
        w.hotel.fail("do", "after", Unavailable())
        w.hotel.fail("do", "before", Full())
        getattr(w, agency).fail("undo", when, Unavailable(), times=times)
        await w.go()
        w.hotel.faults = [f for f in w.hotel.faults if f[0] == "undo"] + [("do", "before", Full())]
        outcome = await w.run_until_terminal()
        assert outcome.state is SagaState.REFUSED
        assert w.is_all_or_nothing("t", outcome.state)


async def test_a_step_refused_after_a_doubtful_attempt_is_undone_too(world) -> None:
    """The first attempt may still arrive: its undo must leave a tombstone for it to find."""
    async with world() as w:
        w.hotel.fail("do", "before", DeadlineExceeded())
        await w.go()
        w.hotel.fail("do", "before", Full())
        outcome = await w.run_until_terminal()
        assert outcome.state is SagaState.REFUSED
        assert w.hotel.undone == {"t"}
        with pytest.raises(Undone):
            await w.hotel.do(Book(name="t"))


@pytest.mark.parametrize(
    ("agency", "where", "when"),
    [*product(("flight", "hotel"), ("do", "undo"), ("before", "after"))],
)
async def test_a_crash_at_any_remote_step_is_recovered(
    world, *, agency: str, where: str, when: str
) -> None:
    """A crash is a cancellation nobody handles, and an engine that starts with nothing."""
    async with world() as w:
        if where == "undo":
            w.hotel.fail("do", "before", Full())
        getattr(w, agency).fail(where, when, asyncio.CancelledError())
        with suppress(asyncio.CancelledError):
            await w.go()
        w.engine = w.new_engine()
        await w.engine.recover()
        outcome = await w.run_until_terminal()
        assert w.is_all_or_nothing("t", outcome.state)
        assert w.flight.bookings <= 1
        assert w.hotel.bookings <= 1


async def test_an_interrupted_saga_goes_on_without_a_restart(world) -> None:
    async with world() as w:
        w.hotel.fail("do", "after", asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await w.go()
        await w.engine.run_due()
        assert await w.state() == "confirmed"


async def test_a_saga_whose_failed_attempt_cannot_be_stored_is_tried_again_without_its_lease(
    world,
) -> None:
    """Defect: with the database away meanwhile it lay for thirty seconds from its start."""
    async with world() as w:
        w.hotel.fail("do", "before", Unavailable())
        w.frail.writes_left = 1
        outcome = await w.go()
        assert outcome.state is SagaState.RUNNING
        assert await w.pause_ms() > 20_000, "the row does not know"

        w.frail.writes_left = 1_000
        w.runtime.clock.advance(1)
        await w.engine.run_due()

        assert await w.state() == "confirmed"


async def test_a_saga_cut_short_is_not_forgotten_by_a_look_that_fails(world) -> None:
    async with world() as w:
        w.hotel.fail("do", "after", asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await w.go()
        w.frail.is_readable = False
        with pytest.raises(Unavailable):
            await w.engine.run_due()

        w.frail.is_readable = True
        await w.engine.run_due()

        assert await w.state() == "confirmed"


async def test_a_saga_that_can_never_be_stored_is_not_tried_all_the_time(world) -> None:
    async with world() as w:
        w.hotel.fail("do", "before", Unavailable(), times=3)
        w.frail.writes_left = 1
        await w.go()

        due_ms = await w.engine.run_due()

        assert len(w.hotel.faults) == 2, "it was tried once"
        assert due_ms > w.runtime.clock.now_ms()


def test_a_step_is_tried_every_two_seconds_at_first_then_ever_more_rarely() -> None:
    """A killed peer is back within seconds; one that is not needs no haste."""
    pauses = [pause_s_after(attempts) for attempts in range(1, 17)]

    assert pauses[:8] == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert pauses[8:] == [4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0]
    assert pause_s_after(1_000_000) == 300.0


async def test_one_key_starts_one_saga_however_many_ask_at_once(world) -> None:
    async with world() as w:
        starts = [Start(f"id-{i}", Trip(name="t"), "key", b"same") for i in range(20)]
        outcomes = await asyncio.gather(
            *(w.engine.run(w.saga, start, wait_s=5) for start in starts)
        )
        assert {outcome.saga_id for outcome in outcomes} == {"id-0"}
        assert all(outcome.state is SagaState.COMPLETED for outcome in outcomes)
        assert w.flight.bookings == 1


async def test_a_key_used_for_something_else_is_refused(world) -> None:
    async with world() as w:
        await w.go("a", key="k")
        with pytest.raises(KeyConflict):
            await w.engine.run(w.saga, Start("id-b", Trip(name="b"), "k", b"other"), wait_s=0)
        assert await w.state("b") == "none"


async def test_a_failing_first_step_stores_nothing_and_frees_the_key(world) -> None:
    """Defect 3: a stored key must hold a real outcome; a failed start holds none."""
    async with world() as w:

        async def also(_tx: Tx) -> None:
            raise InvalidArgument

        start = Start("id-t", Trip(name="t"), "k", b"t", also)
        with pytest.raises(InvalidArgument):
            await w.engine.run(w.saga, start, wait_s=0)
        assert await w.state() == "none"
        assert w.engine.active == 0
        outcome = await w.engine.run(w.saga, Start("id-t", Trip(name="t"), "k", b"t"), wait_s=0)
        assert outcome.state is SagaState.COMPLETED


async def test_the_input_is_erased_when_the_saga_is_over(world) -> None:
    async with world() as w:
        await w.go()

        async def work(tx: Tx) -> object:
            return await tx.fetch("SELECT input FROM saga")

        assert await w.database.read(work) == [(b"",)]


async def test_a_saga_of_an_unknown_version_is_left_alone_and_does_not_spin(world) -> None:
    async with world() as w:
        w.hotel.fail("do", "before", Unavailable())
        await w.go()
        w.engine = SagaEngine("test", w.database, w.runtime)
        await w.engine.recover()
        due_ms = await w.engine.run_due()
        assert due_ms is not None
        assert due_ms > w.runtime.clock.now_ms()

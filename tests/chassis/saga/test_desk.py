"""What an operator sees of the sagas of a service, and what can be done about one."""

from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import apsw
import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.data.deeds import Deed, Deeds
from emporion.chassis.saga import desk
from emporion.chassis.saga.definition import Saga, local
from emporion.chassis.saga.desk import NotCompensable, SagaDesk, Wanted
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.journal import Deferral, defer
from emporion.chassis.saga.port import SagaState, Start
from emporion.chassis.testing.databases import Engine, sql_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import Message
from emporion.kernel.errors import EmporionError, Unavailable


class Trip(Message, frozen=True, kw_only=True):
    """What is booked."""


class Bureau:
    """An engine whose second step fails while `is_shut`, and its desk."""

    def __init__(self, database, runtime):
        self.runtime = runtime
        self.is_shut = True
        steps = (local("note", do=self._note), local("book", do=self._book))
        self.saga = Saga("trip", version=1, input=Trip, steps=steps)
        self.engine = SagaEngine("test", database, runtime)
        self.engine.register([self.saga])
        self.poked = 0
        self.desk = SagaDesk(database, [self.saga], self._poke)

    async def _note(self, tx: Tx, trip: Trip) -> None:
        pass

    async def _book(self, tx: Tx, trip: Trip) -> None:
        if self.is_shut:
            raise Unavailable("the bureau is shut")

    def _poke(self) -> None:
        self.poked += 1

    async def go(self, saga_id: str) -> None:
        await self.engine.run(self.saga, Start(saga_id, Trip(), saga_id, b""), wait_s=0)


@pytest.fixture
async def bureau(engine: Engine, tmp_path: Path) -> AsyncIterator[Bureau]:
    runtime = manual_runtime()
    async with sql_database(engine, tmp_path, runtime=runtime) as database:
        yield Bureau(database, runtime)


async def test_an_open_saga_tells_its_step_its_attempts_and_why_it_waits(bureau):
    await bureau.go("trip_1")

    (standing,) = (await bureau.desk.open_page(limit=10, cursor="")).sagas

    assert (standing.saga_id, standing.name, standing.state) == ("trip_1", "trip", "running")
    assert (standing.step, standing.attempts) == ("book", 1)
    assert "the bureau is shut" in standing.last_error
    assert standing.next_at_ms is not None
    assert standing.next_at_ms > bureau.runtime.clock.now_ms()


async def test_every_open_saga_is_on_one_page_the_next_due_first(bureau):
    for number in range(7):
        await bureau.go(f"trip_{number}")
    found, cursor, due = [], "", []
    while True:
        page = await bureau.desk.open_page(limit=3, cursor=cursor)
        found += [standing.saga_id for standing in page.sagas]
        due += [standing.next_at_ms for standing in page.sagas]
        cursor = page.next_cursor
        if not cursor:
            break

    assert sorted(found) == [f"trip_{number}" for number in range(7)]
    assert due == sorted(due)


async def test_a_saga_that_is_over_is_among_all_and_not_among_the_open(bureau):
    bureau.is_shut = False
    for number in range(5):
        await bureau.go(f"trip_{number}")

    first = await bureau.desk.page(limit=3, cursor="")
    second = await bureau.desk.page(limit=3, cursor=first.next_cursor)

    assert (await bureau.desk.open_page(limit=10, cursor="")).sagas == ()
    ids = [standing.saga_id for standing in (*first.sagas, *second.sagas)]
    assert ids == ["trip_4", "trip_3", "trip_2", "trip_1", "trip_0"]
    assert second.next_cursor == ""
    assert {standing.state for standing in first.sagas} == {SagaState.COMPLETED}
    assert {standing.next_at_ms for standing in first.sagas} == {None}


async def test_a_saga_made_due_is_tried_now_and_not_in_a_while(bureau):
    await bureau.go("trip_1")
    bureau.is_shut = False
    await bureau.engine.run_due()
    waiting = await bureau.desk.find("trip_1")

    is_open = await bureau.desk.make_due("trip_1", now_ms=bureau.runtime.clock.now_ms())
    await bureau.engine.run_due()

    done = await bureau.desk.find("trip_1")
    assert waiting is not None
    assert waiting.state is SagaState.RUNNING
    assert is_open
    assert bureau.poked == 1
    assert done is not None
    assert done.state is SagaState.COMPLETED


async def test_what_is_over_or_unknown_is_not_made_due(bureau):
    bureau.is_shut = False
    await bureau.go("trip_1")

    assert not await bureau.desk.make_due("trip_1", now_ms=0)
    assert not await bureau.desk.make_due("trip_2", now_ms=0)
    assert await bureau.desk.find("trip_2") is None
    assert bureau.poked == 0


async def test_a_foreign_cursor_is_a_value_error(bureau):
    with pytest.raises(ValueError, match="invalid literal"):
        await bureau.desk.open_page(limit=1, cursor="nonsense")


async def test_a_saga_whose_definition_is_gone_is_still_shown(bureau):
    await bureau.go("trip_1")
    stranger = SagaDesk(bureau.engine._database, [], bureau._poke)

    (standing,) = (await stranger.open_page(limit=10, cursor="")).sagas

    assert standing.step == "step 1"


@pytest.mark.parametrize("sql", [desk.LIST_OPEN, desk.LIST_ALL, desk.FIND, desk.MAKE_DUE])
def test_a_statement_of_the_desk_neither_scans_nor_sorts(sql):
    connection = apsw.Connection(":memory:")
    folder = files("emporion.chassis.data.migrations") / "sqlite"
    connection.execute((folder / "0001_events_sagas_keys.sql").read_text())
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?")).fetchall()

    steps = [str(row[3]) for row in plan]
    assert [step for step in steps if "SCAN" in step or "B-TREE" in step] == []


class Journey(Bureau):
    """Three steps with undos, and a last one in the saga's own database."""

    def __init__(self, database, runtime):
        super().__init__(database, runtime)
        self.undone: list[str] = []
        steps = (
            local("note", do=self._note, undo=self._unnote),
            local("book", do=self._book, undo=self._unbook),
            local("confirm", do=self._note),
        )
        self.saga = Saga("journey", version=1, input=Trip, steps=steps)
        self.engine.register([self.saga])
        self.desk = SagaDesk(database, [self.saga], self._poke)

    async def _unnote(self, tx: Tx, trip: Trip, refusal: EmporionError) -> None:
        self.undone.append(f"note: {refusal.slug}: {refusal.detail}")

    async def _unbook(self, tx: Tx, trip: Trip, refusal: EmporionError) -> None:
        self.undone.append("book")


def why(action: str, subject: str) -> Deed:
    return Deed("deed_1", 5, "usr_1", "", action, subject, "it rains", "")


@pytest.fixture
async def journey(engine: Engine, tmp_path: Path) -> AsyncIterator[Journey]:
    runtime = manual_runtime()
    async with sql_database(engine, tmp_path, runtime=runtime) as database:
        yield Journey(database, runtime)


async def test_calling_a_saga_off_undoes_every_step_also_one_of_unknown_outcome(journey):
    await journey.go("trip_1")
    standing = await journey.desk.find("trip_1")
    deed = why("compensate", "trip_1")

    assert await journey.desk.call_off(standing, deed)
    assert not await journey.desk.call_off(standing, deed)
    assert journey.poked == 1
    await journey.engine.recover()
    await journey.engine.run_due()

    assert journey.undone == ["book", "note: called-off: called off by the shop"], "not why"
    found = await journey.desk.find("trip_1")
    assert (found.state, found.next_at_ms) == (SagaState.REFUSED, None)
    assert await Deeds(journey.engine._database).page("", 10) == [deed]
    assert not await journey.desk.call_off(found, deed), "what is over stays over"


async def test_an_attempt_that_ends_after_the_saga_was_called_off_changes_nothing_of_that(journey):
    """The driver's own note of its failure must not turn the saga back to where it was."""
    await journey.go("trip_1")
    standing = await journey.desk.find("trip_1")
    assert await journey.desk.call_off(standing, why("compensate", "trip_1"))
    called_off = await journey.desk.find("trip_1")

    late = Deferral(1, 7, "too late", 10**15, SagaState.RUNNING)
    await journey.engine._database.transaction(lambda tx: defer(tx, "trip_1", late, now_ms=9))

    assert await journey.desk.find("trip_1") == called_off


async def test_a_saga_with_a_step_that_cannot_be_undone_is_not_called_off(bureau):
    await bureau.go("trip_1")
    standing = await bureau.desk.find("trip_1")
    with pytest.raises(NotCompensable, match="'note' cannot be undone"):
        await bureau.desk.call_off(standing, why("compensate", "trip_1"))
    assert (await bureau.desk.find("trip_1")).state is SagaState.RUNNING


async def test_a_retry_is_written_down_with_it_and_not_without(journey):
    await journey.go("trip_1")
    deeds = Deeds(journey.engine._database)
    assert await journey.desk.make_due("trip_1", now_ms=5, deed=why("retry", "trip_1"))
    assert not await journey.desk.make_due("trip_2", now_ms=5, deed=why("retry", "trip_2"))
    assert await deeds.page("", 10) == [why("retry", "trip_1")]


async def test_sagas_are_narrowed_by_name_state_and_failed_attempts(journey):
    await journey.go("trip_1")
    for wanted, count in (
        (Wanted(), 1),
        (Wanted("journey", "running", 1), 1),
        (Wanted("trip"), 0),
        (Wanted("", "compensating"), 0),
        (Wanted(attempts_min=2), 0),
    ):
        for turn in (journey.desk.open_page, journey.desk.page):
            assert len((await turn(limit=9, cursor="", wanted=wanted)).sagas) == count

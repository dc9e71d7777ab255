"""What is done for a recorded trace is told: how long it waited, how long the engine had it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.data.database import InStep, Tx, UniqueViolation
from emporion.chassis.data.gathered import Gathered
from emporion.chassis.data.together import Together
from emporion.chassis.telemetry.databases import DatabaseSpans, name_of
from emporion.chassis.telemetry.spans import Kind
from emporion.chassis.telemetry.telemetry import Telemetry
from emporion.chassis.testing.databases import sql_database
from emporion.chassis.testing.time import ManualClock, manual_runtime

RECORDED = Call(trace=Trace("a" * 32, "b" * 16))
UNRECORDED = Call(trace=Trace("a" * 32, "b" * 16, is_sampled=False))


@dataclass
class Store:
    """Work as a store makes it."""

    clock: ManualClock = field(default_factory=ManualClock)

    def add(self, name: str):
        async def work(tx: Tx) -> int:
            self.clock.advance(2.0)  # the engine's time
            return await tx.execute("INSERT INTO thing (name, number) VALUES (?, 1)", name)

        return work

    async def count(self, tx: Tx) -> int:
        row = await tx.fetch_one("SELECT count(*) FROM thing")
        assert row is not None
        return int(row[0])


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def telemetry(store):
    return Telemetry(manual_runtime(store.clock))


@pytest.fixture
async def database(engine, tmp_path, things, telemetry):
    async with sql_database(engine, tmp_path, (things,)) as database:
        database.watch = DatabaseSpans(telemetry, "shop", engine)
        yield database


async def test_a_transaction_is_a_span_of_its_callers_trace(database, store, telemetry):
    token = enter(RECORDED)
    waiting = database.transaction(store.add("a"))
    store.clock.advance(0.5)  # its turn has not come
    leave(token)
    await waiting

    (span,) = telemetry.spans.ring
    assert (span.trace_id, span.parent_id, span.kind) == ("a" * 32, "b" * 16, Kind.DATA)
    assert (span.service, span.name, span.outcome) == ("shop", "transaction", "ok")
    assert span.duration_s == 2.5
    assert span.fields == {"work": "Store.add", "engine": database.engine, "queued_us": 500_000}


async def test_those_that_share_a_commit_say_so(database, store, telemetry):
    token = enter(RECORDED)
    await asyncio.gather(*(database.transaction(store.add(name)) for name in "abc"))
    leave(token)

    assert [span.fields["together"] for span in telemetry.spans.ring] == [3, 3, 3]


async def test_calls_that_share_a_transaction_are_told_each_by_itself(database, store, telemetry):
    async def put_all(tx: Tx, names: Sequence[str]) -> Sequence[str]:
        rows = [(name,) for name in names]
        await tx.execute_many("INSERT INTO thing (name, number) VALUES (?, 1)", rows)
        return names

    together = Together(database, put_all)
    token = enter(RECORDED)
    answers = [together.run(name) for name in "ab"]
    leave(token)
    token = enter(UNRECORDED)
    answers.append(together.run("c"))
    leave(token)
    assert await asyncio.gather(*answers) == ["a", "b", "c"]

    spans = [span for span in telemetry.spans.ring if span.parent_id == "b" * 16]
    assert [span.fields["together"] for span in spans] == [3, 3]


async def test_calls_that_are_gathered_are_told_too(store, telemetry):
    async def ask(items: Sequence[str]) -> Sequence[str | Exception]:
        store.clock.advance(2.0)
        return [item if item != "bad" else UniqueViolation("bad") for item in items]

    class Database:
        watch = DatabaseSpans(telemetry, "shop", "mongodb")

    gathered = Gathered(ask, database=Database())
    token = enter(RECORDED)
    first, second = gathered.run("good"), gathered.run("bad")
    leave(token)
    await asyncio.gather(first, second, return_exceptions=True)

    assert [(span.outcome, span.duration_s) for span in telemetry.spans.ring] == [
        ("ok", 2.0),
        ("Conflict", 2.0),
    ]


async def test_a_read_and_a_failure_are_told_too(database, store, telemetry):
    token = enter(RECORDED)
    assert await database.read(store.count) == 0
    with pytest.raises(UniqueViolation):
        await asyncio.gather(*(database.transaction(store.add("a")) for _ in range(2)))
    leave(token)

    told = [(span.name, span.outcome) for span in telemetry.spans.ring]
    assert told == [("read", "ok"), ("transaction", "ok"), ("transaction", "Conflict")]
    assert telemetry.spans.ring[0].fields["work"] == "Store.count"


async def test_what_is_not_recorded_is_not_told(database, store, telemetry):
    token = enter(UNRECORDED)
    await database.transaction(store.add("a"))
    await database.read(store.count)
    leave(token)

    assert not telemetry.spans.ring


def test_work_is_named_by_whose_it_is():
    assert name_of(InStep(Store().add("a"))) == "Store.add"
    assert name_of(object()) == "object"

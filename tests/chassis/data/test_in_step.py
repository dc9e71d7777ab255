"""Works that walk in step on PostgreSQL: one statement for all, and each with its own end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from emporion.chassis.data.database import InStep, Tx, UniqueViolation
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.postgres.database import PostgresDatabase, PostgresOptions
from emporion.chassis.data.postgres.session import Session
from emporion.chassis.testing.databases import postgres_database, postgres_dsn
from emporion.kernel.errors import Conflict, Unavailable
from tests.chassis.data.things import names, put

pytestmark = pytest.mark.engines
Work = Callable[[Tx], Awaitable[int]]


@pytest.fixture
async def database(tmp_path: Path, things: Migrations) -> AsyncIterator[PostgresDatabase]:
    options = PostgresOptions(lanes=1, readers=1)
    async with postgres_database(tmp_path, [things], options=options) as opened:
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many each statement was asked."""
    sizes: list[int] = []
    answer_each = Session.answer_each

    async def watched(self, verb, sql, asked):
        sizes.append(len(asked))
        return await answer_each(self, verb, sql, asked)

    monkeypatch.setattr(Session, "answer_each", watched)
    return sizes


def raised(name: str, *, by: int) -> Work:
    async def work(tx: Tx) -> int:
        return await tx.execute("UPDATE thing SET number = number + ? WHERE name = ?", by, name)

    return work


async def number_of(database: PostgresDatabase, name: str) -> int | None:
    async def work(tx: Tx) -> int | None:
        row = await tx.fetch_one("SELECT number FROM thing WHERE name = ?", name)
        return row[0] if row else None

    return await database.read(work)


async def together(database: PostgresDatabase, *works: Work) -> list[object]:
    done = [database.transaction(InStep(work)) for work in works]
    return list(await asyncio.gather(*done, return_exceptions=True))


async def test_what_all_ask_is_asked_once(database, asked):
    assert await together(database, *(put(f"t{n}", n) for n in range(20))) == list(range(20))

    assert asked == [20]
    assert len(await names(database)) == 20


async def test_one_that_fails_leaves_the_others(database):
    ends = await together(database, put("a"), put("b", then=Conflict("no")), put("c"))

    assert [type(end) for end in ends] == [int, Conflict, int]
    assert await names(database) == ["a", "c"]


async def test_of_two_that_insert_the_same_one_is_refused(database):
    ends = await together(database, put("a", 1), put("a", 2), put("b", 3))

    assert sorted(type(end).__name__ for end in ends) == ["UniqueViolation", "int", "int"]
    assert any(isinstance(end, UniqueViolation) for end in ends)
    assert await names(database) == ["a", "b"]


async def test_two_that_change_the_same_row_both_change_it(database):
    await database.transaction(put("a", 1))

    ends = await together(database, raised("a", by=10), raised("a", by=100), raised("b", by=1))

    assert ends == [1, 1, 0]
    assert await number_of(database, "a") == 111


async def test_one_that_locks_is_alone_until_its_end(database):
    await database.transaction(put("a", 0))

    async def add_one(tx: Tx) -> int:
        row = await tx.fetch_one("SELECT number FROM thing WHERE name = 'a' /* for update */")
        assert row is not None
        await tx.execute("UPDATE thing SET number = ? WHERE name = 'a'", row[0] + 1)
        return int(row[0])

    ends = await together(database, *(add_one for _ in range(8)))

    assert set(ends) == set(range(8))
    assert await number_of(database, "a") == 8


async def test_an_insert_that_was_there_tells_whom_it_concerns(database):
    await database.transaction(put("b"))

    def new(name: str) -> Work:
        async def work(tx: Tx) -> int:
            return await tx.execute("INSERT INTO thing VALUES (?, 0) ON CONFLICT DO NOTHING", name)

        return work

    assert await together(database, new("a"), new("b"), new("c")) == [1, 0, 1]


async def test_reads_that_wait_together_are_one_statement_with_an_answer_for_each(database, asked):
    await asyncio.gather(*(database.transaction(put(f"t{n}", n)) for n in range(5)))
    asked.clear()

    found = await asyncio.gather(*(number_of(database, f"t{n}") for n in (4, 0, 9, 2)))

    assert found == [4, 0, None, 2]
    assert asked == [4]


async def test_a_read_that_fails_fails_alone(database):
    def divided(by: int) -> Work:
        async def work(tx: Tx) -> int:
            row = await tx.fetch_one("SELECT 10 / CAST(? AS integer)", by)
            assert row is not None
            return int(row[0])

        return work

    reads = [database.read(divided(by)) for by in (2, 0, 5)]
    ends = await asyncio.gather(*reads, return_exceptions=True)

    assert [end if isinstance(end, int) else "failed" for end in ends] == [5, "failed", 2]


async def test_who_gives_up_a_read_leaves_the_others_theirs(database):
    await database.transaction(put("a", 7))
    given_up = asyncio.ensure_future(number_of(database, "a"))
    waiting = asyncio.ensure_future(number_of(database, "a"))
    await asyncio.sleep(0)

    given_up.cancel()

    assert await waiting == 7


async def test_a_read_that_nobody_waits_for_costs_no_connection(database):
    await database.transaction(put("a", 7))
    for turns in range(6):
        given_up = asyncio.ensure_future(number_of(database, "a"))
        for _ in range(turns):
            await asyncio.sleep(0)
        given_up.cancel()

        assert await asyncio.wait_for(number_of(database, "a"), 5) == 7


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_reads_while_the_database_closes_is_told(database, turns):
    reads = [asyncio.ensure_future(number_of(database, name)) for name in ("a", "b")]
    for _ in range(turns):
        await asyncio.sleep(0)

    await database.close()

    ends = await asyncio.wait_for(asyncio.gather(*reads, return_exceptions=True), 5)
    assert all(isinstance(end, Unavailable) for end in ends)


async def test_a_spare_lane_takes_what_waits_for_a_lane_that_is_held_up(tmp_path, things):
    options = PostgresOptions(lanes=2)
    async with postgres_database(tmp_path, [things], options=options) as database:
        await database.transaction(put("a", 1))
        stranger = await asyncpg.connect(await postgres_dsn(tmp_path))
        try:
            await stranger.execute("BEGIN; UPDATE thing SET number = 2 WHERE name = 'a'")
            held_up = database.transaction(InStep(raised("a", by=10)))
            for _ in range(5):
                await asyncio.sleep(0)  # until the first lane has it

            assert await asyncio.wait_for(database.transaction(put("b", 5)), 5) == 5
            assert not held_up.done()
            await stranger.execute("COMMIT")

            assert await held_up == 1
            assert await number_of(database, "a") == 12
        finally:
            await stranger.close()

"""Calls that share a transaction share nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from emporion.chassis.calls.context import Call, current_call, enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.data.together import Together
from emporion.chassis.testing.databases import sqlite_database
from emporion.kernel.errors import FailedPrecondition, Unavailable
from tests.chassis.data.things import names


class Store:
    """Keeps names, refuses "bad", and remembers what was asked of it together."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database = database
        self.batches: list[list[str]] = []
        self.callers: list[Call] = []
        self._together = Together(database, self._keep)

    def keep(self, name: str) -> asyncio.Future[str]:
        """The name, once it is kept."""
        return self._together.run(name)

    async def _keep(self, tx: Tx, wanted: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(wanted))
        self.callers.append(current_call())
        for name in wanted:
            await tx.execute("INSERT INTO thing VALUES (?, 0)", name)
            if name == "bad":
                raise FailedPrecondition("bad")
        return [name.upper() for name in wanted]


@pytest.fixture
async def store(tmp_path: Path, things: Migrations) -> AsyncIterator[Store]:
    async with sqlite_database(tmp_path, [things]) as database:
        yield Store(database)


async def test_calls_of_one_turn_are_one_piece_of_work_with_a_result_each(store: Store) -> None:
    assert await asyncio.gather(*map(store.keep, "abc")) == ["A", "B", "C"]
    assert await store.keep("d") == "D"

    assert store.batches == [["a", "b", "c"], ["d"]]


async def test_a_refusal_is_told_to_its_caller_alone(store: Store) -> None:
    first, bad, last = await asyncio.gather(
        *map(store.keep, ["a", "bad", "c"]), return_exceptions=True
    )

    assert (first, last) == ("A", "C")
    assert isinstance(bad, FailedPrecondition)
    assert sorted(await names(store.database)) == ["a", "c"]


async def test_who_gives_up_holds_up_nobody_and_stops_nothing(store: Store) -> None:
    given_up, kept = store.keep("a"), store.keep("b")
    given_up.cancel()

    assert await kept == "B"
    assert sorted(await names(store.database)) == ["a", "b"]


async def test_a_lone_call_is_made_as_its_caller_and_several_as_nobody(store: Store) -> None:
    call = Call(deadline_s=1e12)
    token = enter(call)
    await store.keep("a")
    await asyncio.gather(*map(store.keep, "bc"))
    leave(token)

    assert store.callers == [call, Call()]


async def test_all_are_told_that_the_database_is_gone(store: Store) -> None:
    await store.database.close()
    told = await asyncio.gather(*map(store.keep, "ab"), return_exceptions=True)
    alone = await asyncio.gather(store.keep("c"), return_exceptions=True)

    assert [type(error) for error in (*told, *alone)] == [Unavailable] * 3

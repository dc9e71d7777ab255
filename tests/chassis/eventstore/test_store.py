"""Streams keep what happened, in order, once, and show when somebody meddled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from emporion.chassis.auth.identity import Identity, Kind
from emporion.chassis.calls.context import Call, Trace, enter, leave
from emporion.chassis.data.database import Tx
from emporion.chassis.eventstore.past import changes_of
from emporion.chassis.eventstore.store import NO_HASH, EventStore, Stored
from emporion.chassis.testing.databases import Engine, SqlDatabase, sql_database
from emporion.kernel.errors import Conflict, Internal
from emporion.kernel.value import Value


class Opened(Value, frozen=True, gc=False):
    by: str


class Renamed(Value, frozen=True, gc=False):
    name: str


Happening = Opened | Renamed
KINDS: dict[str, type[Any]] = {"opened": Opened, "renamed": Renamed}


class Shelf:
    """A store over a database, one transaction a call."""

    def __init__(self, database: SqlDatabase) -> None:
        self.database = database
        self.store: EventStore[Happening] = EventStore(KINDS)

    async def append(self, *events: Happening, after: int, at_ms: int = 1) -> None:
        async def work(tx: Tx) -> None:
            await self.store.append(tx, "s", events, expected_version=after, at_ms=at_ms)

        await self.database.transaction(work)

    async def load(self, until_ms: int | None = None) -> list[Stored[Happening]]:
        async def work(tx: Tx) -> list[Stored[Happening]]:
            if until_ms is None:
                return await self.store.load(tx, "s")
            return await self.store.load(tx, "s", until_ms=until_ms)

        return await self.database.read(work)

    async def broken_at(self) -> int:
        """The first event that is not the one written; 0: all are."""

        async def work(tx: Tx) -> int:
            return (await self.store.prove(tx, after="", until="t"))["s"].broken_at

        return await self.database.read(work)

    async def meddle(self, sql: str) -> None:
        if self.database.engine == "postgres":
            sql = sql.replace("AS BLOB", "AS bytea")

        async def work(tx: Tx) -> None:
            assert await tx.execute(sql)

        await self.database.transaction(work)


@asynccontextmanager
async def shelf(engine: Engine, folder: Path) -> AsyncIterator[Shelf]:
    async with sql_database(engine, folder) as database:
        yield Shelf(database)


async def test_events_come_back_in_order_with_version_and_time(
    engine: Engine, tmp_path: Path
) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.append(Opened("ada"), Renamed("a"), after=0, at_ms=10)
        await s.append(Renamed("b"), after=2, at_ms=20)
        stored = await s.load()
        assert [each.event for each in stored] == [Opened("ada"), Renamed("a"), Renamed("b")]
        assert [(each.version, each.at_ms) for each in stored] == [(1, 10), (2, 10), (3, 20)]
        assert await s.broken_at() == 0


async def test_the_state_at_a_point_in_time_can_be_read(engine, tmp_path: Path) -> None:
    async with shelf(engine, tmp_path) as s:
        for version, at_ms in enumerate((10, 20, 30)):
            await s.append(Renamed(str(at_ms)), after=version, at_ms=at_ms)
        assert [each.event for each in await s.load(until_ms=20)] == [Renamed("10"), Renamed("20")]
        assert await s.load(until_ms=9) == []


async def test_of_many_writers_at_one_version_one_wins(engine, tmp_path: Path) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.append(Opened("ada"), after=0)
        outcomes = await asyncio.gather(
            *(s.append(Renamed(str(n)), after=1) for n in range(20)), return_exceptions=True
        )
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
        assert len(await s.load()) == 2


async def test_a_version_that_was_never_reached_is_a_conflict(
    engine: Engine, tmp_path: Path
) -> None:
    async with shelf(engine, tmp_path) as s:
        with pytest.raises(Conflict):
            await s.append(Renamed("x"), after=3)
        assert await s.load() == []


@pytest.mark.parametrize(
    "meddling",
    [
        'UPDATE event SET data = CAST(\'{"name":"x"}\' AS BLOB) WHERE version = 2',
        "UPDATE event SET at_ms = 99 WHERE version = 1",
        "UPDATE event SET actor = 'mallory' WHERE version = 1",
        "UPDATE event SET type = 'renamed' WHERE version = 1",
        "UPDATE event SET trace_id = 'another' WHERE version = 2",
        "UPDATE event SET cause = 'person:by another' WHERE version = 3",
        "UPDATE event SET cause = '' WHERE version = 1",
        "DELETE FROM event WHERE version = 2",
        "UPDATE event SET version = 4 WHERE version = 3",
    ],
)
async def test_meddling_breaks_the_chain(engine, tmp_path: Path, meddling: str) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.append(Opened("ada"), Renamed("a"), Renamed("b"), after=0)
        assert await s.broken_at() == 0
        await s.meddle(meddling)
        assert await s.broken_at() in (1, 2, 3)


async def test_an_event_keeps_who_did_it_by_which_command_in_which_trace(engine, tmp_path) -> None:
    ada = Identity(Kind.PERSON, "usr_ada", frozenset())
    async with shelf(engine, tmp_path) as s:
        token = enter(Call(ada, Trace("a" * 32, "b" * 16), command="shelf.open"))
        await s.append(Opened("ada"), after=0, at_ms=10)
        leave(token)
        await s.append(Renamed("x"), after=1, at_ms=20)
        first, second = changes_of(await s.load())
        assert (first.what, first.facts) == ("opened", '{"by":"ada"}')
        assert (first.actor_kind, first.actor) == ("person", "usr_ada")
        assert (first.command, first.trace_id) == ("shelf.open", "a" * 32)
        assert (second.actor_kind, second.command, second.trace_id) == ("anonymous", "", "")


async def test_events_from_before_causes_were_kept_prove_and_are_appended_to(
    engine: Engine, tmp_path: Path
) -> None:
    """As rows of that time: no cause, and a hash over fewer fields."""
    async with shelf(engine, tmp_path) as s:
        data = b'{"by":"ada"}'
        old = sha256(NO_HASH + b"s\n1\nopened\n5\nusr_ada\n" + data).digest()

        async def write(tx: Tx) -> None:
            await tx.execute(
                "INSERT INTO event (stream, version, type, data, at_ms, actor, trace_id, hash)"
                " VALUES ('s', 1, 'opened', ?, 5, 'usr_ada', 't', ?)",
                data,
                old,
            )

        await s.database.transaction(write)
        await s.append(Renamed("x"), after=1)
        assert await s.broken_at() == 0
        (before, _) = changes_of(await s.load())
        assert (before.actor, before.actor_kind, before.command) == ("usr_ada", "", "")
        await s.meddle("UPDATE event SET actor = 'mallory' WHERE version = 1")
        assert await s.broken_at() == 1


async def test_an_event_of_an_older_shape_is_brought_up_to_date(
    engine: Engine, tmp_path: Path
) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.append(Opened("ada"), after=0)

        def upcast(old: dict[str, str]) -> Happening:
            return Renamed(f"opened by {old['by']}")

        s.store = EventStore({"renamed": Renamed}, {"opened": upcast})
        assert [each.event for each in await s.load()] == [Renamed("opened by ada")]
        await s.append(Renamed("next"), after=1)
        assert await s.broken_at() == 0


async def test_an_unknown_stored_name_is_said_by_name(engine, tmp_path: Path) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.append(Opened("ada"), after=0)
        s.store = EventStore({"renamed": Renamed})
        with pytest.raises(Internal, match="'opened'"):
            await s.load()

"""What every database holds to: durable, grouped, isolated; and it refuses what would block it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Tx, UniqueViolation
from emporion.chassis.data.migrations.runner import MigrationFailed, Migrations
from emporion.chassis.testing.databases import Engine, SqlDatabase, sql_database
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import Event, EventSpec
from emporion.kernel.errors import DeadlineExceeded, Internal, NotFound, Unavailable
from tests.chassis.data.things import TABLE, names, put

Open = Callable[[], AbstractAsyncContextManager[SqlDatabase]]


class ThingMade(Event, frozen=True, kw_only=True, gc=False):
    """A thing was made."""

    SPEC = EventSpec("things.made", key="name")

    name: str


@pytest.fixture
def opened(engine: Engine, tmp_path: Path, things: Migrations) -> Open:
    """Opens the test's database; each time the same one."""
    return lambda: sql_database(engine, tmp_path, [things])


async def test_what_a_transaction_wrote_is_there_for_the_next_process(opened: Open) -> None:
    async with opened() as database:
        assert await database.transaction(put("a", 7)) == 7
    async with opened() as database:
        assert await names(database) == ["a"]


async def test_a_failing_transaction_leaves_no_trace_and_spares_its_neighbours(
    opened: Open,
) -> None:
    async with opened() as database:
        outcomes = await asyncio.gather(
            *(
                database.transaction(put(f"n{i}", then=NotFound() if i % 3 == 0 else None))
                for i in range(30)
            ),
            return_exceptions=True,
        )
        assert [isinstance(outcome, NotFound) for outcome in outcomes] == [
            i % 3 == 0 for i in range(30)
        ]
        assert await names(database) == sorted(f"n{i}" for i in range(30) if i % 3)


async def test_only_one_of_two_equal_keys_is_taken(opened: Open) -> None:
    async with opened() as database:
        outcomes = await asyncio.gather(
            *(database.transaction(put("same", i)) for i in range(9)), return_exceptions=True
        )
        assert sum(isinstance(outcome, UniqueViolation) for outcome in outcomes) == 8


async def test_a_duplicate_is_told_without_the_value_that_is_doubled(opened: Open) -> None:
    async with opened() as database:
        await database.transaction(put("ada@example.org"))
        with pytest.raises(UniqueViolation) as refused:
            await database.transaction(put("ada@example.org"))
        assert "ada" not in str(refused.value)


async def test_a_transaction_that_awaits_anything_else_is_refused_and_undone(
    opened: Open,
) -> None:
    """Pitfall and defect 17: no network call can sit inside a transaction."""

    async def calls_out(tx: Tx) -> None:
        await tx.execute("INSERT INTO thing VALUES ('half', 1)")
        await asyncio.sleep(0)

    async with opened() as database:
        with pytest.raises(Internal, match="awaited something"):
            await database.transaction(calls_out)
        assert await names(database) == []


async def test_a_transaction_past_its_deadline_does_nothing(
    engine: Engine, tmp_path: Path, things: Migrations
) -> None:
    runtime = manual_runtime()
    async with sql_database(engine, tmp_path, [things], runtime=runtime) as database:
        token = enter(Call(deadline_s=runtime.clock.monotonic_s() - 1))
        try:
            with pytest.raises(DeadlineExceeded):
                await database.transaction(put("late"))
        finally:
            leave(token)
        assert await names(database) == []


async def test_an_error_that_the_work_swallows_fails_its_transaction_or_leaves_the_rest_whole(
    opened: Open,
) -> None:
    async def careless(tx: Tx) -> None:
        await tx.execute("INSERT INTO thing VALUES ('b', 1)")
        try:
            await tx.execute("INSERT INTO thing VALUES ('a', 2)")
        except UniqueViolation:
            return

    async with opened() as database:
        await database.transaction(put("a", 1))
        outcomes = await asyncio.gather(
            database.transaction(careless), database.transaction(put("c")), return_exceptions=True
        )
        found = await names(database)
        assert outcomes[1] == 0
        assert found == (["a", "c"] if isinstance(outcomes[0], Exception) else ["a", "b", "c"])


async def test_reads_cannot_write(opened: Open) -> None:
    async with opened() as database:
        with pytest.raises((Unavailable, Internal)):
            await database.read(put("sneaky"))
        assert await names(database) == []


async def test_a_read_of_several_statements_is_one_snapshot(opened: Open) -> None:
    async def twice(tx: Tx) -> tuple[int, int]:
        first = await tx.fetch_one("SELECT count(*) FROM thing")
        second = await tx.fetch_one("SELECT count(*) FROM thing")
        assert first is not None
        assert second is not None
        return first[0], second[0]

    async with opened() as database:
        writes = [database.transaction(put(f"n{i}")) for i in range(50)]
        counts = [await database.read(twice) for _ in range(20)]
        await asyncio.gather(*writes)
        assert all(first == second for first, second in counts)
        assert await database.read(twice) == (50, 50)


async def test_any_number_of_values_travel_as_one_list(opened: Open) -> None:
    async def some(tx: Tx) -> int:
        rows = await tx.fetch(
            "SELECT name FROM thing WHERE name IN (SELECT value FROM json_each(?)) AND number = ?",
            '["a", "c", "d"]',
            0,
        )
        return len(rows)

    async with opened() as database:
        await asyncio.gather(*(database.transaction(put(name)) for name in "abc"))
        assert await database.read(some) == 2


async def test_statements_say_how_many_rows_they_changed(opened: Open) -> None:
    async def work(tx: Tx) -> list[object]:
        await tx.execute_many("INSERT INTO thing VALUES (?, ?)", [("a", 1), ("b", 1), ("c", 2)])
        return [
            await tx.execute("UPDATE thing SET number = ?1 + 1 WHERE number = ?1", 1),
            await tx.execute("DELETE FROM thing WHERE name = ?", "nobody"),
            await tx.fetch("INSERT INTO thing VALUES ('d', 5) RETURNING name, number"),
            await tx.fetch_one("SELECT number FROM thing WHERE name = ?", "z"),
        ]

    async with opened() as database:
        assert await database.transaction(work) == [2, 0, [("d", 5)], None]


async def test_who_reads_to_write_waits_for_others_who_do(opened: Open) -> None:
    """No update is lost, whether the row is locked by a read or a name is."""

    async def by_row(tx: Tx) -> None:
        row = await tx.fetch_one("SELECT number FROM thing WHERE name = 'a' /* for update */")
        assert row is not None
        await tx.execute("UPDATE thing SET number = ? WHERE name = 'a'", row[0] + 1)

    async def by_name(tx: Tx) -> None:
        await tx.lock("b")
        row = await tx.fetch_one("SELECT max(number) FROM thing WHERE name LIKE 'b%'")
        number = (row[0] or 0) + 1 if row else 1
        await tx.execute("INSERT INTO thing VALUES (?, ?)", f"b{number}", number)

    async with opened() as one, opened() as other:
        await one.transaction(put("a", 0))
        await asyncio.gather(
            *(
                database.transaction(work)
                for _ in range(15)
                for work in (by_row, by_name)
                for database in (one, other)
            )
        )
        row = await one.read(lambda tx: tx.fetch_one("SELECT number FROM thing WHERE name = 'a'"))
        assert row == (30,)
        assert len(await names(one)) == 31


async def test_a_commit_that_published_rings_once_it_is_readable(opened: Open) -> None:
    async with opened() as database:
        rung = asyncio.Event()
        database.on_published = rung.set
        await database.transaction(put("quiet"))
        assert not rung.is_set()
        await database.transaction(lambda tx: tx.publish(ThingMade(name="a")))
        await asyncio.wait_for(rung.wait(), 10)
        rows = await database.read(lambda tx: tx.fetch("SELECT key FROM outbox"))
        assert rows == [("a",)]


async def test_events_stand_in_the_order_in_which_they_were_published(opened: Open) -> None:
    async def several(tx: Tx) -> None:
        for name in "abc":
            await tx.publish(ThingMade(name=name))

    async with opened() as database:
        await database.transaction(several)
        await database.transaction(several)
        rows = await database.read(lambda tx: tx.fetch("SELECT key FROM outbox ORDER BY position"))
        assert [key for (key,) in rows] == list("abcabc")


async def test_an_event_of_a_transaction_that_failed_does_not_exist(opened: Open) -> None:
    async def fails(tx: Tx) -> None:
        await tx.publish(ThingMade(name="never"))
        raise NotFound

    async with opened() as database:
        rung = asyncio.Event()
        database.on_published = rung.set
        await asyncio.gather(
            database.transaction(fails), database.transaction(put("a")), return_exceptions=True
        )
        assert await database.read(lambda tx: tx.fetch("SELECT key FROM outbox")) == []
        assert not rung.is_set()


async def test_a_closed_database_says_so(opened: Open) -> None:
    async with opened() as database:
        pass
    with pytest.raises(Unavailable):
        await database.transaction(put("a"))
    with pytest.raises(Unavailable):
        await database.read(put("a"))


async def test_it_finishes_what_waits_before_it_closes(opened: Open) -> None:
    async with opened() as database:
        waiting = [database.transaction(put(f"n{i}")) for i in range(20)]
    await asyncio.gather(*waiting)
    async with opened() as database:
        assert len(await names(database)) == 20


async def test_it_is_ready_and_alive(opened: Open) -> None:
    async with opened() as database:
        await database.probe()
        await database.live()
        assert database.waiting == 0


async def test_a_migration_that_fails_half_way_keeps_nothing_of_itself(
    opened: Open, tmp_path: Path
) -> None:
    """Defect 18: a broken migration names its file and leaves the schema as it was."""
    broken = tmp_path / "migrations" / "0002_broken.sql"
    broken.write_text("CREATE TABLE half (x INTEGER); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(MigrationFailed, match=r"things/0002_broken\.sql"):
        async with opened():
            pass
    broken.write_text("CREATE TABLE half (x INTEGER)")
    async with opened() as database:
        assert await names(database) == []


async def test_an_applied_migration_must_not_change(opened: Open, tmp_path: Path) -> None:
    async with opened():
        pass
    (tmp_path / "migrations" / "0001_thing.sql").write_text(TABLE + " ")
    with pytest.raises(MigrationFailed, match="was changed after it was applied"):
        async with opened():
            pass


async def test_misnamed_and_doubled_migrations_are_refused(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "migrations" / "second.sql").write_text("SELECT 1")
    with pytest.raises(MigrationFailed, match="NNNN_"):
        async with opened():
            pass


async def test_a_read_cannot_publish(opened: Open) -> None:
    async with opened() as database:
        with pytest.raises((Unavailable, Internal)):
            await database.read(lambda tx: tx.publish(ThingMade(name="sneaky")))
        assert await database.read(lambda tx: tx.fetch("SELECT key FROM outbox")) == []


async def test_what_is_published_at_once_keeps_its_order_and_leaves_or_not_as_one(
    opened: Open,
) -> None:
    def publish(*names: str, fails: bool = False):
        async def work(tx: Tx) -> None:
            await tx.publish(ThingMade(name=names[0]))
            await tx.publish_many([ThingMade(name=name) for name in names[1:]])
            await tx.publish_many([])
            if fails:
                raise NotFound

        return work

    async with opened() as database:
        with pytest.raises(NotFound):
            await database.transaction(publish("x", "y", "z", fails=True))
        await database.transaction(publish("c", "a", "b"))
        await database.transaction(publish("e", "d"))
        rows = await database.read(
            lambda tx: tx.fetch("SELECT key, event_id FROM outbox ORDER BY position")
        )
        assert [key for key, _ in rows] == list("cabed")
        assert len({event_id for _, event_id in rows}) == 5


async def test_of_many_that_publish_together_those_that_fail_publish_nothing(opened: Open) -> None:
    def publish(number: int):
        async def work(tx: Tx) -> None:
            await tx.publish(ThingMade(name=f"n{number}"))
            if number % 5 == 0:
                await tx.execute("INSERT INTO thing VALUES (?, 1)", f"n{number}")
            if number % 3 == 0:
                raise NotFound

        return work

    async with opened() as database:
        await asyncio.gather(
            *(database.transaction(publish(n)) for n in range(30)), return_exceptions=True
        )
        rows = await database.read(lambda tx: tx.fetch("SELECT key FROM outbox ORDER BY position"))
        assert [key for (key,) in rows] == [f"n{n}" for n in range(30) if n % 3]


async def test_a_statement_for_many_says_what_each_changed(opened: Open) -> None:
    async with opened() as database:
        for name in ("a", "b"):
            await database.transaction(put(name, 1))

        async def change(tx: Tx) -> list[int]:
            raising = "UPDATE thing SET number = number + ? WHERE name = ? AND number < ?"
            return await tx.execute_each(raising, [(5, "b", 9), (1, "c", 9), (5, "b", 3)])

        assert await database.transaction(change) == [1, 0, 0]

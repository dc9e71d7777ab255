"""The SQLite database: durable, grouped, isolated; and it refuses what would block its writer."""

import asyncio
from pathlib import Path

import apsw
import pytest

from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import Tx, UniqueViolation
from emporion.chassis.data.migrations.runner import MigrationFailed, Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.data.sqlite.group_commit import GroupCommit
from emporion.chassis.testing.databases import sqlite_database
from emporion.chassis.testing.time import manual_runtime
from emporion.kernel.errors import DeadlineExceeded, Internal, NotFound, Unavailable

TABLE = "CREATE TABLE thing (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT"


@pytest.fixture
def things(tmp_path: Path) -> Migrations:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_thing.sql").write_text(TABLE)
    return Migrations("things", folder)


def put(name: str, number: int = 0, *, then: Exception | None = None):
    async def work(tx: Tx) -> int:
        await tx.execute("INSERT INTO thing VALUES (?, ?)", name, number)
        if then is not None:
            raise then
        return number

    return work


async def names(database: SqliteDatabase) -> list[str]:
    async def work(tx: Tx) -> list[str]:
        return [name for (name,) in await tx.fetch("SELECT name FROM thing ORDER BY name")]

    return await database.read(work)


async def test_what_a_transaction_wrote_is_there_for_the_next_process(
    tmp_path: Path, things: Migrations
) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        assert await database.transaction(put("a", 7)) == 7
    async with sqlite_database(tmp_path, [things]) as database:
        assert await names(database) == ["a"]


async def test_a_failing_transaction_leaves_no_trace_and_spares_its_neighbours(
    tmp_path: Path, things: Migrations
) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
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


async def test_only_one_of_two_equal_keys_is_taken(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        outcomes = await asyncio.gather(
            *(database.transaction(put("same", i)) for i in range(9)), return_exceptions=True
        )
        assert sum(isinstance(outcome, UniqueViolation) for outcome in outcomes) == 8


async def test_a_transaction_that_awaits_anything_else_is_refused_and_undone(
    tmp_path: Path, things: Migrations
) -> None:
    """Pitfall and defect 17: no network call can sit inside a transaction."""

    async def calls_out(tx: Tx) -> None:
        await tx.execute("INSERT INTO thing VALUES ('half', 1)")
        await asyncio.sleep(0)

    async with sqlite_database(tmp_path, [things]) as database:
        with pytest.raises(Internal, match="awaited something"):
            await database.transaction(calls_out)
        assert await names(database) == []


async def test_a_transaction_past_its_deadline_does_nothing(
    tmp_path: Path, things: Migrations
) -> None:
    runtime = manual_runtime()
    async with sqlite_database(tmp_path, [things], runtime=runtime) as database:
        token = enter(Call(deadline_s=runtime.clock.monotonic_s() - 1))
        try:
            with pytest.raises(DeadlineExceeded):
                await database.transaction(put("late"))
        finally:
            leave(token)
        assert await names(database) == []


async def test_reads_cannot_write(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        with pytest.raises((Unavailable, Internal)):
            await database.read(put("sneaky"))
        assert await names(database) == []


async def test_a_read_is_one_snapshot(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        other = apsw.Connection(str(database.path))

        async def twice(tx: Tx) -> tuple[int, int]:
            first = await tx.fetch_one("SELECT count(*) FROM thing")
            other.execute("INSERT INTO thing VALUES ('meanwhile', 1)")
            second = await tx.fetch_one("SELECT count(*) FROM thing")
            assert first is not None
            assert second is not None
            return first[0], second[0]

        assert await database.read(twice) == (0, 0)
        other.close()


async def test_a_commit_that_fails_is_reported_to_everybody_in_it(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        monkeypatch.setattr(GroupCommit, "_run_plain", _disk_full)
        with pytest.raises(Unavailable, match="Full"):
            await database.transaction(put("lost"))
        monkeypatch.undo()
        await database.transaction(put("kept"))
        assert await names(database) == ["kept"]


def _disk_full(_self: GroupCommit, _jobs: object) -> bool:
    raise apsw.FullError("disk full")


async def test_the_writer_outlives_a_defect_and_liveness_says_when_it_died(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        monkeypatch.setattr(GroupCommit, "_run_plain", _defect)
        with pytest.raises(Unavailable, match="a defect of ours"):
            await database.transaction(put("lost"))
        monkeypatch.undo()
        await database.transaction(put("kept"))
        await database.live()
        assert await names(database) == ["kept"]

        writer = database._writer
        assert writer is not None
        await asyncio.get_running_loop().run_in_executor(None, writer.close)
        with pytest.raises(Unavailable, match="has died"):
            await database.live()


def _defect(_self: GroupCommit, _jobs: object) -> bool:
    raise ZeroDivisionError("a defect of ours")


async def test_a_closed_database_says_so(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        pass
    with pytest.raises(Unavailable):
        await database.transaction(put("a"))
    with pytest.raises(Unavailable):
        await database.read(put("a"))


async def test_the_log_is_checkpointed_while_it_is_written(
    tmp_path: Path, things: Migrations
) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        for round_ in range(40):
            await asyncio.gather(
                *(database.transaction(put(f"{round_}-{i}" + "x" * 2000)) for i in range(100))
            )
        assert database.path.stat().st_size > 2_000_000
        assert len(await names(database)) == 4000


async def test_a_migration_that_fails_half_way_keeps_nothing_of_itself(
    tmp_path: Path, things: Migrations
) -> None:
    """Defect 18: a broken migration names its file and leaves the schema as it was."""
    folder = tmp_path / "migrations"
    (folder / "0002_broken.sql").write_text("CREATE TABLE half (x); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(MigrationFailed, match=r"things/0002_broken\.sql"):
        async with sqlite_database(tmp_path, [things]):
            pass
    (folder / "0002_broken.sql").write_text("CREATE TABLE half (x)")
    async with sqlite_database(tmp_path, [things]) as database:
        assert await names(database) == []


async def test_an_applied_migration_must_not_change(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]):
        pass
    (tmp_path / "migrations" / "0001_thing.sql").write_text(TABLE + " ")
    with pytest.raises(MigrationFailed, match="was changed after it was applied"):
        async with sqlite_database(tmp_path, [things]):
            pass


async def test_misnamed_and_doubled_migrations_are_refused(
    tmp_path: Path, things: Migrations
) -> None:
    (tmp_path / "migrations" / "second.sql").write_text("SELECT 1")
    with pytest.raises(MigrationFailed, match="NNNN_"):
        async with sqlite_database(tmp_path, [things]):
            pass

"""What SQLite alone does: a writer that outlives a defect, checkpoints, failing disks."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from emporion.chassis.data.database import Aside, Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite import writers
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.data.sqlite.group_commit import GroupCommit, Job
from emporion.chassis.testing.databases import sqlite_database
from emporion.chassis.testing.time import settle
from emporion.kernel.errors import Unavailable
from tests.chassis.data.things import names, put


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
        await writer.close()
        with pytest.raises(Unavailable, match="has died"):
            await database.live()


def _defect(_self: GroupCommit, _jobs: object) -> bool:
    raise ZeroDivisionError("a defect of ours")


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


async def test_a_lone_transaction_is_committed_on_the_loop_only_while_commits_are_quick(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed_by: list[int] = []
    finish = GroupCommit.finish

    def finishing(commit: GroupCommit, jobs: Sequence[Job]) -> bool:
        committed_by.append(threading.get_ident())
        return finish(commit, jobs)

    monkeypatch.setattr(GroupCommit, "finish", finishing)
    async with sqlite_database(tmp_path, [things]) as database:
        monkeypatch.setattr(writers, "QUICK_S", 60.0)
        await database.transaction(put("1"))
        await database.transaction(put("2"))
        await asyncio.gather(*(database.transaction(put(name)) for name in "345"))
        monkeypatch.setattr(writers, "QUICK_S", 0.0)
        await database.transaction(put("6"))
        await database.transaction(put("7"))

    is_here = [ident == threading.get_ident() for ident in committed_by]
    assert is_here == [False, True, False, True, False]


async def test_work_that_was_long_is_done_on_the_thread_until_it_is_short(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def where(_: Tx) -> int:
        return threading.get_ident()

    here = threading.get_ident()
    async with sqlite_database(tmp_path, [things]) as database:
        monkeypatch.setattr(writers, "LONG_S", -1.0)
        assert await database.transaction(where) == here
        assert await database.transaction(where) != here
        mixed = await asyncio.gather(database.transaction(put("1")), database.transaction(where))
        assert mixed[1] != here

        monkeypatch.setattr(writers, "LONG_S", 60.0)
        assert await database.transaction(where) != here
        assert await database.transaction(where) == here
        assert [await database.transaction(Aside(where)) != here for _ in range(3)] == [True] * 3


async def test_the_loop_turns_while_a_batch_is_made_durable(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, may_finish = GroupCommit.finish, threading.Event()

    def finishing(commit: GroupCommit, jobs: Sequence[Job]) -> bool:
        assert may_finish.wait(timeout=10)
        return finish(commit, jobs)

    monkeypatch.setattr(GroupCommit, "finish", finishing)
    async with sqlite_database(tmp_path, [things]) as database:
        first = database.transaction(put("first"))
        await settle()
        second = database.transaction(put("second"))
        await settle()
        assert await names(database) == []
        assert not first.done()

        may_finish.set()
        await asyncio.gather(first, second)
        assert await names(database) == ["first", "second"]


async def test_a_batch_waits_as_long_as_each_turn_of_the_loop_brings_another(
    tmp_path: Path, things: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    finish = GroupCommit.finish

    def finishing(commit: GroupCommit, jobs: Sequence[Job]) -> bool:
        sizes.append(len(jobs))
        return finish(commit, jobs)

    async def commit_in_turn(database: SqliteDatabase, turn: int) -> None:
        for _ in range(turn):
            await asyncio.sleep(0)
        await database.transaction(put(f"{turn}"))

    monkeypatch.setattr(GroupCommit, "finish", finishing)
    monkeypatch.setattr(writers, "GATHER_S", 60.0)
    async with sqlite_database(tmp_path, [things]) as database:
        first = [database.transaction(put(name)) for name in ("first", "company")]
        await asyncio.gather(*first, *(commit_in_turn(database, turn) for turn in range(6)))
        assert sizes == [8]


async def test_closing_finishes_what_is_queued(tmp_path: Path, things: Migrations) -> None:
    async with sqlite_database(tmp_path, [things]) as database:
        queued = [database.transaction(put(f"{number:03}")) for number in range(300)]
        await database.close()
        assert [one.done() for one in queued] == [True] * 300
        await database.open([things])
        assert len(await names(database)) == 300

"""A snapshot only makes loading shorter: whatever happens to it, the events decide."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emporion.chassis.data.database import Row, Tx
from emporion.chassis.eventstore import store as module
from emporion.chassis.eventstore.snapshots import Snapshots
from emporion.chassis.eventstore.store import EventStore
from emporion.chassis.testing.databases import Engine, SqlDatabase, sql_database
from emporion.kernel.aggregate import Aggregate
from emporion.kernel.errors import Internal
from emporion.kernel.money import Money
from emporion.kernel.value import Value


class Lid(StrEnum):
    OPEN = "open"
    SHUT = "shut"


class Put(Value, frozen=True):
    amount: Money


class Shut(Value, frozen=True):
    pass


class Opened(Value, frozen=True):
    pass


class Jar(Aggregate[Put | Shut | Opened]):
    """Money in a jar."""

    START = Lid.OPEN
    LIFECYCLE: ClassVar[Any] = {
        (Lid.OPEN, Put): Lid.OPEN,
        (Lid.OPEN, Shut): Lid.SHUT,
        (Lid.SHUT, Opened): Lid.OPEN,
    }

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.total: Money | None = None
        self.last = 0

    def on_put(self, event: Put) -> None:
        self.total = event.amount if self.total is None else self.total + event.amount
        self.last = event.amount.amount_minor


EVENTS: EventStore[Put | Shut | Opened] = EventStore({"put": Put, "shut": Shut, "opened": Opened})
FIELDS = {"status": Lid, "total": Money | None, "last": int}


def put(amount_minor: int = 1) -> Put:
    return Put(Money(amount_minor, "EUR"))


class Shelf:
    """Jars in a database, loaded and saved with snapshots every three events."""

    def __init__(self, database: SqlDatabase, every: int = 3, shape: int = 1) -> None:
        self.database = database
        self.snapshots = Snapshots(EVENTS, Jar, FIELDS, shape=shape, every=every)

    async def add(self, *events: Any, stream: str = "jar") -> None:
        """Load, decide, save."""

        async def work(tx: Tx) -> None:
            jar = await self.snapshots.load(tx, stream)
            for event in events:
                jar.record(event)
            before = jar.stored_version
            await EVENTS.append(tx, stream, jar.pending, expected_version=before, at_ms=1)
            await self.snapshots.keep(tx, jar)

        await self.database.transaction(work)

    async def load(self, stream: str = "jar") -> Jar:
        return await self.database.read(lambda tx: self.snapshots.load(tx, stream))

    async def replayed(self, stream: str = "jar") -> Jar:
        """From the events alone."""
        stored = await self.database.read(lambda tx: EVENTS.load(tx, stream))
        return Jar.from_history(stream, (each.event for each in stored))

    async def unlike(self) -> list[str]:
        async def work(tx: Tx) -> list[str]:
            histories = await EVENTS.prove(tx, after="", until="~")
            return await self.snapshots.unlike(tx, histories, after="", until="~")

        return await self.database.read(work)

    async def kept(self) -> list[Row]:
        return await self.database.read(
            lambda tx: tx.fetch("SELECT stream, version, shape FROM snapshot ORDER BY stream")
        )

    async def meddle(self, sql: str) -> None:
        if self.database.engine == "postgres":
            sql = sql.replace("AS BLOB", "AS bytea")
            sql = sql.replace("replace(state,", "replace(convert_from(state, 'UTF8'),")

        async def work(tx: Tx) -> None:
            assert await tx.execute(sql)

        await self.database.transaction(work)


@asynccontextmanager
async def shelf(engine: Engine, folder: Path, every: int = 3) -> AsyncIterator[Shelf]:
    async with sql_database(engine, folder) as database:
        yield Shelf(database, every)


def swapped(old: str, new: str) -> str:
    return f"UPDATE snapshot SET state = CAST(replace(state, '{old}', '{new}') AS BLOB)"


MEDDLING = (
    "",
    "UPDATE snapshot SET state = CAST('{}' AS BLOB)",
    "UPDATE snapshot SET hash = CAST('another history' AS BLOB)",
    "UPDATE snapshot SET shape = 7",
    "UPDATE snapshot SET version = version + 1",
    "DELETE FROM snapshot",
)


@st.composite
def courses(draw: st.DrawFn) -> list[list[Any]]:
    """What is done to a jar, in transactions of one to four events."""
    is_shut = False
    course = []
    for _ in range(draw(st.integers(1, 8))):
        turn: list[Any] = []
        for _ in range(draw(st.integers(1, 4))):
            if is_shut:
                turn.append(Opened())
                is_shut = False
            elif draw(st.booleans()):
                turn.append(put(draw(st.integers(1, 10**9))))
            else:
                turn.append(Shut())
                is_shut = True
        course.append(turn)
    return course


@settings(max_examples=40, deadline=None)
@given(courses(), st.integers(1, 6), st.lists(st.sampled_from(MEDDLING), min_size=8, max_size=8))
def test_whatever_becomes_of_the_snapshots_loading_gives_what_the_events_say(
    course: list[list[Any]], every: int, meddlings: Sequence[str]
) -> None:
    async def live(folder: Path) -> None:
        async with shelf("sqlite", folder, every) as s:
            for turn, meddling in zip(course, meddlings, strict=False):
                await s.add(*turn)
                assert vars(await s.load()) == vars(await s.replayed())
                if meddling and await s.kept():
                    await s.meddle(meddling)
                    assert vars(await s.load()) == vars(await s.replayed())

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder)))


async def test_a_long_stream_is_read_from_its_snapshot_on(
    engine: Engine, tmp_path, monkeypatch
) -> None:
    async with shelf(engine, tmp_path) as s:
        for _ in range(11):
            await s.add(put())
        assert await s.kept() == [("jar", 9, 1)]
        monkeypatch.setattr(module, "EVENTS_PER_STREAM_MAX", 5)

        jar = await s.load()

        assert (jar.version, jar.total) == (11, Money(11, "EUR"))
        with pytest.raises(Internal, match="more than 5"):
            await s.replayed()


async def test_a_short_stream_has_no_snapshot_and_none_is_looked_for(
    engine: Engine, tmp_path
) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.add(put(), put())
        await s.database.transaction(lambda tx: tx.execute("DROP TABLE snapshot"))

        assert (await s.load()).version == 2
        assert (await s.load("nobody's")).version == 0


async def test_a_snapshot_of_another_shape_is_passed_by_and_replaced_in_time(
    engine: Engine, tmp_path
) -> None:
    async with shelf(engine, tmp_path) as s:
        await s.add(*(put() for _ in range(6)))
        # What the older code understood by the sum is not what today's code understands by it.
        await s.meddle(swapped('"amount_minor":6', '"amount_minor":9'))
        assert (await s.load()).total == Money(9, "EUR")
        newer = Shelf(s.database, shape=2)

        assert (await newer.load()).total == Money(6, "EUR")
        await newer.add(put(), put(), put())
        assert await s.kept() == [("jar", 9, 2)]
        assert (await newer.load()).total == Money(9, "EUR")


async def test_a_snapshot_of_another_history_does_not_count(engine, tmp_path) -> None:
    """The events came back from a backup and went another way; the snapshot stayed."""
    async with shelf(engine, tmp_path) as s:
        await s.add(*(put() for _ in range(6)))
        await s.meddle("UPDATE snapshot SET stream = 'other'")
        await s.meddle("DELETE FROM event WHERE version > 1")
        await s.add(*(put(2) for _ in range(5)))
        await s.meddle("DELETE FROM snapshot WHERE stream = 'jar'")
        await s.meddle("UPDATE snapshot SET stream = 'jar'")

        assert (await s.load()).total == Money(11, "EUR")


async def test_a_snapshot_is_gone_with_the_transaction_that_wrote_it(
    engine: Engine, tmp_path
) -> None:
    async with shelf(engine, tmp_path) as s:

        async def fail(tx: Tx) -> None:
            jar = Jar("jar")
            for _ in range(3):
                jar.record(put())
            await EVENTS.append(tx, "jar", jar.pending, expected_version=0, at_ms=1)
            await s.snapshots.keep(tx, jar)
            raise InterruptedError

        with pytest.raises(InterruptedError):
            await s.database.transaction(fail)

        assert await s.kept() == []


@pytest.mark.parametrize(
    "meddling",
    [
        swapped('"last":1', '"last":2'),
        "UPDATE snapshot SET state = CAST('{}' AS BLOB)",
        "UPDATE snapshot SET version = 9",
    ],
)
async def test_the_audit_finds_a_snapshot_that_is_not_what_the_events_say(
    engine: Engine, tmp_path, meddling
):
    async with shelf(engine, tmp_path) as s:
        for stream in ("a", "b"):
            await s.add(put(), put(), put(), stream=stream)
        assert await s.unlike() == []

        await s.meddle(f"{meddling} WHERE stream = 'b'")

        assert await s.unlike() == ["b"]


async def test_the_audit_finds_an_attribute_that_snapshots_forget(engine, tmp_path) -> None:
    async with shelf(engine, tmp_path) as s:
        forgetful = {name: kind for name, kind in FIELDS.items() if name != "last"}
        s.snapshots = Snapshots(EVENTS, Jar, forgetful, shape=1, every=3)
        await s.add(put(), put(), put())

        assert await s.unlike() == ["jar"]

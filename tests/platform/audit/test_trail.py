"""Whoever meddles with the trail of events in a shop's files is found, and where he meddled."""

import asyncio
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest

from emporion.chassis.data.database import Tx
from emporion.chassis.eventstore.store import EventStore, chain, who_of
from emporion.chassis.eventstore.trail import streams
from emporion.chassis.testing.databases import Engine, sql_database
from emporion.chassis.testing.time import ManualClock
from emporion.platform.audit.seals import FILE
from emporion.platform.audit.trail import CHAIN, SEALED, SEALS, Trail, audit_trail
from emporion.platform.process import serving
from emporion.platform.reading.refusals import NoShopHere
from emporion.platform.shop_folder import database_file
from tests.chassis.eventstore.test_store import KINDS, Renamed
from tests.platform.audit.test_audit import load, settings

FIRST = "(SELECT min(order_id) FROM orders)"
PAID = "(SELECT min(order_id) FROM orders WHERE status = 'paid')"
CAPTURED = "(SELECT min(stream) FROM event WHERE type = 'payment.captured')"
EDITED = "data = CAST(replace(data, 'EUR', 'USD') AS BLOB)"
FORGED = "SELECT stream, 3, 'cancelled', data, at_ms, actor, trace_id, hash, cause FROM event"


@pytest.fixture(scope="module")
def sold(tmp_path_factory) -> Path:
    """The files of a shop that has sold a little and was stopped."""
    folder = tmp_path_factory.mktemp("trail") / "shop"

    async def sell() -> None:
        async with serving(settings(folder)) as running:
            await load(running.url, orders=8)

    asyncio.run(sell())
    return Path(folder)


@pytest.fixture
def folder(sold: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "shop"
    shutil.copytree(sold, copy)
    return copy


def meddle(folder: Path, service: str, *statements: str) -> None:
    """Change a database file, as somebody with access to the disk can."""
    connection = apsw.Connection(str(database_file(folder, service)))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def one(folder: Path, service: str, sql: str) -> Any:
    connection = apsw.Connection(str(database_file(folder, service)))
    (row,) = connection.execute(sql).fetchall()
    connection.close()
    return row[0]


async def prove(folder: Path, **options: Any) -> list[Trail]:
    return await audit_trail(folder, seals_file=None, clock=ManualClock(), **options)


def found(trails: list[Trail], check: str) -> dict[str, str]:
    """What a check found, by the stream."""
    return {
        violation.subject: violation.detail
        for trail in trails
        for finding in trail.findings
        for violation in finding.violations
        if check in finding.check
    }


async def test_a_trail_nobody_touched_is_whole_and_stays_so_when_it_is_sealed_again(folder):
    first = await prove(folder)
    again = await prove(folder)

    assert [trail.violations for trail in [*first, *again]] == [0] * 4
    assert [trail.service for trail in first] == ["order", "payment"]
    assert all(trail.sealed_before is None for trail in first)
    assert [trail.sealed_before for trail in again] == [trail.sealed_now for trail in first]
    order = first[0]
    written = one(folder, "order", "SELECT count(*) FROM event")
    assert (order.streams, order.events) == (8, written)
    assert order.sealed_now
    assert order.sealed_now.events == written


@pytest.mark.parametrize(
    ("service", "statement", "subject", "detail"),
    [
        (
            "order",
            f"UPDATE event SET {EDITED} WHERE stream = {FIRST}",
            f"SELECT {FIRST}",
            "event 1 is not the one that was written",
        ),
        (
            "order",
            f"UPDATE event SET cause = 'person:order.cancel' WHERE stream = {PAID} AND version = 2",
            f"SELECT {PAID}",
            "event 2 is not the one that was written",
        ),
        (
            "order",
            f"DELETE FROM event WHERE stream = {PAID} AND version = 1",
            f"SELECT {PAID}",
            "event 1 is missing",
        ),
        (
            "order",
            f"INSERT INTO event {FORGED} WHERE stream = {PAID} AND version = 2",
            f"SELECT {PAID}",
            "event 3 is not the one that was written",
        ),
        (
            "payment",
            f"UPDATE event SET at_ms = at_ms + 1 WHERE stream = {CAPTURED}",
            f"SELECT {CAPTURED}",
            "event 1 is not the one that was written",
        ),
    ],
    ids=["edited", "another command", "deleted", "inserted", "redated"],
)
async def test_an_edited_deleted_or_inserted_event_is_named_with_its_stream(
    folder, service, statement, subject, detail
):
    stream = one(folder, service, subject)
    meddle(folder, service, statement)

    told = found(await prove(folder), CHAIN)

    assert list(told) == [stream]
    assert told[stream].startswith(detail)


async def test_the_last_event_deleted_is_found_by_the_row_beside_it_also_unsealed(folder):
    stream = one(folder, "order", f"SELECT {PAID}")
    meddle(folder, "order", f"DELETE FROM event WHERE stream = {PAID} AND version = 2")
    assert stream in found(await prove(folder), "order events replay to the row")


async def test_a_stream_cut_off_with_its_row_made_to_agree_is_found_by_its_seal(folder):
    await prove(folder)
    stream = one(folder, "order", f"SELECT {PAID}")
    meddle(
        folder,
        "order",
        f"DELETE FROM event WHERE stream = '{stream}' AND version = 2",
        f"UPDATE orders SET status = 'pending', version = 1 WHERE order_id = '{stream}'",
    )

    told = await prove(folder)

    assert found(told, CHAIN) == found(told, "replay to the row") == {}
    assert "2 events were sealed and 1 are left" in found(told, SEALED)[stream]
    assert stream in found(await prove(folder), SEALED), "the seal stays until it is explained"


async def test_a_stream_deleted_with_its_row_is_found_by_its_seal(folder):
    await prove(folder)
    stream = one(folder, "order", f"SELECT {FIRST}")
    meddle(
        folder,
        "order",
        f"DELETE FROM event WHERE stream = '{stream}'",
        f"DELETE FROM orders WHERE order_id = '{stream}'",
    )

    told = await prove(folder)

    assert list(found(told, SEALED)) == [stream]
    assert found(told, CHAIN) == found(told, "replay to the row") == {}


async def test_a_chain_made_anew_over_an_edited_event_is_found_by_its_seal(folder):
    await prove(folder)
    stream = one(folder, "order", f"SELECT {FIRST}")
    rewrite(folder, stream, lambda data: data.replace(b"EUR", b"USD"))

    told = await prove(folder)

    assert found(told, CHAIN) == {}
    assert "are others than those sealed" in found(told, SEALED)[stream]


async def test_the_seals_themselves_cannot_be_changed_unseen(folder):
    await prove(folder)
    seals = apsw.Connection(str(folder / FILE))
    seals.execute("UPDATE seal SET version = 1 WHERE stream LIKE 'ord%'")
    seals.close()
    assert list(found(await prove(folder), SEALS)) == ["sealing 1"]


async def test_a_sealing_that_was_cut_off_counts_for_nothing(folder):
    await prove(folder)
    seals = apsw.Connection(str(folder / FILE))
    seals.execute("INSERT INTO seal VALUES ('order', 2, 'ord_x', 7, x'00')")
    seals.close()
    assert [trail.violations for trail in await prove(folder)] == [0, 0]
    assert [trail.violations for trail in await prove(folder)] == [0, 0]


async def test_looking_without_sealing_writes_no_seal(folder):
    assert all(t.sealed_now is None for t in await prove(folder, is_sealed=False))
    assert all(t.sealed_before is None for t in await prove(folder))


async def test_without_a_shop_no_seals_are_made(tmp_path):
    with pytest.raises(NoShopHere):
        await prove(tmp_path)
    assert not (tmp_path / FILE).exists()


async def test_pages_of_a_long_trail_do_not_break_its_streams(engine: Engine, tmp_path: Path):
    store: EventStore[Any] = EventStore(KINDS)

    async with sql_database(engine, tmp_path) as database:

        async def write(tx: Tx) -> None:
            for stream in ("a", "b", "c"):
                events = [Renamed(str(n)) for n in range(5)]
                await store.append(tx, stream, events, expected_version=0, at_ms=1)

        await database.transaction(write)
        seen = [(each.stream, len(each.hashes)) async for each in streams(database, page=2)]
    assert seen == [("a", 5), ("b", 5), ("c", 5)]


def rewrite(folder: Path, stream: str, edit: Callable[[bytes], bytes]) -> None:
    """Edit the events of a stream, and compute its chain anew, as one can who knows how."""
    connection = apsw.Connection(str(database_file(folder, "order")))
    rows: list[Any] = connection.execute(
        "SELECT version, type, data, at_ms, actor, trace_id, cause FROM event WHERE stream = ?"
        " ORDER BY version",
        (stream,),
    ).fetchall()
    before = b"\0" * sha256().digest_size
    for version, name, data, at_ms, actor, trace_id, cause in rows:
        changed = edit(data)
        who = who_of(actor, trace_id, cause)
        before = chain(before, stream, version, name, at_ms, who, changed)
        connection.execute(
            "UPDATE event SET data = ?, hash = ? WHERE stream = ? AND version = ?",
            (changed, before, stream, version),
        )
    connection.close()

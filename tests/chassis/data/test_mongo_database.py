"""MongoDB as a service's database: all or nothing, again after a collision, in our own words."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session_shared import _TxnState
from pymongo.errors import AutoReconnect

from emporion.chassis.calls.context import Call, enter, leave
from emporion.chassis.data.database import UniqueViolation
from emporion.chassis.data.documents import Find, Insert, Update
from emporion.chassis.data.migrations.runner import MigrationFailed, Migrations
from emporion.chassis.data.mongo import database as mongo_database_module
from emporion.chassis.data.mongo.database import MongoDatabase, MongoOptions
from emporion.chassis.testing.mongo import dropped, mongo_database
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.kernel.errors import DeadlineExceeded, Internal, ResourceExhausted, Unavailable
from tests.engines.mongodb import OPTIONS, MongoServer, mongodb_url, sockets_collected

__all__ = ["books", "mongodb_url", "sockets_collected"]
SECRET = "correct-horse"
THING = {"_id": "one", "value": 0}
INCREMENT = Update("thing", {"_id": "one"}, {"$inc": {"value": 1}})


@pytest.fixture(params=[False, True], ids=["bulk", "documentdb"])
async def books(request, mongodb_url) -> AsyncIterator[MongoDatabase]:
    """An empty database, and the same kept to what Amazon DocumentDB has."""
    name = f"books_{secrets.token_hex(4)}"
    options = MongoOptions(is_documentdb=request.param, timeout_s=20)
    async with (
        dropped(mongodb_url, name),
        mongo_database(mongodb_url, name, options=options) as database,
    ):
        yield database


async def put(database, *changes):
    return await database.transaction(lambda tx: tx.write(changes))


async def things(database):
    found = await database.read(lambda tx: tx.find(Find("thing", sort=[("_id", 1)])))
    return [(each["_id"], each["value"]) for each in found]


async def test_changes_of_several_collections_happen_together_or_not_at_all(books):
    await put(books, Insert("thing", THING), Insert("other", {"_id": "a"}))

    with pytest.raises(UniqueViolation):
        await put(books, Insert("thing", {"_id": "two", "value": 0}), Insert("other", {"_id": "a"}))

    assert await things(books) == [("one", 0)]


async def test_a_change_whose_guard_does_not_match_is_told(books):
    await put(books, Insert("thing", THING))

    assert await put(books, INCREMENT)
    guarded = Update("thing", {"_id": "one", "value": 9}, {"$inc": {"value": 1}})
    assert not await put(books, guarded)


async def test_an_exception_rolls_everything_back(books):
    async def fail(tx):
        await tx.write([Insert("thing", THING)])
        raise Internal("no")

    with pytest.raises(Internal, match="no"):
        await books.transaction(fail)

    assert await things(books) == []


async def test_transactions_that_collide_run_again_until_each_has_had_its_turn(books):
    await put(books, Insert("thing", THING))
    runs = []

    async def increment(tx):
        runs.append(1)
        (found,) = await tx.find(Find("thing", {"_id": "one"}))
        await asyncio.sleep(0.01)
        change = {"$set": {"value": found["value"] + 1}}
        await tx.write([Update("thing", {"_id": "one"}, change)])

    await asyncio.gather(*(books.transaction(increment) for _ in range(4)))

    assert await things(books) == [("one", 4)]
    assert len(runs) > 4


async def test_a_collision_inside_a_reaction_is_not_the_reaction_s_failure(books):
    await put(books, Insert("thing", THING))
    is_first = True

    async def react(tx):
        nonlocal is_first
        try:
            await tx.find(Find("thing"))
            if is_first:
                is_first = False
                await put(books, INCREMENT)
            await tx.write([INCREMENT])
        except Unavailable as error:  # as a bus wraps whatever a reaction raises
            raise RuntimeError("the reaction failed") from error

    await books.transaction(react)

    assert await things(books) == [("one", 2)]


async def test_transactions_that_share_a_key_wait_instead_of_colliding(books):
    await put(books, Insert("thing", THING))
    runs = []

    async def increment(tx):
        runs.append(1)
        await tx.write([INCREMENT])

    await asyncio.gather(*(books.transaction(increment, keys=("one",)) for _ in range(10)))

    assert await things(books) == [("one", 10)]
    assert len(runs) == 10


async def test_one_that_collides_for_ever_gives_up_and_has_done_nothing(books, monkeypatch):
    monkeypatch.setattr(mongo_database_module, "PAUSE_S", 0.0)
    await put(books, Insert("thing", THING))
    runs = []

    async def always_late(tx):
        runs.append(1)
        await tx.find(Find("thing"))
        await put(books, INCREMENT)
        await tx.write([Update("thing", {"_id": "one"}, {"$set": {"value": -1}})])

    with pytest.raises(Unavailable, match="again and again"):
        await books.transaction(always_late)

    assert len(runs) == mongo_database_module.ATTEMPTS_MAX
    assert await things(books) == [("one", len(runs))]


async def test_a_caller_who_gives_up_leaves_no_document_locked(books):
    await put(books, Insert("thing", THING))
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx):
        await tx.write([INCREMENT])
        entered.set()
        await go_on.wait()

    caller = asyncio.ensure_future(books.transaction(slow))
    await entered.wait()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    go_on.set()

    assert await put(books, INCREMENT)
    assert await things(books) == [("one", 2)]
    assert books.waiting == 0


async def test_a_transaction_that_takes_too_long_is_rolled_back(mongodb_url):
    name = f"books_{secrets.token_hex(4)}"
    async with (
        dropped(mongodb_url, name),
        mongo_database(mongodb_url, name, options=MongoOptions(timeout_s=0.5)) as database,
    ):
        await put(database, Insert("thing", THING))

        async def slow(tx):
            await tx.write([INCREMENT])
            await asyncio.sleep(0.6)
            await tx.write([INCREMENT])

        with pytest.raises(DeadlineExceeded):
            await database.transaction(slow)

        assert await put(database, INCREMENT)
        assert await things(database) == [("one", 1)]


async def test_with_the_deadline_behind_it_nothing_begins(books):
    token = enter(Call(deadline_s=-1.0))
    try:
        with pytest.raises(DeadlineExceeded):
            await put(books, Insert("thing", THING))
    finally:
        leave(token)

    assert await things(books) == []


VICTIM = """
import asyncio, os, sys
from emporion.chassis.data.documents import Update
from emporion.chassis.testing.mongo import mongo_database

async def die_inside():
    async with mongo_database(sys.argv[1], sys.argv[2]) as database:
        async def work(tx):
            await tx.write([Update("thing", {"_id": "one"}, {"$inc": {"value": 9}})])
            os._exit(9)
        await database.transaction(work)

asyncio.run(die_inside())
"""


async def test_what_an_instance_that_died_had_locked_is_free_again_within_seconds(books):
    await put(books, Insert("thing", THING))
    url = books._url
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, url, books.name)
    assert await victim.wait() == 9

    assert await put(books, INCREMENT)

    assert await things(books) == [("one", 1)]


async def test_what_a_transaction_locked_whose_end_was_lost_is_free_again_within_seconds(
    books, monkeypatch
):
    """As when the network was cut: the engine still waits for it, and nobody goes on with it."""

    async def lose(session):
        session._transaction.state = _TxnState.ABORTED
        session._server_session.mark_dirty()

    async def give_up(tx):
        await tx.write([Update("thing", {"_id": "one"}, {"$inc": {"value": 9}})])
        raise Internal

    await put(books, Insert("thing", THING))
    with monkeypatch.context() as cut:
        cut.setattr(AsyncClientSession, "abort_transaction", lose)
        with pytest.raises(Internal):
            await books.transaction(give_up)

    assert await put(books, INCREMENT)

    assert await things(books) == [("one", 1)]


async def test_a_commit_whose_answer_is_lost_is_asked_for_again(books, monkeypatch):
    commit, asked = AsyncClientSession.commit_transaction, []

    async def lose_the_first_answer(session):
        await commit(session)
        asked.append(1)
        if len(asked) == 1:
            error = AutoReconnect("the answer was lost")
            error._add_error_label("UnknownTransactionCommitResult")
            raise error

    monkeypatch.setattr(AsyncClientSession, "commit_transaction", lose_the_first_answer)

    await put(books, Insert("thing", THING))

    assert len(asked) == 2
    assert await things(books) == [("one", 0)]


# Only MongoDB itself has snapshots outside of transactions; the stand-in reads what is newest.
KINDS = [True, False] if "MONGODB_URL" in os.environ else [True]


@pytest.mark.parametrize("is_documentdb", KINDS)
async def test_a_read_sees_one_instant(mongodb_url, is_documentdb):
    name = f"books_{secrets.token_hex(4)}"
    options = MongoOptions(is_documentdb=is_documentdb)
    async with (
        dropped(mongodb_url, name),
        mongo_database(mongodb_url, name, options=options) as database,
    ):
        await put(database, Insert("thing", THING))

        async def twice(tx):
            before = await tx.find(Find("thing"))
            await put(database, INCREMENT)
            return before == await tx.find(Find("thing"))

        assert await database.read(twice)
        assert await things(database) == [("one", 1)]


async def test_a_read_writes_nothing(books):
    with pytest.raises(Internal, match="a read writes nothing"):
        await books.read(lambda tx: tx.write([Insert("thing", THING)]))


async def test_a_read_without_a_deadline_that_runs_long_is_interrupted(mongodb_url):
    name = f"books_{secrets.token_hex(4)}"
    async with (
        dropped(mongodb_url, name),
        mongo_database(mongodb_url, name, options=MongoOptions(timeout_s=0.2)) as database,
    ):

        async def slow(tx):
            await asyncio.sleep(0.3)
            return await tx.find(Find("thing"))

        with pytest.raises(ResourceExhausted):
            await database.read(slow)


async def test_what_was_read_is_never_said_to_stand_still(books):
    assert books.revision != books.revision


async def test_the_doorbell_rings_after_commits_that_published_only(books):
    rings = []
    books.on_published = lambda: rings.append(1)

    await put(books, Insert("thing", THING))

    assert rings == []
    await books.probe()
    await books.live()


def database_at(url, **options):
    runtime = manual_runtime(ManualClock())
    return MongoDatabase(
        url,
        "shop",
        source="inventory",
        clock=runtime.clock,
        ids=runtime.ids,
        options=MongoOptions(connect_timeout_s=1.0, **options),
    )


@pytest.mark.usefixtures("sockets_collected")
async def test_an_engine_that_is_not_there_is_named_with_its_host_and_no_password():
    database = database_at(f"mongodb://shop:{SECRET}@127.0.0.1:9/?{OPTIONS}")

    with pytest.raises(Unavailable) as refused:
        await database.open([])

    assert refused.value.detail == "MongoDB at 127.0.0.1:9 cannot be reached"
    with pytest.raises(Unavailable, match="closed"):
        await put(database, Insert("thing", THING))


@pytest.mark.usefixtures("sockets_collected")
async def test_wrong_credentials_are_named_with_the_host_and_no_password(tmp_path: Path):
    server = MongoServer(tmp_path, "--auth")
    server.start()
    try:
        host = f"127.0.0.1:{server.port}"
        database = database_at(f"mongodb://shop:{SECRET}@{host}/?{OPTIONS}")
        with pytest.raises(Unavailable) as refused:
            await database.open([])
    finally:
        server.stop()

    assert refused.value.detail == f"MongoDB at {host} refuses the name and password it was given"


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://shop:{SECRET}:x@h/@127.0.0.1:9",
        f"mongo://shop:{SECRET}@127.0.0.1",
        f"mongodb://shop:{SECRET}@127.0.0.1:port",
    ],
)
async def test_an_address_that_is_none_is_refused_without_being_quoted(url):
    with pytest.raises(Unavailable) as refused:
        await database_at(url).open([])

    assert "the address of the inventory database is not valid" in refused.value.detail
    assert SECRET not in refused.value.detail
    assert refused.value.__cause__ is None


@pytest.mark.usefixtures("sockets_collected")
async def test_an_engine_without_transactions_is_refused(tmp_path: Path):
    server = MongoServer(tmp_path, "--standalone")
    server.start()
    try:
        with pytest.raises(Unavailable, match="no replica set"):
            await database_at(server.url).open([])
    finally:
        server.stop()


def migrations(folder: Path, **files: str) -> Migrations:
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return Migrations("planted", folder)


async def opened(url, name, *sources):
    database = MongoDatabase(
        url, name, source="planted", clock=ManualClock(), ids=manual_runtime().ids
    )
    await database.open(sources)
    await database.close()


async def test_a_migration_that_fails_half_way_is_named_and_repeated_when_it_is_mended(
    mongodb_url, tmp_path
):
    name = f"books_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name):
        bad = migrations(tmp_path, **{"0001_things": '[{"create": "a"}, {"createIndexes": "a"}]'})
        with pytest.raises(MigrationFailed, match=r"planted/0001_things.json: createIndexes"):
            await opened(mongodb_url, name, bad)

        mended = migrations(tmp_path, **{"0001_things": '[{"create": "a"}, {"create": "b"}]'})
        await opened(mongodb_url, name, mended)
        await opened(mongodb_url, name, mended)


async def test_instances_that_start_together_bring_the_collections_up_to_date_once(
    mongodb_url, tmp_path
):
    name = f"books_{secrets.token_hex(4)}"
    text = (
        '[{"create": "a"}, {"createIndexes": "a", "indexes": [{"name": "x", "key": {"x": 1}}]},'
        ' {"update": "a", "updates": [{"q": {"_id": "n"}, "u": {"$setOnInsert": {"x": 0}},'
        ' "upsert": true}]}]'
    )
    source = migrations(tmp_path, **{"0001_things": text})
    async with dropped(mongodb_url, name):
        await asyncio.gather(*(opened(mongodb_url, name, source) for _ in range(4)))


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(mongodb_url, tmp_path):
    name = f"books_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name):
        await opened(
            mongodb_url, name, migrations(tmp_path, **{"0001_things": '[{"create": "a"}]'})
        )
        changed = migrations(tmp_path, **{"0001_things": '[{"create": "b"}]'})
        with pytest.raises(MigrationFailed, match="was changed after it was applied"):
            await opened(mongodb_url, name, changed)


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("things", "[]", "name it NNNN_what_it_does.json"),
        ("0001_things", '[{"drop": "a"}]', "`drop` is not known to be repeatable"),
        ("0001_things", '[{"create": ', "0001_things.json"),
    ],
)
async def test_a_migration_that_could_not_be_repeated_is_refused(
    mongodb_url, tmp_path, file, text, why
):
    name = f"books_{secrets.token_hex(4)}"
    async with dropped(mongodb_url, name):
        with pytest.raises(MigrationFailed, match=why):
            await opened(mongodb_url, name, migrations(tmp_path, **{file: text}))


async def test_a_command_that_the_engine_refuses_is_a_defect_of_ours(books):
    with pytest.raises(Internal, match="refuses a command"):
        await books.read(lambda tx: tx.aggregate("thing", [{"$nonsense": {}}]))

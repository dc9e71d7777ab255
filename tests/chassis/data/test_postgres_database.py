"""What PostgreSQL alone can do to us: many writers, slow ones, dead connections, closed doors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from emporion.chassis.data.database import Tx, UniqueViolation
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.postgres.database import PostgresDatabase, PostgresOptions
from emporion.chassis.data.postgres.errors import Lost, OutcomeUnknown
from emporion.chassis.data.postgres.provision import provide
from emporion.chassis.events.sql_tables import SqlOutboxQueue
from emporion.chassis.eventstore.store import EventStore
from emporion.chassis.testing.databases import chassis_migrations, postgres_database, postgres_dsn
from emporion.chassis.testing.postgres_server import PASSWORD, postgres_server
from emporion.chassis.testing.time import manual_runtime
from emporion.contracts.contract import Event, EventSpec
from emporion.kernel.errors import Conflict, NotFound, ResourceExhausted, Unavailable
from emporion.kernel.value import Value
from tests.chassis.data.things import names, put

KILL_ME = "SELECT pg_terminate_backend(pg_backend_pid())"
KILL_ME_AT_COMMIT = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER last_moment AFTER INSERT ON thing
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.number = 13) EXECUTE FUNCTION die()"""
PUBLISH = """
INSERT INTO outbox (position, event_id, name, topic, key, occurred_at_ms, payload)
VALUES (CAST(CAST(pg_current_xact_id() AS text) AS bigint) << 20, $1, 'n', 't', $1, 0, '')"""


class ThingMade(Event, frozen=True, kw_only=True, gc=False):
    """A thing was made."""

    SPEC = EventSpec("things.made", key="name")

    name: str


class Added(Value, frozen=True, gc=False):
    by: int


@pytest.fixture
async def database(tmp_path: Path, things: Migrations) -> AsyncIterator[PostgresDatabase]:
    async with postgres_database(tmp_path, [things]) as opened:
        yield opened


@pytest.fixture
async def other(
    tmp_path: Path, things: Migrations, database: PostgresDatabase
) -> AsyncIterator[PostgresDatabase]:
    """A second instance of the service on the same database."""
    async with postgres_database(tmp_path, [things]) as opened:
        yield opened


@asynccontextmanager
async def stranger(folder: Path) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection beside ours, which a test holds in its hand."""
    connection = await asyncpg.connect(await postgres_dsn(folder))
    try:
        yield connection
    finally:
        await connection.close()


# --- many writers ------------------------------------------------------------------------------


async def test_concurrent_appenders_lose_no_event(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    async def append(on: PostgresDatabase, number: int) -> None:
        store: EventStore[Added] = EventStore({"added": Added})

        async def work(tx: Tx) -> None:
            version = len(await store.load(tx, "s"))
            await store.append(tx, "s", [Added(number)], expected_version=version, at_ms=1)

        while True:
            try:
                return await on.transaction(work)
            except Conflict:
                continue

    await asyncio.gather(*(append(on, number) for number in range(40) for on in (database, other)))

    store: EventStore[Added] = EventStore({"added": Added})
    proved = (await database.read(lambda tx: store.prove(tx, after="", until="t")))["s"]
    assert not proved.broken_at
    assert sorted(stored.event.by for stored in proved.events) == sorted([*range(40)] * 2)


async def test_a_look_before_a_write_is_repeated_when_another_wrote_first(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    """Of two instances that take the same key at once, the second finds it taken: no error."""

    async def once(tx: Tx) -> bool:
        if await tx.fetch_one("SELECT 1 FROM thing WHERE name = 'key'"):
            return False
        await tx.execute("INSERT INTO thing VALUES ('key', 1)")
        return True

    outcomes = await asyncio.gather(
        *(on.transaction(once) for _ in range(10) for on in (database, other))
    )
    assert outcomes.count(True) == 1


async def test_transactions_that_block_each_other_are_run_again(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    def both(first: str, second: str):
        async def work(tx: Tx) -> None:
            for name in (first, second):
                await tx.execute("UPDATE thing SET number = number + 1 WHERE name = ?", name)

        return work

    await asyncio.gather(database.transaction(put("a")), database.transaction(put("b")))
    await asyncio.gather(
        *(
            on.transaction(both(*order))
            for _ in range(20)
            for on, order in ((database, ("a", "b")), (other, ("b", "a")))
        )
    )
    row = await database.read(lambda tx: tx.fetch_one("SELECT min(number), max(number) FROM thing"))
    assert row == (40, 40)


async def test_a_failure_of_the_engine_for_one_is_none_for_its_neighbours(
    database: PostgresDatabase,
) -> None:
    async def wrong(tx: Tx) -> None:
        await tx.execute("INSERT INTO thing VALUES ('half', 1)")
        await tx.execute("INSERT INTO nowhere VALUES (1)")

    outcomes = await asyncio.gather(
        *(database.transaction(wrong if i % 4 == 0 else put(f"n{i}")) for i in range(20)),
        return_exceptions=True,
    )
    assert [i for i, outcome in enumerate(outcomes) if outcome != 0] == [0, 4, 8, 12, 16]
    assert len(await names(database)) == 15


# --- what is published -------------------------------------------------------------------------


async def test_the_event_of_a_slow_transaction_is_not_passed_by(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    queue = SqlOutboxQueue(database, has_horizon=True)
    async with stranger(tmp_path) as slow:
        held = slow.transaction()
        await held.start()
        await slow.execute(PUBLISH, "slow")
        await database.transaction(lambda tx: tx.publish(ThingMade(name="quick")))

        unsent = await queue.unsent(limit=10, held=())
        assert (unsent.rows, unsent.is_more_soon) == ([], True)

        await held.commit()
        unsent = await queue.unsent(limit=10, held=())
        assert [row.key for row in unsent.rows] == ["slow", "quick"]


async def test_positions_go_on_above_those_of_another_server(
    database: PostgresDatabase, tmp_path: Path, things: Migrations
) -> None:
    """A dump restored elsewhere: transaction numbers begin anew, positions must not."""
    await database.transaction(lambda tx: tx.publish(ThingMade(name="before")))
    async with stranger(tmp_path) as restore:
        await restore.execute(
            "UPDATE outbox SET position = position + (1::bigint << 45),"
            " xid = CAST(CAST(1::bigint << 40 AS text) AS xid8)"
        )
    async with postgres_database(tmp_path, [things]) as restored:
        await restored.transaction(lambda tx: tx.publish(ThingMade(name="after")))
        unsent = await SqlOutboxQueue(restored, has_horizon=True).unsent(limit=10, held=())
        assert [row.key for row in unsent.rows] == ["before", "after"]


async def test_another_instance_hears_that_something_was_published(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    heard = asyncio.Event()
    other.on_published = heard.set
    while not heard.is_set():  # until it listens, nobody promised that it hears
        await database.transaction(lambda tx: tx.publish(ThingMade(name="a")))
        await asyncio.wait([asyncio.ensure_future(heard.wait())], timeout=0.2)


async def test_an_idle_instance_asks_nothing(database: PostgresDatabase, tmp_path: Path) -> None:
    asked = "SELECT pid, query_start FROM pg_stat_activity WHERE application_name LIKE 'emporion%'"
    await database.probe()
    async with stranger(tmp_path) as watcher:
        await asyncio.wait_for(_listens(watcher), 10)
        before = await watcher.fetch(asked)
        await asyncio.sleep(1.0)  # as long as is watched
        assert await watcher.fetch(asked) == before


async def _listens(watcher: Any) -> None:
    while not await watcher.fetchval("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"):
        await asyncio.sleep(0.01)


# --- connections that die ----------------------------------------------------------------------


async def test_a_connection_killed_in_a_transaction_leaves_nothing_and_the_next_one_works(
    database: PostgresDatabase,
) -> None:
    async def dies(tx: Tx) -> None:
        await tx.execute("INSERT INTO thing VALUES ('half', 1)")
        await tx.fetch_one(KILL_ME)

    with pytest.raises(Lost):
        await database.transaction(dies)
    await database.transaction(put("next"))
    assert await names(database) == ["next"]
    await database.live()


async def test_all_that_commit_together_lose_their_connection_together(
    database: PostgresDatabase,
) -> None:
    async def dies(tx: Tx) -> None:
        await tx.fetch_one(KILL_ME)

    outcomes = await asyncio.gather(
        database.transaction(put("a")),
        database.transaction(dies),
        database.transaction(put("b")),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert await names(database) == []


async def test_a_connection_killed_while_it_commits_leaves_the_outcome_unknown(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    async with stranger(tmp_path) as owner:
        await owner.execute(KILL_ME_AT_COMMIT)
    with pytest.raises(OutcomeUnknown) as unknown:
        await database.transaction(put("a", 13))
    assert not unknown.value.is_outcome_known
    await database.transaction(put("a", 12))


async def test_connections_that_died_while_nobody_used_them_are_made_again(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    await database.transaction(put("a"))
    await names(database)
    async with stranger(tmp_path) as killer:
        await killer.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'emporion%' AND datname = current_database()"
        )
    await database.transaction(put("b"))
    assert await names(database) == ["a", "b"]


async def test_a_statement_that_runs_too_long_is_interrupted(
    tmp_path: Path, things: Migrations
) -> None:
    options = PostgresOptions(statement_timeout_s=0.2)
    async with postgres_database(tmp_path, [things], options=options) as database:
        for run in (database.read, database.transaction):
            with pytest.raises(ResourceExhausted, match="too long"):
                await run(lambda tx: tx.fetch_one("SELECT pg_sleep(5)"))
        await database.transaction(put("next"))


async def test_a_caller_who_gives_up_a_read_leaves_its_connection_usable(
    tmp_path: Path, things: Migrations
) -> None:
    options = PostgresOptions(readers=1)
    async with postgres_database(tmp_path, [things], options=options) as database:
        reading = asyncio.ensure_future(
            database.read(lambda tx: tx.fetch_one("SELECT pg_sleep(5)"))
        )
        await asyncio.wait([reading], timeout=0.1)
        reading.cancel()
        assert await asyncio.wait_for(names(database), 4) == []


# --- doors that stay closed, and starts --------------------------------------------------------


def database_at(dsn: str) -> PostgresDatabase:
    runtime = manual_runtime()
    return PostgresDatabase(dsn, source="shop", clock=runtime.clock, ids=runtime.ids)


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("postgresql://shop:hunter2@127.0.0.1:1/orders", "database 'orders' at 127.0.0.1:1: "),
        ("postgresql://shop:hunter2@127.0.0.1:99999/orders", "at 127.0.0.1:99999: "),
        ("postgresql://shop:hunter2@127.0.0.1:hunter2/orders", "database 'orders' at "),
        ("postgresql//shop:hunter2@127.0.0.1/orders", "does not begin with postgresql://"),
    ],
)
async def test_an_unreachable_server_is_named_and_the_password_is_not(dsn: str, told: str) -> None:
    with pytest.raises(Unavailable) as refused:
        await database_at(dsn).open([])
    assert told in str(refused.value)
    assert "hunter2@" not in str(refused.value)
    assert ":hunter2" not in str(refused.value).replace("127.0.0.1:hunter2", "")


async def test_a_wrong_password_is_said_and_not_repeated(tmp_path: Path) -> None:
    dsn = await postgres_dsn(tmp_path)
    wrong = dsn.replace(PASSWORD.replace(" ", "%20"), "hunter2")
    assert wrong != dsn
    with pytest.raises(Unavailable, match="password authentication failed") as refused:
        await database_at(wrong).open([])
    assert "hunter2" not in str(refused.value)


async def test_a_role_cannot_enter_the_database_of_another_service(tmp_path: Path) -> None:
    await postgres_dsn(tmp_path, "order")
    server = await postgres_server()
    mine, theirs = await postgres_dsn(tmp_path, "payment"), await postgres_dsn(tmp_path, "order")
    name_of = lambda dsn: dsn.partition("@/")[2].partition("?")[0]  # noqa: E731 - of these two
    with pytest.raises(Unavailable, match="permission denied"):
        await database_at(server.dsn(name_of(theirs), role=name_of(mine))).open([])


async def test_two_that_start_at_once_migrate_once(tmp_path: Path, things: Migrations) -> None:
    server = await postgres_server()
    name = f"fresh_{abs(hash(tmp_path)):x}"
    dsn = await server.database(name, group=str(tmp_path))
    starters = [database_at(dsn) for _ in range(4)]
    await asyncio.gather(
        *(starter.open([chassis_migrations("postgres"), things]) for starter in starters)
    )
    await asyncio.gather(*(starter.transaction(put(f"n{i}")) for i, starter in enumerate(starters)))
    assert len(await names(starters[0])) == 4
    for starter in starters:
        await starter.close()


async def test_making_a_database_again_changes_nothing_but_the_password(tmp_path: Path) -> None:
    dsn = await postgres_dsn(tmp_path)
    server = await postgres_server()
    name = dsn.partition("@/")[2].partition("?")[0]
    assert not await provide(server.admin_dsn, name=name, password="it's another")
    with pytest.raises(Unavailable, match="password"):
        await database_at(dsn).open([])
    await provide(server.admin_dsn, name=name, password=PASSWORD)
    async with postgres_database(tmp_path) as database:
        await database.probe()


async def test_an_error_of_the_work_ends_a_read_without_ending_its_connection(
    database: PostgresDatabase,
) -> None:
    async def refuses(tx: Tx) -> None:
        await tx.fetch_one("SELECT 1")
        await tx.fetch_one("SELECT 2")
        raise NotFound

    for _ in range(2):
        with pytest.raises(NotFound):
            await database.read(refuses)
    assert await names(database) == []


async def test_a_duplicate_that_stays_one_is_refused(database: PostgresDatabase) -> None:
    await database.transaction(put("a"))
    with pytest.raises(UniqueViolation):
        await database.transaction(put("a"))

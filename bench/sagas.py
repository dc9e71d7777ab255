"""A durable saga of three steps: ours beside DBOS on SQLite, the same work, in the same run."""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from emporion.chassis.data.database import Tx
from emporion.chassis.data.migrations.runner import Migrations
from emporion.chassis.data.sqlite.database import SqliteDatabase
from emporion.chassis.runtime.system import system_runtime
from emporion.chassis.saga.definition import Saga, local, step
from emporion.chassis.saga.engine import SagaEngine
from emporion.chassis.saga.port import SagaState, Start
from emporion.chassis.testing.databases import CHASSIS
from emporion.contracts.contract import Empty, Message, Request

IN_FLIGHT = 64
DURATION_S = 6.0
EFFECT = "INSERT INTO effect (id, what) VALUES (?, ?) ON CONFLICT DO NOTHING"


class Trip(Message, frozen=True, kw_only=True):
    """The saga's input."""

    name: str


class Book(Request, frozen=True, kw_only=True):
    """What both remote steps are asked."""

    name: str


async def ours(folder: Path) -> float:
    """Sagas per second: three steps, each a durable effect, with undo declared."""
    runtime = system_runtime()
    migrations = folder / "migrations"
    migrations.mkdir()
    (migrations / "0001_effect.sql").write_text(
        "CREATE TABLE effect (id TEXT, what TEXT, PRIMARY KEY (id, what)) WITHOUT ROWID"
    )
    databases = {}
    for name in ("saga", "flight", "hotel"):
        database = SqliteDatabase(
            folder / f"{name}.sqlite", source=name, clock=runtime.clock, ids=runtime.ids
        )
        await database.open([CHASSIS, Migrations("bench", migrations)])
        databases[name] = database

    async def local_step(tx: Tx, trip: Trip) -> None:
        await tx.execute(EFFECT, trip.name, "order")

    async def confirm(tx: Tx, trip: Trip) -> None:
        await tx.execute(EFFECT, trip.name, "confirmed")

    async def reject(tx: Tx, trip: Trip, _refusal: Exception) -> None:
        await tx.execute("DELETE FROM effect WHERE id = ?", trip.name)

    saga = Saga(
        "trip",
        version=1,
        input=Trip,
        steps=(
            local("open", do=local_step, undo=reject),
            step(
                "flight",
                request=_book,
                do=_remote(databases["flight"]),
                undo=_remote(databases["flight"]),
            ),
            step(
                "hotel",
                request=_book,
                do=_remote(databases["hotel"]),
                undo=_remote(databases["hotel"]),
            ),
            local("confirm", do=confirm),
        ),
    )
    engine = SagaEngine("saga", databases["saga"], runtime)
    engine.register([saga])
    end_s, done = time.monotonic() + DURATION_S, 0

    async def worker() -> None:
        nonlocal done
        while time.monotonic() < end_s:
            saga_id = runtime.ids.new("sag")
            outcome = await engine.run(
                saga, Start(saga_id, Trip(name=saga_id), saga_id, b""), wait_s=0
            )
            assert outcome.state is SagaState.COMPLETED
            done += 1

    started_s = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    rate = done / (time.monotonic() - started_s)
    for database in databases.values():
        await database.close()
    return rate


def _remote(database: SqliteDatabase) -> Callable[[Book], Awaitable[Empty]]:
    async def do(request: Book) -> Empty:
        async def work(tx: Tx) -> None:
            await tx.execute(EFFECT, request.name, database.source)

        await database.transaction(work)
        return Empty()

    return do


def _book(trip: Trip) -> Book:
    return Book(name=trip.name)


def theirs(folder: Path) -> float:
    """The same with DBOS: a workflow of three steps on SQLite, the undo list kept by the caller."""
    import sqlite3  # noqa: PLC0415 - only the peer's effects use it

    from dbos import DBOS, DBOSConfig  # noqa: PLC0415 - installed for benchmarks only

    logging.disable(logging.WARNING)
    effects = sqlite3.connect(folder / "effects.sqlite", check_same_thread=False)
    effects.execute("PRAGMA journal_mode=WAL")
    effects.execute("PRAGMA synchronous=FULL")
    effects.execute("CREATE TABLE effect (id TEXT, what TEXT, PRIMARY KEY (id, what))")
    effects.commit()
    with sqlite3.connect(folder / "dbos.sqlite") as state:
        state.execute("PRAGMA journal_mode=WAL")  # its default journal is a good deal slower
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "log_level": "ERROR",
    }
    DBOS(config=config)

    def effect(name: str, what: str) -> None:
        effects.execute(EFFECT, (name, what))
        effects.commit()

    @DBOS.step()
    async def open_order(name: str) -> None:
        effect(name, "order")

    @DBOS.step()
    async def flight(name: str) -> None:
        effect(name, "flight")

    @DBOS.step()
    async def hotel(name: str) -> None:
        effect(name, "hotel")

    @DBOS.workflow()
    async def trip(name: str) -> None:
        await open_order(name)
        await flight(name)
        await hotel(name)

    DBOS.launch()

    async def drive() -> float:
        end_s, done = time.monotonic() + DURATION_S, 0

        async def worker(number: int) -> None:
            nonlocal done
            turn = 0
            while time.monotonic() < end_s:
                await trip(f"t{number}-{turn}")
                turn += 1
                done += 1

        started_s = time.monotonic()
        await asyncio.gather(*(worker(number) for number in range(IN_FLIGHT)))
        return done / (time.monotonic() - started_s)

    rate = asyncio.run(drive())
    DBOS.destroy()
    effects.close()
    return rate


def main() -> None:
    """Measure one side, named on the command line; print sagas per second."""
    with tempfile.TemporaryDirectory() as folder:
        is_ours = sys.argv[1] == "ours"
        rate = uvloop.run(ours(Path(folder))) if is_ours else theirs(Path(folder))
    print(f"{rate:.1f}")


if __name__ == "__main__":
    main()

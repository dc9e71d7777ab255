"""A shop on PostgreSQL, MongoDB and NATS in a process of its own, and what one may do to it."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from pymongo import AsyncMongoClient

from emporion.platform.audit.traffic import Lag
from emporion.platform.data_folder import address_in
from emporion.platform.reading.processes import services_in
from emporion.platform.shop_folder import SERVICES

TOPOLOGY = f"""processes:
  shop: [{", ".join(SERVICES)}]
engines: {{default: postgres, inventory: mongodb}}
bus: nats
"""
Document = dict[str, Any]
START_S_MAX = 120.0
STOP_S_MAX = 60.0


@contextmanager
def running(folder: Path, text: str = TOPOLOGY) -> Iterator[str]:
    """The URL of the shop of that topology while it runs on this folder."""
    topology = folder.with_suffix(".yaml")
    topology.write_text(text)
    with folder.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from emporion.platform.cli.main import main; main()"),
                *("up", "--topology", str(topology), "--port", "0", "--data", str(folder)),
            ],
            stdout=log,
            stderr=log,
        )
    try:
        until_s = time.monotonic() + START_S_MAX
        while not (url := address_in(folder)):
            assert process.poll() is None, folder.with_suffix(".log").read_text()
            assert time.monotonic() < until_s, folder.with_suffix(".log").read_text()
            time.sleep(0.05)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_S_MAX) == 0, folder.with_suffix(".log").read_text()


def dsn_of(folder: Path, service: str) -> str:
    """Where the service's database is while the shop runs."""
    return services_in(folder, SERVICES)[service].dsn


@asynccontextmanager
async def meddled(folder: Path, service: str, *statements: str) -> AsyncIterator[None]:
    """With these statements done to a service's tables in PostgreSQL, and undone at the end."""
    connection = await asyncpg.connect(dsn_of(folder, service))
    tables = {_table_in(statement) for statement in statements}
    try:
        for table in tables:
            await connection.execute(f"CREATE TEMPORARY TABLE kept_{table} AS TABLE {table}")
        for statement in statements:
            done = await connection.execute(statement)
            assert not done.endswith(" 0"), statement
        yield
        for table in tables:
            await connection.execute(f"DELETE FROM {table}")
            restored = f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE kept_{table}"
            await connection.execute(restored)
    finally:
        await connection.close()


def _table_in(statement: str) -> str:
    """The table that an UPDATE or a DELETE is about."""
    return statement.removeprefix("UPDATE ").removeprefix("DELETE FROM ").split()[0]


@asynccontextmanager
async def altered(
    folder: Path, collection: str, chosen: Document, change: Document | None
) -> AsyncIterator[None]:
    """With the newest document that matches changed, or gone, and back at the end."""
    async with AsyncMongoClient[Document](dsn_of(folder, "inventory")) as client:
        documents = client["inventory"][collection]
        before = await documents.find_one(chosen, sort=[("_id", -1)])
        assert before, chosen
        own = {"_id": before["_id"]}
        if change is None:
            await documents.delete_one(own)
        else:
            await documents.update_one(own, change)
        try:
            yield
        finally:
            await documents.replace_one(own, before, upsert=True)


async def until_delivered(look: Callable[[], Awaitable[Sequence[Lag]]]) -> None:
    """Until nothing is on its way between the services."""
    until_s = time.monotonic() + START_S_MAX
    while any(each.waiting for each in await look()):
        assert time.monotonic() < until_s
        await asyncio.sleep(0.05)

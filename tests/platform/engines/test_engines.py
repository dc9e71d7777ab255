"""Real servers: ready when they say so, closed to strangers, and with their data after a crash."""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import nats
import psutil
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from emporion.platform.engines.mongodb import MongoServer
from emporion.platform.engines.nats import NatsServer
from emporion.platform.engines.postgres import PostgresServer, database_of
from emporion.platform.engines.secrets_file import SecretsFile, SecretsUnreadable
from emporion.platform.supervisor.kept import Kept
from emporion.platform.supervisor.part import EngineMissing, Part, StartFailed

pytestmark = pytest.mark.system


@asynccontextmanager
async def running(part: Part, data: Path) -> AsyncIterator[Kept]:
    kept = Kept(part, data / "run", print)
    _ = await kept.start()
    try:
        yield kept
    finally:
        assert await kept.stop(), "it had to be killed"
        assert kept.pid == 0


async def test_each_service_has_a_database_that_the_others_cannot_enter(data: Path) -> None:
    server = PostgresServer(data, ("user", "order"), SecretsFile.open(data))
    async with running(server, data):
        connection = await asyncpg.connect(server.address_of("order"))
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.execute("CREATE TABLE orders (id text)")
        await connection.close()

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(server.address_of("order"), database=database_of("user"))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.address_of("order"), password="guessed")


async def test_what_was_committed_is_there_after_the_server_was_killed(data: Path) -> None:
    server = PostgresServer(data, ("order",), SecretsFile.open(data))
    kept = Kept(server, data / "run", print)
    _ = await kept.start()
    connection = await asyncpg.connect(server.address_of("order"))
    await connection.execute("CREATE TABLE orders AS SELECT 7 AS id")
    os.kill(kept.pid, signal.SIGKILL)
    _ = await kept.stop()
    connection.terminate()

    again = PostgresServer(data, ("order", "user"), SecretsFile.open(data))
    async with running(again, data):
        connection = await asyncpg.connect(again.address_of("order"))
        assert await connection.fetchval("SELECT id FROM orders") == 7
        await connection.close()


async def test_a_cluster_of_another_shop_is_not_taken_over(data: Path) -> None:
    async with running(PostgresServer(data, (), SecretsFile.open(data)), data):
        pass
    (data / "secrets.json").unlink()

    kept = Kept(PostgresServer(data, (), SecretsFile.open(data)), data / "run", print)
    with pytest.raises(StartFailed, match=r"does not take the password in secrets\.json"):
        await kept.start()
    assert kept.pid == 0


async def said_to_a_stranger(server: NatsServer) -> bytes:
    """Until the broker hangs up. By hand: the client leaves its socket open when it is refused."""
    address = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b'CONNECT {"user":"emporion","pass":"guessed","verbose":false}\r\nPING\r\n')
    try:
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_broker_keeps_streams_and_refuses_strangers(data: Path) -> None:
    server = NatsServer(data, SecretsFile.open(data))
    async with running(server, data):
        client = await nats.connect(server.address)
        stream = client.jetstream()
        await stream.add_stream(name="orders", subjects=["orders.>"])
        await stream.publish("orders.created", b"1")
        await client.close()
        assert b"Authorization Violation" in await said_to_a_stranger(server)

    again = NatsServer(data, SecretsFile.open(data))
    async with running(again, data):
        client = await nats.connect(again.address)
        assert (await client.jetstream().stream_info("orders")).state.messages == 1
        await client.close()


@pytest.mark.usefixtures("sockets_collected")
async def test_a_document_database_keeps_what_it_committed_and_refuses_strangers(
    data: Path,
) -> None:
    server = MongoServer(data, ("inventory", "other"), SecretsFile.open(data))
    kept = Kept(server, data / "run", print)
    _ = await kept.start()
    async with AsyncMongoClient[dict[str, object]](server.address_of("inventory")) as client:
        await client.inventory.stock.insert_one({"_id": "croissant", "available": 7})
        with pytest.raises(OperationFailure):
            await client.other.stock.find_one({})
    async with AsyncMongoClient[dict[str, object]](
        server.address_of("inventory").replace("inventory:", "inventory:x")
    ) as stranger:
        with pytest.raises(OperationFailure):
            await stranger.inventory.stock.find_one({})
    os.kill(kept.pid, signal.SIGKILL)
    _ = await kept.stop()

    again = MongoServer(data, ("inventory",), SecretsFile.open(data))
    async with (
        running(again, data),
        AsyncMongoClient[dict[str, object]](again.address_of("inventory")) as client,
    ):
        found = await client.inventory.stock.find_one({})
        assert found == {"_id": "croissant", "available": 7}


async def test_no_password_is_shown_to_other_users_of_the_machine(data: Path) -> None:
    secrets = SecretsFile.open(data)
    postgres, broker = PostgresServer(data, ("order",), secrets), NatsServer(data, secrets)
    async with running(postgres, data) as first, running(broker, data) as second:
        passwords = [secrets.of(name) for name in ("postgresql", "postgresql/order", "nats")]
        for pid in (first.pid, second.pid):
            seen = " ".join(psutil.Process(pid).cmdline())
            assert not any(password in seen for password in passwords)
    readable = [path for path in (data / "run").iterdir() if path.stat().st_mode & 0o044]
    assert [path.suffix for path in readable if path.suffix != ".pid"] == []


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda data: PostgresServer(data, (), SecretsFile.open(data)), "PostgreSQL"),
        (lambda data: NatsServer(data, SecretsFile.open(data)), "NATS"),
        (lambda data: MongoServer(data, (), SecretsFile.open(data)), "a MongoDB server"),
    ],
)
async def test_an_engine_that_is_not_installed_is_named_with_what_to_do(
    data: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Part], what: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "executable", str(data / "python"))

    with pytest.raises(EngineMissing, match=f"{what} is not installed here; `make split`"):
        await Kept(make(data), data / "run", print).start()


def test_lost_passwords_are_not_replaced_by_new_ones(data: Path) -> None:
    first = SecretsFile.open(data).of("nats")
    assert SecretsFile.open(data).of("nats") == first
    (data / "secrets.json").write_text("{")

    with pytest.raises(SecretsUnreadable, match="put it back"):
        SecretsFile.open(data)

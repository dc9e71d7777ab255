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
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from emporion.platform.engines.mongodb import MongoServer
from emporion.platform.engines.nats import NatsServer
from emporion.platform.engines.postgres import PostgresServer, database_of
from emporion.platform.engines.secrets_file import SecretsFile, SecretsUnreadable
from emporion.platform.supervisor.kept import Kept, RestartPolicy
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


def room_for_files(pid: int, size: int) -> None:
    """Let a program write so many bytes into one file: beyond, its disk is as good as full."""
    process = psutil.Process(pid)
    _, most = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (size, most))


@asynccontextmanager
async def cared_for(server: NatsServer, data: Path, said: list[str]) -> AsyncIterator[Kept]:
    """The broker with the stream `orders`, under a supervisor's eyes."""
    kept = Kept(server, data / "run", said.append, policy=RestartPolicy(look_s=0.05))
    _ = await kept.start()
    async with publishing(server) as stream:
        await stream.add_stream(name="orders", subjects=["orders.>"])
    watching = asyncio.create_task(kept.watch())
    try:
        yield kept
    finally:
        watching.cancel()
        assert await kept.stop()


@asynccontextmanager
async def publishing(server: NatsServer) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.address)
    try:
        yield client.jetstream(timeout=1)
    finally:
        await client.close()


async def until_refused(stream: JetStreamContext) -> int:
    """Publish until one is not acknowledged; how many were."""
    for number in range(100):
        try:
            await stream.publish("orders.created", b"1" * 1_000)
        except NatsError:
            return number
    raise AssertionError("the disk was never full")


async def test_a_broker_whose_disk_was_full_takes_events_again_and_keeps_what_it_took(
    data: Path,
) -> None:
    said: list[str] = []
    server = NatsServer(data, SecretsFile.open(data))
    async with cared_for(server, data, said) as kept:
        room_for_files(kept.pid, 20_000)
        async with publishing(server) as stream:
            taken = await until_refused(stream)
        while kept.restarts == 0:
            await asyncio.sleep(0.01)

        async with publishing(server) as stream:
            await stream.publish("orders.created", b"2")
            assert (await stream.stream_info("orders")).state.messages == taken + 1
    assert taken > 0
    assert said[0].startswith("nats is ill (JetStream stream '$G > orders' write error: ")
    assert said[0].endswith("; it starts again in 0.25 s")


async def test_a_broker_is_not_started_anew_while_its_disk_is_full(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = NatsServer(data, SecretsFile.open(data))
    async with running(server, data) as kept:
        assert await server.ailment() == ""
        room_for_files(kept.pid, 20_000)
        async with publishing(server) as stream:
            await stream.add_stream(name="orders", subjects=["orders.>"])
            await until_refused(stream)
        assert "write error" in await server.ailment()

        monkeypatch.setattr("emporion.platform.engines.nats.ROOM_BYTES", 2**63)
        assert await server.ailment() == ""


async def test_a_broker_that_is_gone_has_no_ailment(data: Path) -> None:
    server = NatsServer(data, SecretsFile.open(data))
    async with running(server, data):
        pass

    assert await server.ailment() == ""


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

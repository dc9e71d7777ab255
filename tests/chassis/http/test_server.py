"""The server over real sockets: limits on heads, bodies in pieces, a drain that fails nobody."""

import asyncio
import contextlib
import socket

import msgspec
import pytest

from emporion.chassis.http import server as server_module
from emporion.chassis.http.listener import AddressInUse, turn_away
from emporion.chassis.http.server import HttpServer, ServerSettings

GET = b"GET /api/things HTTP/1.1\r\nhost: x\r\n\r\n"


class Wire:
    """A client that says exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.writer.write(data)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    async def is_closed(self) -> bool:
        return await self.reader.read(1) == b""

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def served(sample):
    """`connect()` gives a Wire to a running server; `server` and `sample` beside it."""
    server = HttpServer(
        sample.app,
        ServerSettings(port=0, head_timeout_s=0.2, drain_grace_s=0.05, drain_timeout_s=2),
    )
    await server.start()
    wires: list[Wire] = []

    async def connect() -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", server.port)))
        return wires[-1]

    sample.server, sample.connect = server, connect
    yield sample
    await server.drain()
    for wire in wires:
        wire.close()
        with contextlib.suppress(ConnectionError):
            await wire.writer.wait_closed()


async def test_a_connection_serves_many_requests(served):
    wire = await served.connect()

    answers = [await wire.ask(GET) for _ in range(3)]

    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert "server" not in answers[0][1]
    assert "date" in answers[0][1]


async def test_a_body_may_come_in_pieces(served):
    wire = await served.connect()
    wire.writer.write(
        b"POST /api/doors HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b'transfer-encoding: chunked\r\n\r\n4\r\n{"na\r\n'
    )
    await wire.writer.drain()

    status, _, _ = await wire.ask(b'7\r\nme":"a"\r\n1\r\n}\r\n0\r\n\r\n')

    assert status == 200
    assert served.door.calls[0][0].name == "a"


async def test_a_client_that_asks_first_is_told_to_send_its_body(served):
    wire = await served.connect()
    wire.writer.write(
        b"POST /api/doors HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 12\r\nexpect: 100-continue\r\n\r\n"
    )

    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    status, _, _ = await wire.ask(b'{"name":"a"}')

    assert status == 200


async def test_requests_sent_at_once_are_answered_one_after_the_other(served):
    wire = await served.connect()

    first = await wire.ask(GET + GET.replace(b"things", b"nothing") + GET)

    assert [first[0], (await wire.answer())[0], (await wire.answer())[0]] == [200, 404, 200]


async def test_an_old_client_is_told_that_its_connection_ends(served):
    wire = await served.connect()

    status, headers, _ = await wire.ask(GET.replace(b"1.1", b"1.0"))

    assert (status, headers["connection"]) == (200, "close")
    assert await wire.is_closed()


async def test_a_request_to_speak_another_protocol_is_answered_in_this_one(served):
    wire = await served.connect()

    status, _, _ = await wire.ask(GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n")

    assert status == 200


async def test_an_idle_connection_is_ended_after_its_keep_alive_time(sample):
    server = HttpServer(sample.app, ServerSettings(port=0, keep_alive_s=0, drain_grace_s=0.0))
    await server.start()
    wire = Wire(*await asyncio.open_connection("127.0.0.1", server.port))

    status, headers, _ = await wire.ask(GET)

    assert (status, "connection" in headers) == (200, False)
    assert await wire.is_closed()
    await server.drain()
    wire.close()


async def test_a_body_announced_too_long_is_refused_at_once(served):
    wire = await served.connect()

    status, headers, body = await wire.ask(
        b"POST /api/doors HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
    )

    assert (status, headers["connection"]) == (413, "close")
    assert msgspec.json.decode(body)["bytes_max"] == 262144
    assert await wire.is_closed()


@pytest.mark.parametrize(
    ("sent", "status", "slug"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed-request"),
        (b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400, "malformed-request"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000, 431, "head-too-large"),
    ],
)
async def test_a_broken_head_gets_a_problem_document(served, *, sent, status, slug):
    wire = await served.connect()

    told, headers, body = await wire.ask(sent)

    assert (told, headers["connection"]) == (status, "close")
    assert headers["content-type"] == "application/problem+json"
    assert msgspec.json.decode(body)["type"].endswith(slug)


async def test_a_connection_too_many_is_told_so_and_the_others_go_on(sample):
    server = HttpServer(sample.app, ServerSettings(port=0, connections_max=2, drain_grace_s=0.0))
    await server.start()
    wires = [Wire(*await asyncio.open_connection("127.0.0.1", server.port)) for _ in range(3)]

    first, second, third = [await wire.ask(GET) for wire in wires]

    status, headers, body = third
    assert (first[0], second[0], status) == (200, 200, 503)
    assert (headers["retry-after"], headers["connection"]) == ("1", "close")
    assert msgspec.json.decode(body)["type"].endswith("too-many-connections")
    assert (await wires[0].ask(GET))[0] == 200
    await server.drain()
    for wire in wires:
        wire.close()


async def test_a_head_that_dribbles_is_ended(served):
    wire = await served.connect()

    status, _, _ = await wire.ask(b"GET / HTTP/1.1\r\nx:")

    assert status == 408
    assert await wire.is_closed()


async def test_a_connection_that_says_nothing_is_ended(served):
    wire = await served.connect()

    assert await wire.is_closed()


async def test_garbage_behind_a_request_in_flight_ends_the_connection(served):
    async def wait() -> None:
        await asyncio.Event().wait()

    served.door.before = wait
    wire = await served.connect()
    wire.writer.write(GET)
    while not served.door.calls:
        await asyncio.sleep(0)

    wire.writer.write(b"nonsense\r\n\r\n")

    assert await wire.is_closed()


async def test_a_taken_port_is_said_by_name(served):
    second = HttpServer(served.app, ServerSettings(port=served.server.port))

    with pytest.raises(AddressInUse, match=str(served.server.port)):
        await second.start()


async def test_a_request_in_flight_is_finished_by_the_drain(served):
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await go_on.wait()

    served.door.before = wait
    wire = await served.connect()
    answer = asyncio.create_task(wire.ask(GET))
    await arrived.wait()
    drain = asyncio.create_task(served.server.drain())
    idle = await served.connect()
    assert await idle.is_closed()
    go_on.set()

    status, headers, _ = await answer
    await drain

    assert (status, headers["connection"]) == (200, "close")
    assert await wire.is_closed()
    with pytest.raises(OSError, match="Connect"):
        await served.connect()


async def test_no_request_fails_while_the_server_drains_under_load(served):
    done, failed = 0, []

    async def shop() -> None:
        nonlocal done
        while True:
            try:
                wire = await served.connect()
            except ConnectionError:
                return  # the door is closed: nothing was sent
            is_kept = True
            while is_kept:
                try:
                    status, headers, _ = await wire.ask(GET)
                except (ConnectionError, asyncio.IncompleteReadError) as error:
                    failed.append(error)
                    return
                assert status == 200
                done += 1
                is_kept = headers.get("connection") != "close"

    shoppers = [asyncio.create_task(shop()) for _ in range(32)]
    while done < 300:
        await asyncio.sleep(0)
    await served.server.drain()
    await asyncio.gather(*shoppers)

    assert failed == []
    assert done >= 300


async def test_who_stands_in_the_queue_when_the_door_closes_is_answered(served, monkeypatch):
    late: list[socket.socket] = []

    def turn_away_behind_one_more(listener: socket.socket) -> bool:
        late.append(socket.create_connection(("127.0.0.1", served.server.port)))
        late[0].sendall(GET)  # the loop is busy here: nobody has accepted it yet
        return turn_away(listener)

    monkeypatch.setattr(server_module, "turn_away", turn_away_behind_one_more)
    await served.server.drain()

    with late[0] as client:
        assert client.recv(12) == b"HTTP/1.1 200"


async def test_what_does_not_end_in_time_is_cancelled(sample):
    async def wait() -> None:
        await asyncio.Event().wait()

    sample.door.before = wait
    server = HttpServer(sample.app, ServerSettings(port=0, drain_grace_s=0.0, drain_timeout_s=0))
    await server.start()
    wire = Wire(*await asyncio.open_connection("127.0.0.1", server.port))
    wire.writer.write(GET)
    while not sample.door.calls:
        await asyncio.sleep(0)

    await server.drain()

    status, headers, body = await wire.answer()
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert msgspec.json.decode(body)["detail"] == "the server stops; the outcome is not known"
    wire.close()

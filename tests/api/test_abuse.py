"""Clients that dribble, crowd, shout and guess are refused, and nobody else notices."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from emporion.chassis.http.app import Edge, HttpLimits
from emporion.chassis.http.server import HttpServer, ServerSettings
from emporion.chassis.http.throttle import ThrottleLimits
from emporion.contracts.contract import BODY_BYTES_MAX, BULK_BYTES_MAX
from emporion.platform import front as fronts
from tests.api.refusals import ORDER, ROW
from tests.api.shopfront import PROBLEM, Shopfront, open_shopfront

pytestmark = pytest.mark.asyncio(loop_scope="module")
GET = b"GET /api/products?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n"
HEAD_TIMEOUT_S = 0.3
BODY_TIMEOUT_S = 0.3
CONNECTIONS_MAX = 40
Connect = Callable[[], Awaitable["Wire"]]


class Wire:
    """A client that sends exactly the bytes it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:-2])
            body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        return int(head[0].split()[1]), fields, body

    async def ask(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        await self.send(data)
        return await self.answer()

    async def refused(self, data: bytes = b"") -> tuple[int, str]:
        """Status and slug of a refusal, which must be a problem document."""
        status, fields, body = await self.ask(data)
        assert fields["content-type"] == PROBLEM, body
        document = msgspec.json.decode(body)
        assert document["status"] == status
        return status, document["type"].rpartition(":")[2]

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read(1) == b""
        return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def abused(tmp_path_factory) -> AsyncIterator[Shopfront]:
    """A shop with short patience."""
    limits = HttpLimits(
        body_timeout_s=BODY_TIMEOUT_S,
        throttle=ThrottleLimits(rate_per_s=1.0, burst=20, is_loopback_free=True),
    )

    def hasty(**parts: Any) -> Edge:
        return replace(Edge(**parts), limits=limits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fronts, "Edge", hasty)
        async with open_shopfront(tmp_path_factory.mktemp("abuse") / "data") as front:
            yield front


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(abused) -> AsyncIterator[list[HttpServer]]:
    """Two servers of that shop: with the usual patience, and without any."""
    made = [
        HttpServer(abused.app, replace(settings, port=0, drain_grace_s=0.0))
        for settings in (
            ServerSettings(connections_max=CONNECTIONS_MAX),
            ServerSettings(head_timeout_s=HEAD_TIMEOUT_S),
        )
    ]
    for server in made:
        await server.start()
    yield made
    for server in made:
        await server.drain()


@pytest_asyncio.fixture(loop_scope="module")
async def connect(servers) -> AsyncIterator[Connect]:
    """Opens connections, which are closed at the end of the test."""
    async with _wires(servers[0]) as open_wire:
        yield open_wire


@pytest_asyncio.fixture(loop_scope="module")
async def hurried(servers) -> AsyncIterator[Connect]:
    """The same, to a server that does not wait for heads."""
    async with _wires(servers[1]) as open_wire:
        yield open_wire


@contextlib.asynccontextmanager
async def _wires(server: HttpServer) -> AsyncIterator[Connect]:
    """Every test begins with an empty server."""
    wires: list[Wire] = []

    async def open_wire() -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", server.port)))
        return wires[-1]

    yield open_wire
    for wire in wires:
        await wire.close()
    assert server._server is not None
    while server._server.server_state.connections:
        await asyncio.sleep(0)


def post(target: str, body: bytes, *lines: str, length: int | None = None) -> bytes:
    """A request as it goes over the wire; `length` may lie."""
    head = [
        f"POST {target} HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"content-length: {len(body) if length is None else length}",
        *lines,
    ]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


async def is_served(connect: Connect) -> bool:
    """Whether somebody else is answered as usual."""
    wire = await connect()
    status, _, _ = await wire.ask(GET)
    await wire.close()
    return status == 200


async def test_a_head_that_comes_by_the_letter_is_ended_while_others_are_served(hurried):
    slow = [await hurried() for _ in range(10)]
    for wire in slow:
        await wire.send(b"GET /api/products HTTP/1.1\r\nhost: x")

    assert await is_served(hurried)
    for wire in slow:
        assert await wire.refused() == (408, "head-too-slow")
        assert await wire.is_closed()


async def test_a_connection_that_says_nothing_is_closed(hurried):
    assert await (await hurried()).is_closed()


async def test_a_body_that_comes_by_the_letter_is_ended_while_others_are_served(connect):
    slow = [await connect() for _ in range(10)]
    for wire in slow:
        await wire.send(post("/api/users/sessions", b'{"email":"a', length=500))

    assert await is_served(connect)
    for wire in slow:
        assert await wire.refused() == (408, "body-too-slow")


async def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(connect, abused):
    before = await abused.still_books()
    for _ in range(10):
        wire = await connect()
        await wire.send(post("/api/users", b'{"email":', length=100))
        await wire.close()

    assert await is_served(connect)
    assert abused.books() == before


async def test_a_crowd_is_told_to_come_back_and_leaves_the_others_in_peace(connect):
    regulars = [await connect() for _ in range(CONNECTIONS_MAX)]
    first = await asyncio.gather(*(wire.ask(GET) for wire in regulars))
    crowd = [await connect() for _ in range(20)]

    refused = await asyncio.gather(*(wire.refused(GET) for wire in crowd))
    again = await asyncio.gather(*(wire.ask(GET) for wire in regulars))

    assert {status for status, _, _ in [*first, *again]} == {200}
    assert set(refused) == {(503, "too-many-connections")}
    assert all([await wire.is_closed() for wire in crowd])


async def test_requests_sent_ahead_are_answered_in_order(connect):
    wire = await connect()

    await wire.send(GET + b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" + GET)

    statuses = [(await wire.answer())[0] for _ in range(3)]
    assert statuses == [200, 404, 200]


async def test_a_flood_of_requests_sent_ahead_is_answered_one_by_one(connect):
    wire = await connect()

    await wire.send(GET * 300)

    assert {(await wire.answer())[0] for _ in range(300)} == {200}


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"x: " + b"y" * 300_000, (431, "head-too-large")),
        (b"".join(b"x%d: y\r\n" % n for n in range(20_000)), (431, "head-too-large")),
        (b"content-length: -1\r\n\r\n", (400, "malformed-request")),
        (b"content-length: 1\r\ncontent-length: 2\r\n\r\n", (400, "malformed-request")),
        (b"content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n", (400, "malformed-request")),
        (b"transfer-encoding: chunked, identity\r\n\r\n", (400, "malformed-request")),
        (b"host : x\r\n\r\n", (400, "malformed-request")),
        (b"x: a\0b\r\n\r\n", (400, "malformed-request")),
        (b"x: a\rb\r\n\r\n", (400, "malformed-request")),
    ],
    ids=["long", "many", "negative", "two lengths", "both", "coding", "blank", "NUL", "CR"],
)
async def test_a_head_that_is_not_honest_is_refused(connect, head, told):
    wire = await connect()

    assert await wire.refused(b"POST /api/orders HTTP/1.1\r\n" + head) == told
    assert await wire.is_closed()
    assert await is_served(connect)


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://example.test/api/orders HTTP/1.1",
        b"GET /api/orders HTTP/9.9",
        b"GET  /api/orders HTTP/1.1",
        b"GET /api/\xffrders HTTP/1.1",
        b"GET /api/orders\0 HTTP/1.1",
        b"CONNECT example.test:443 HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["absolute", "version", "blanks", "bytes", "NUL", "CONNECT", "HTTP/2", "TLS"],
)
async def test_a_first_line_that_is_not_for_us_is_answered_as_a_problem(connect, line):
    wire = await connect()

    status, _ = await wire.refused(line + b"\r\nhost: x\r\n\r\n")

    assert status in (400, 401, 404, 405)
    assert await is_served(connect)


async def test_an_upgrade_is_not_made(connect):
    wire = await connect()
    upgrade = (
        b"GET /api/products?limit=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n"
    )

    status, _, _ = await wire.ask(upgrade + b"upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n")

    assert status == 200


@pytest.mark.parametrize(
    ("target", "bytes_max"),
    [("/api/users", BODY_BYTES_MAX), ("/api/products/import", BULK_BYTES_MAX)],
)
async def test_a_body_is_limited_whether_or_not_it_says_how_long_it_is(
    connect, abused, target, bytes_max
):
    token = f"authorization: Bearer {abused.operator.token}"
    announced, chunked = await connect(), await connect()

    assert await announced.refused(post(target, b"", token, length=bytes_max + 1)) == (
        413,
        "body-too-large",
    )
    head = f"POST {target} HTTP/1.1\r\nhost: x\r\n{token}\r\ncontent-type: application/json\r\n"
    await chunked.send(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(bytes_max // 0x10000 + 1):
        await chunked.send(part)
    assert await chunked.refused() == (413, "body-too-large")
    assert await is_served(connect)


async def test_an_import_just_within_its_limit_is_taken(connect, abused):
    token = f"authorization: Bearer {abused.operator.token}"
    rows = [
        {
            **ROW,
            "line": n + 1,
            "sku": f"bulk-{n}",
            "product": f"Bulk {n}",
            "description": "d" * 1_900,
        }
        for n in range(1_000)
    ]
    body = json.dumps({"rows": rows, "is_dry_run": True}).encode()
    body += b" " * (BULK_BYTES_MAX - len(body))

    status, _, answer = await (await connect()).ask(post("/api/products/import", body, token))

    assert status == 200, answer
    assert msgspec.json.decode(answer)["errors"] == []


async def test_guessing_passwords_is_slowed_down_and_says_for_how_long(connect, abused):
    ann = await abused.person("ann")
    guess = json.dumps({"email": ann.email, "password": "guess"}).encode()
    wire = await connect()

    told = [await wire.ask(post("/api/users/sessions", guess)) for _ in range(8)]

    statuses = [status for status, _, _ in told]
    assert statuses[:5] == [401] * 5
    assert statuses[5:] == [429] * 3
    waits = [int(fields["retry-after"]) for status, fields, _ in told if status == 429]
    assert min(waits) >= 1
    right = json.dumps({"email": ann.email, "password": "a-long-enough-password"}).encode()
    assert await wire.refused(post("/api/users/sessions", right)) == (429, "too-many-sign-ins")


async def test_guesses_all_at_once_are_slowed_down_like_guesses_in_a_row(connect, abused):
    bob = await abused.person("bob")
    guess = json.dumps({"email": bob.email, "password": "guess"}).encode()
    wires = [await connect() for _ in range(30)]

    told = await asyncio.gather(*(wire.ask(post("/api/users/sessions", guess)) for wire in wires))

    looked_at = [status for status, _, _ in told if status == 401]
    assert len(looked_at) <= 5
    assert {status for status, _, _ in told} == {401, 429}


async def test_two_authorization_headers_do_not_make_one_good_one(connect, abused):
    ann = await abused.person("carla")
    good, bad = f"authorization: Bearer {ann.token}", "authorization: Bearer forged"
    wire = await connect()

    for lines in ((good, bad), (bad, good)):
        request = post("/api/orders", json.dumps(ORDER).encode(), *lines, "idempotency-key: two")
        status, slug = await wire.refused(request)
        assert (status, slug) == (401, "token-invalid")


async def test_two_keys_for_one_order_are_refused(connect, abused):
    ann = await abused.person("carla")
    lines = (f"authorization: Bearer {ann.token}", "idempotency-key: one", "idempotency-key: two")
    before = await abused.still_books()

    request = post("/api/orders", json.dumps(ORDER).encode(), *lines)

    assert await (await connect()).refused(request) == (400, "invalid-parameter")
    assert abused.books() == before


async def test_connections_that_come_and_go_do_not_use_up_the_places(connect):
    for _ in range(4):
        wires = [await connect() for _ in range(CONNECTIONS_MAX // 2)]
        for wire in wires:
            wire.writer.transport.abort()

    assert await is_served(connect)

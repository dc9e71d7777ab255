"""Posts to servers outside: only to allowed addresses, never further, never without end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest

from emporion.chassis.http.outgoing import (
    ANSWER_BYTES_MAX,
    AddressRefused,
    Answer,
    NoAnswer,
    Poster,
    is_public,
)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOCAL = Poster(lambda address: address.is_loopback)


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    serving = set[asyncio.Task[None] | None]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):  # the other side goes away
            await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    opened = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with opened:
        yield f"http://127.0.0.1:{opened.sockets[0].getsockname()[1]}"
    for task in serving:
        assert task is not None
        _ = await asyncio.wait((task,), timeout=10)


def answering(data: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()

    return serve


async def post(url: str, poster: Poster = LOCAL, timeout_s: float = 5.0) -> Answer:
    return await poster.post(url, {"webhook-id": "evt_1"}, b"{}", timeout_s=timeout_s)


async def test_a_post_says_what_it_was_told_and_asks_for_no_more_than_one_answer():
    got = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(2)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok")

    async with server(serve) as url:
        answer = await post(f"{url}/a/b?c=d")

    assert answer == Answer(200, "7", "ok")
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a/b?c=d HTTP/1.1"
    assert {b"Content-Length: 2", b"webhook-id: evt_1", b"Connection: close"} <= set(lines)
    assert body == b"{}"


async def test_a_redirect_is_an_answer_and_is_not_followed():
    async with server(answering(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n")) as url:
        assert (await post(url)).status == 302


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 "])
async def test_what_is_no_http_answer_is_none(data: bytes):
    async with server(answering(data)) as url:
        with pytest.raises(NoAnswer):
            await post(url)


async def test_an_answer_without_end_is_read_up_to_a_limit():
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()
            sent += 4096

    async with server(serve) as url:
        answer = await post(url)

    assert (answer.status, answer.start) == (200, "x" * 512)
    assert sent < ANSWER_BYTES_MAX + 8 * 1024 * 1024


async def test_who_says_nothing_is_not_waited_for_without_end():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(serve) as url:
        with pytest.raises(NoAnswer, match="no answer within"):
            await post(url, timeout_s=0.05)


async def test_a_name_in_our_own_network_is_not_connected_to():
    reached = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached = True

    async with server(serve) as url:
        port = url.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"):
            with pytest.raises(AddressRefused):
                await post(f"http://{host}:{port}/", Poster(is_public))

    assert not reached


async def test_nobody_there_is_no_answer():
    async with server(answering(b"")) as url:
        pass
    with pytest.raises(NoAnswer, match="Connect"):
        await post(url)


@pytest.mark.parametrize("text", ["93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_outside_are_public(text: str):
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::",
        "64:ff9b::a00:1",
    ],
)
def test_addresses_of_our_own_are_not_public(text: str):
    assert not is_public(ip_address(text))
